/* Watches for others who claim our virtual addresses, and answers for the routers that are
 * active here. */
#ifndef VRRP_CLAIM_ANSWER_H
#define VRRP_CLAIM_ANSWER_H

#include "vrrp/claim_watch.h"
#include "vrrp/vrrp_router.h"

/* All zero: closed. */
struct claim_answer {
    struct vrrp_host *host;
    struct vrrp_router **routers;   /* the driver's list */
    struct claim_watch *watches[2]; /* IPv4, IPv6; NULL: not possible here */
};

/* HOST and ROUTERS outlive it. */
void claim_answer_open(struct claim_answer *answer,
                       struct vrrp_host *host,
                       struct vrrp_router **routers);
/* The configuration changed. */
void claim_answer_watch(struct claim_answer *answer);
void claim_answer_close(struct claim_answer *answer);

#endif

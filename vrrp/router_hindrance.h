/* Why a virtual router should not be active on this host, and what follows for its priority.
 * Pure but for the router that it fills in. */
#ifndef VRRP_ROUTER_HINDRANCE_H
#define VRRP_ROUTER_HINDRANCE_H

#include "vrrp/vrrp_router.h"

enum {
    /* What hindered nodes advertise; a group's preference may be as low, and is then kept. */
    PRIORITY_DRAINED = 1,
    PRIORITY_YIELDS = 2,
    PRIORITY_WAITS = 3,
};

/* Sets hindrance and reason of ROUTER from PLACE, which tells of its interfaces, and from what
 * HOST was told. */
void router_hindrance_find(struct vrrp_router *router,
                           const struct vrrp_host *host,
                           const struct vrrp_place *place);
/* Priority and preemption as they follow from the hindrance and the state: at each change of
 * one of them. */
void router_hindrance_rank(struct vrrp_router *router, const struct vrrp_host *host);
/* Must it leave the election? */
bool router_hindrance_is_out(const struct vrrp_router *router);

#endif

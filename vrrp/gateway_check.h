/* Does each group's gateway answer on this node's link? Asked once a second by ARP or neighbour
 * solicitation; the answers are seen by the watch for claims (claim_answer.h). Part of the
 * host; what it finds is a hindrance of the group. */
#ifndef VRRP_GATEWAY_CHECK_H
#define VRRP_GATEWAY_CHECK_H

#include "lbnode/base/rise_fall.h"
#include "vrrp/hindrance_list.h"
#include "vrrp/vrrp_config.h"

struct vrrp_host;
struct interface;

struct gateway {
    struct uuid group_id;
    struct ip_address address;
    bool asked, heard; /* since the last turn */
    struct rise_fall counter;
};

struct gateway_check {
    struct gateway items[VRRP_CONFIG_MAXIMUM_GROUPS];
    size_t count;
    uint64_t due_us; /* 0 with a count of 0: nothing to do */
};

/* Takes the gateways of the host's configuration; those that stay keep their state. */
void gateway_check_configure(struct gateway_check *check, struct vrrp_host *host);
/* When it is due: judges the last second and asks again. True when a hindrance came or went. */
bool gateway_check_run(struct gateway_check *check, struct vrrp_host *host, uint64_t now_us);
uint64_t gateway_check_due_us(const struct gateway_check *check); /* UINT64_MAX: never */
/* Where GATEWAY is asked: on the link of its subnet, a link-local one (as routers announce
 * themselves by IPv6) on that of its group's addresses. NULL: nowhere now. */
const struct interface *gateway_check_link(const struct vrrp_host *host,
                                           const struct gateway *gateway);
/* ADDRESS was seen to answer. */
void gateway_check_heard(struct gateway_check *check, const struct ip_address *address);

#endif

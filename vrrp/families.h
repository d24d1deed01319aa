/* The two virtual routers of a group, one for each family, know each other and end up on one
 * node (family_bond.h). */
#ifndef VRRP_FAMILIES_H
#define VRRP_FAMILIES_H

#include "vrrp/vrrp_router.h"

/* After the list of routers changed. */
void families_link(struct vrrp_router *routers);
/* ROUTER lost against another owner. Where that was IPv4, IPv6 follows: its own tie is decided
 * by link-local addresses, which may order the nodes the other way. */
void families_follow(struct vrrp_router *lost, struct vrrp_host *host, uint64_t now_us);
/* Hands IPv6 over where IPv4 is somewhere else; before the timers of the routers. */
void families_unite(struct vrrp_router *routers, struct vrrp_host *host, uint64_t now_us);

#endif

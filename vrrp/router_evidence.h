/* What gossip proves about a virtual router, as control tells it: nobody hears this node, or
 * another node is active too and comes first. It takes the router out of the election or makes
 * it give way, for a time that ends by itself; it never makes one active. */
#ifndef VRRP_ROUTER_EVIDENCE_H
#define VRRP_ROUTER_EVIDENCE_H

#include "vrrp/vrrp_router.h"

/* False when the message is out of range; nothing happens then. ROUTERS: the list of all. */
bool router_evidence_take(struct vrrp_router *routers,
                          struct vrrp_host *host,
                          const struct message_vrrp_evidence *message,
                          uint64_t now_us);
/* Ends what was not said again in time. */
void router_evidence_expire(struct vrrp_router *router,
                            struct vrrp_host *host,
                            uint64_t now_us);
/* When that is due; UINT64_MAX: nothing holds. */
uint64_t router_evidence_due_us(const struct vrrp_router *router);

#endif

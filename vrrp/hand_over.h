/* Planned switches over all virtual routers of this node: who is asked, and when it is over. */
#ifndef VRRP_HAND_OVER_H
#define VRRP_HAND_OVER_H

#include "vrrp/vrrp_router.h"

/* Asks a peer to take over what is active here: the group and the node of MESSAGE; zero ids:
 * every group, whoever is best. */
void hand_over_start(struct vrrp_router *routers,
                     struct vrrp_host *host,
                     const struct message_vrrp_hand_over *message,
                     uint64_t now_us);
/* A drained node gives away what it has, as far as somebody can be asked who is not drained:
 * one of those, another one at each ATTEMPT. That it does not take it is told when it was asked
 * for the first time. */
void hand_over_offer(struct vrrp_router *routers,
                     struct vrrp_host *host,
                     size_t attempt,
                     uint64_t now_us);
/* From ATTEMPT to the next: as long as whoever was asked may need, or much longer when all that
 * can be asked were. */
uint64_t hand_over_pause_us(const struct vrrp_router *routers,
                            const struct vrrp_host *host,
                            size_t attempt);
/* Is nothing under way any more: nobody is asked, and no address lingers? */
bool hand_over_is_done(const struct vrrp_router *routers);
bool hand_over_any_active(const struct vrrp_router *routers);

#endif

/* Whose adverts a virtual router follows: in strict groups those alone that gossip vouches for.
 * What is not followed is counted and named. */
#ifndef VRRP_ADVERT_POLICY_H
#define VRRP_ADVERT_POLICY_H

#include "vrrp/vrrp_router.h"

bool advert_policy_accepts(struct vrrp_router *router,
                           struct vrrp_host *host,
                           const struct ip_address *source,
                           uint8_t priority);
/* A router of a mixed group sums its IPv4 adverts in another way than we do ours: it will
 * hardly take them, and both would be active. Says so, once and then hourly for each. */
void advert_policy_compare_sum(struct vrrp_router *router,
                               struct vrrp_host *host,
                               const struct ip_address *source,
                               const struct vrrp_packet *packet);

#endif

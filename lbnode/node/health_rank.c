#include "lbnode/node/health_rank.h"

/* Priority, then the higher address, as in an election. */
static bool comes_before(const struct rank_candidate *peer, const struct rank_candidate *own)
{
    if (peer->state != VRRP_BACKUP || !peer->is_fit || peer->priority == 0)
        return false;
    if (!own->is_fit || own->state != VRRP_BACKUP || peer->priority > own->priority)
        return true;
    return peer->priority == own->priority && peer->address.family != 0 &&
           peer->address.family == own->address.family &&
           ip_address_compare(&peer->address, &own->address) > 0;
}

enum health_rank health_rank_find(const struct rank_candidate *own,
                                  const struct rank_candidate *peers,
                                  size_t count)
{
    bool peer_is_active = false, peer_is_next = false;
    if (own->state == VRRP_ACTIVE)
        return HEALTH_RANK_ACTIVE;
    for (size_t i = 0; i < count; i++) {
        peer_is_active |= peers[i].state == VRRP_ACTIVE;
        peer_is_next |= comes_before(&peers[i], own);
    }
    return peer_is_active && peer_is_next ? HEALTH_RANK_OTHER : HEALTH_RANK_SUCCESSOR;
}

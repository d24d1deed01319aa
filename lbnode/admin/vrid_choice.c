#include "lbnode/admin/vrid_choice.h"

#include "lbnode/base/monotime.h"

#include <string.h>

enum {
    VRID_MAXIMUM = 255
};

static bool was_heard(const struct node_state *state, unsigned vrid)
{
    const struct vrid_heard *heard = &state->vrids[vrid];
    return heard->source.family && walltime_now_ms() - heard->wall_ms < VRID_HEARD_FOR_MS;
}

static bool is_used(const struct node_state *state, unsigned vrid)
{
    const struct effective *object;
    for (size_t i = 0;
         (object = configuration_at(state->configuration, RESOURCE_VRRP_GROUP, i)); i++)
        if (((const struct vrrp_group *)(const void *)object->resource)->vrid == vrid)
            return true;
    return false;
}

/* Groups of one cluster follow each other; where they begin differs from cluster to cluster, so
 * that two of them on one link are apart even if they do not hear each other yet. */
uint8_t vrid_choose(const struct node_state *state, struct error *error)
{
    unsigned first = replication_cluster_id(state->replication)->bytes[1];
    for (unsigned i = 0; i < VRID_MAXIMUM; i++) {
        unsigned vrid = 1 + (first + i) % VRID_MAXIMUM;
        if (!was_heard(state, vrid) && !is_used(state, vrid))
            return (uint8_t)vrid;
    }
    error_set(error, ERROR_CONFLICT, "All 255 virtual router ids are taken.");
    return 0;
}

void vrid_avoid_heard(const struct node_state *state)
{
    bool heard[VRID_MAXIMUM + 1];
    for (unsigned vrid = 0; vrid <= VRID_MAXIMUM; vrid++)
        heard[vrid] = was_heard(state, vrid);
    replication_avoid_vrids(state->replication, heard);
}

const struct vrid_heard *vrid_stranger(const struct node_state *state, int64_t vrid)
{
    if (vrid < 1 || vrid > VRID_MAXIMUM || !was_heard(state, (unsigned)vrid))
        return NULL;
    const struct vrid_heard *heard = &state->vrids[vrid];
    /* The roster does not know the link-local addresses that nodes' IPv6 adverts come from. */
    bool may_be_node = heard->is_node || ip_address_is_link_local(&heard->source);
    return may_be_node ? NULL : heard;
}

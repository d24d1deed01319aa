/* The other active nodes: one peer each, as the roster says. */
#include "replication/core_internal.h"

#include "replication/memory.h"

#include <stdlib.h>

struct peer *core_peer(const struct core *core, const struct uuid *id)
{
    for (size_t i = 0; i < core->peer_count; i++)
        if (uuid_equal(&core->peers[i]->id, id))
            return core->peers[i];
    return NULL;
}

bool core_peer_is_alive(const struct peer *peer)
{
    return peer->state == PEER_IS_ALIVE || peer->state == PEER_IS_SUSPECT;
}

void core_peer_free(struct peer *peer)
{
    vv_free(&peer->durable);
    vv_free(&peer->running);
    vv_free(&peer->reported);
    free(peer);
}

/* When the node came into the roster: at least then it was there. */
static uint64_t joined_wall_ms(const struct core *core, const struct uuid *id)
{
    const struct object *object = facet_object(&core->facets, id);
    const struct facet_entry *life = object ? facet_winner(facet_of(object, FACET_LIFE)) : NULL;
    return life ? life->wall_ms : core->now.wall_ms;
}

/* One peer per active node of the roster but this one; known ones keep their state. */
void core_peers_refresh(struct core *core)
{
    struct peer **old = core->peers;
    size_t old_count = core->peer_count;
    core->peers = memory_new((ROSTER_ACTIVE_MAXIMUM + 1) * sizeof(*core->peers));
    core->peer_count = 0;
    for (size_t i = 0; i < core->roster.count; i++) {
        const struct roster_node *node = &core->roster.nodes[i];
        struct peer *peer = NULL;
        if (node->status != NODE_ACTIVE || uuid_equal(&node->id, &core->node_id) ||
            core->peer_count == ROSTER_ACTIVE_MAXIMUM)
            continue;
        for (size_t k = 0; k < old_count; k++)
            if (old[k] && uuid_equal(&old[k]->id, &node->id)) {
                peer = old[k];
                old[k] = NULL;
            }
        if (!peer) {
            peer = memory_new(sizeof(*peer));
            peer->id = node->id;
            peer->seen_wall_ms = joined_wall_ms(core, &node->id);
        }
        core->peers[core->peer_count++] = peer;
    }
    for (size_t k = 0; k < old_count; k++)
        if (old[k])
            core_peer_free(old[k]);
    free(old);
}

uint64_t core_heartbeat_interval_us(const struct core *core)
{
    size_t nodes = core->peer_count + 1;
    return (nodes <= 4 ? 200 : nodes <= 12 ? 400 : nodes <= 32 ? 800 : 1600) * MS;
}

void core_visit_peers(struct core *core,
                      struct core_now now,
                      void (*visit)(void *context, const struct peer_view *peer),
                      void *context)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        const struct roster_node *node = roster_find(&core->roster, &peer->id);
        struct peer_view view = {
            .node_id = peer->id,
            .name = node->name,
            .state = peer->state,
            .last_heard_ms_ago =
                peer->heard ? (now.mono_us - peer->last_heard_us) / MS : UINT64_MAX,
            .round_trip_us = (uint32_t)peer->rtt_us,
            .clock_offset_ms = peer->offset_ms,
            .changes_behind = core_changes_behind(core, &peer->durable),
            .storage_trouble = core_peer_is_alive(peer) && peer->storage_trouble,
            .verdicts_ms_ago = core_verdicts_ms_ago(core, peer),
            .in_sync = peer->heard && peer->digest == core->digest,
        };
        if (node->endpoint_count > 0)
            view.endpoint = node->endpoints[0];
        visit(context, &view);
    }
}

bool core_knows_all(const struct core *core, struct error *error)
{
    for (size_t i = 0; i < core->peer_count; i++)
        if (core->peers[i]->state != PEER_IS_ALIVE)
            return error_set(error, ERROR_CONFLICT,
                             "node %.64s does not answer, and would not know this node any "
                             "more when it comes back: start it, or remove it first",
                             core_node_name(core, &core->peers[i]->id));
    for (size_t i = 0; i < core->peer_count; i++)
        if (core->peers[i]->storage_trouble)
            return error_set(error, ERROR_CONFLICT,
                             "node %.64s cannot write to its store, and does not say what it "
                             "heard meanwhile: mend that, or remove it first",
                             core_node_name(core, &core->peers[i]->id));
    return core_is_caught_up(core) ||
           error_set(error, ERROR_CONFLICT,
                     "this node has not got all yet that the others have; try again");
}

bool core_node_has(const struct core *core, const struct uuid *node_id, struct dot dot)
{
    if (uuid_equal(node_id, &core->node_id))
        return vv_get(&core->durable, dot.stream) >= dot.seq;
    const struct peer *peer = core_peer(core, node_id);
    return peer && (vv_get(&peer->reported, dot.stream) >= dot.seq ||
                    vv_get(&peer->durable, dot.stream) >= dot.seq);
}

bool core_node_is_up(const struct core *core, const struct uuid *node_id)
{
    const struct peer *peer = core_peer(core, node_id);
    return peer ? core_peer_is_alive(peer) : uuid_equal(node_id, &core->node_id);
}

/* A member asks the others to probe a pool now (somebody tests its health monitor). The answer
 * is their next batch of verdicts, in which the age of the last probe tells that it is newer
 * than the question. */
#include "replication/core_internal.h"

#include <string.h>

enum {
    PROBE_GAP_MS = 1000 /* a peer is listened to so often about one pool */
};

void core_ask_probe(const struct core *core,
                    const struct core_event *event,
                    struct core_actions *actions)
{
    for (size_t p = 0; p < core->peer_count; p++) {
        struct wire_writer body = {0};
        wire_put_bytes(&body, 1, (struct bytes){event->pool.bytes, 16});
        core_act_send(actions, &core->peers[p]->id, FRAME_PROBE, &body);
    }
}

/* The place for a wish about POOL: its last one, or that of the one that was asked for longest
 * ago. NULL: all are too young, or this one is. */
static struct probe_wish *place_of(struct peer *peer, const struct uuid *pool, uint64_t now_us)
{
    struct probe_wish *place = &peer->probe_wishes[0];
    for (size_t i = 0; i < ARRAY_LENGTH(peer->probe_wishes); i++) {
        struct probe_wish *wish = &peer->probe_wishes[i];
        if (uuid_equal(&wish->pool, pool)) {
            place = wish;
            break;
        }
        if (wish->asked_us < place->asked_us)
            place = wish;
    }
    bool early = place->asked_us > 0 && now_us - place->asked_us < PROBE_GAP_MS * MS;
    return early ? NULL : place;
}

void core_handle_probe(struct core *core,
                       struct peer *peer,
                       struct bytes body,
                       struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    struct uuid pool = {{0}};
    while (wire_next(&reader, &field)) {
        if (field.number != 1)
            continue;
        if (field.type != WIRE_BYTES || field.bytes.size != sizeof(pool.bytes))
            return;
        memcpy(pool.bytes, field.bytes.data, sizeof(pool.bytes));
    }
    if (!wire_ended(&reader) || uuid_is_zero(&pool))
        return;
    struct probe_wish *wish = place_of(peer, &pool, core->now.mono_us);
    if (!wish)
        return;
    *wish = (struct probe_wish){pool, core->now.mono_us};
    struct core_action *action = core_act(actions, CORE_PROBE_ASKED);
    action->peer = peer->id;
    action->pool = pool;
}

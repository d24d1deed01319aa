/* Verdicts about members, shared with the peers: not in the log, the newest batch counts
 * (replication.md 11.3). */
#include "replication/core_internal.h"

#include <string.h>

enum {
    VERDICT_SIZE = 16, /* member key 8, state 1, reason 1, round trip u16, age ms u32 */
    VERDICTS_PER_FRAME = 60
};

void core_publish_verdicts(struct core *core,
                           const struct core_event *event,
                           struct core_actions *actions)
{
    for (size_t first = 0; first < event->verdict_count; first += VERDICTS_PER_FRAME) {
        uint8_t packed[VERDICTS_PER_FRAME * VERDICT_SIZE], *at = packed;
        for (size_t i = first; i < event->verdict_count && i < first + VERDICTS_PER_FRAME;
             i++) {
            const struct shared_verdict *verdict = &event->verdicts[i];
            memcpy(at, verdict->member_id.bytes, 8);
            at[8] = verdict->state;
            at[9] = verdict->reason;
            store_be16(at + 10, verdict->round_trip_ms);
            store_be32(at + 12, verdict->age_ms);
            at += VERDICT_SIZE;
        }
        core->health_seq++;
        for (size_t p = 0; p < core->peer_count; p++) {
            struct wire_writer body = {0};
            wire_put_varint(&body, 1, core->incarnation);
            wire_put_varint(&body, 2, core->health_seq);
            wire_put_bytes(&body, 3, (struct bytes){packed, (size_t)(at - packed)});
            core_act_send(actions, &core->peers[p]->id, FRAME_HEALTH, &body);
        }
    }
}

void core_handle_health(struct peer *peer, struct bytes body, struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    struct bytes packed = {0};
    uint64_t incarnation = 0, seq = 0;
    while (wire_next(&reader, &field)) {
        if (field.number == 1)
            incarnation = field.integer;
        else if (field.number == 2)
            seq = field.integer;
        else if (field.number == 3)
            packed = field.bytes;
    }
    bool newer = incarnation > peer->health_incarnation ||
                 (incarnation == peer->health_incarnation && seq > peer->health_seq);
    if (!wire_ended(&reader) || !newer || packed.size % VERDICT_SIZE != 0)
        return;
    peer->health_incarnation = incarnation;
    peer->health_seq = seq;
    for (size_t at = 0; at < packed.size; at += VERDICT_SIZE) {
        struct core_action *action = core_act(actions, CORE_VERDICT);
        action->peer = peer->id;
        memcpy(action->verdict.member_id.bytes, packed.data + at, 8);
        action->verdict.state = packed.data[at + 8];
        action->verdict.reason = packed.data[at + 9];
        action->verdict.round_trip_ms = load_be16(packed.data + at + 10);
        action->verdict.age_ms = load_be32(packed.data + at + 12);
    }
}

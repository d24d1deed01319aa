/* Verdicts about members, shared with the peers: not in the log, the newest batch counts
 * (replication.md 11.3). Each batch names the one before it and each heartbeat the last one, so
 * a lost batch is noticed and the whole table asked for. While nothing is lost, a heartbeat
 * says that all that was sent still holds. */
#include "replication/core_internal.h"

#include "lbnode/model/verdict_board.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* member key 8, state and rate 1, reason 1, round trip u16, age ms u32, status u16, age of
     * the last probe ms u32 */
    VERDICT_SIZE = 22,
    VERDICT_STATE_BITS = 0x0f,
    VERDICT_LAST_FAILED = 0x40,
    VERDICT_IS_RARE = 0x80,
    VERDICTS_PER_BATCH = 46, /* fit into a datagram */
    WANTED_GAP_MS = 2000,
    ANSWER_GAP_MS = 1000,
    /* A heartbeat may overtake the batch that it names. */
    HEARTBEATS_THAT_DIFFER = 2
};

static void pack(const struct shared_verdict *verdict, uint8_t out[VERDICT_SIZE])
{
    memcpy(out, verdict->member_id.bytes, 8);
    out[8] = (uint8_t)(verdict->state | (verdict->rare ? VERDICT_IS_RARE : 0) |
                       (verdict->last_failed ? VERDICT_LAST_FAILED : 0));
    out[9] = verdict->reason;
    store_be16(out + 10, verdict->round_trip_ms);
    store_be32(out + 12, verdict->age_ms);
    store_be16(out + 16, verdict->status);
    store_be32(out + 18, verdict->probe_age_ms);
}

static struct shared_verdict unpack(const uint8_t in[VERDICT_SIZE])
{
    struct shared_verdict verdict = {
        .state = in[8] & VERDICT_STATE_BITS,
        .rare = (in[8] & VERDICT_IS_RARE) != 0,
        .last_failed = (in[8] & VERDICT_LAST_FAILED) != 0,
        .reason = in[9],
        .round_trip_ms = load_be16(in + 10),
        .age_ms = load_be32(in + 12),
        .status = load_be16(in + 16),
        .probe_age_ms = load_be32(in + 18),
    };
    memcpy(verdict.member_id.bytes, in, 8);
    return verdict;
}

static void send_batch(struct core *core,
                       struct peer *peer,
                       struct bytes packed,
                       bool whole,
                       struct core_actions *actions)
{
    struct wire_writer body = {0};
    wire_put_varint(&body, 1, core->incarnation);
    wire_put_varint(&body, 2, core->health_seq);
    wire_put_bytes(&body, 3, packed);
    if (peer->verdicts.sent > 0)
        wire_put_varint(&body, 4, peer->verdicts.sent);
    if (whole)
        wire_put_varint(&body, 5, 1);
    peer->verdicts.sent = core->health_seq;
    core_act_send(actions, &peer->id, FRAME_HEALTH, &body);
}

void core_publish_verdicts(struct core *core,
                           const struct core_event *event,
                           struct core_actions *actions)
{
    for (size_t first = 0; first < event->verdict_count; first += VERDICTS_PER_BATCH) {
        uint8_t packed[VERDICTS_PER_BATCH * VERDICT_SIZE];
        size_t count = 0;
        for (; count < VERDICTS_PER_BATCH && first + count < event->verdict_count; count++)
            pack(&event->verdicts[first + count], packed + count * VERDICT_SIZE);
        core->health_seq++;
        for (size_t p = 0; p < core->peer_count; p++)
            send_batch(core, core->peers[p], (struct bytes){packed, count * VERDICT_SIZE},
                       false, actions);
    }
}

void core_send_all_verdicts(struct core *core,
                            const struct core_event *event,
                            struct core_actions *actions)
{
    struct peer *peer = core_peer(core, &event->node);
    uint8_t *packed = peer ? malloc(event->verdict_count * VERDICT_SIZE + 1) : NULL;
    if (!packed)
        return;
    for (size_t i = 0; i < event->verdict_count; i++)
        pack(&event->verdicts[i], packed + i * VERDICT_SIZE);
    core->health_seq++;
    send_batch(core, peer, (struct bytes){packed, event->verdict_count * VERDICT_SIZE}, true,
               actions);
    free(packed);
}

/* ---- from a peer --------------------------------------------------------------------------
 */

struct batch {
    uint64_t incarnation, seq, before;
    bool whole;
    struct bytes packed;
};

static bool states_are_known(struct bytes packed)
{
    for (size_t at = 0; at < packed.size; at += VERDICT_SIZE)
        if ((packed.data[at + 8] & VERDICT_STATE_BITS) > VERDICT_ERROR)
            return false;
    return true;
}

static bool parse_batch(struct bytes body, struct batch *out)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    *out = (struct batch){0};
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1: out->incarnation = field.integer; break;
        case 2: out->seq = field.integer; break;
        case 3: out->packed = field.bytes; break;
        case 4: out->before = field.integer; break;
        case 5: out->whole = field.integer == 1; break;
        }
    }
    return wire_ended(&reader) && out->packed.size % VERDICT_SIZE == 0 &&
           out->packed.size / VERDICT_SIZE <= VERDICTS_MAXIMUM && states_are_known(out->packed);
}

static void want_whole(struct core *core, struct peer *peer, struct core_actions *actions)
{
    struct verdict_exchange *exchange = &peer->verdicts;
    uint64_t now_us = core->now.mono_us;
    exchange->whole = false;
    exchange->differs = 0;
    if (exchange->wanted_us > 0 && now_us - exchange->wanted_us < WANTED_GAP_MS * MS)
        return;
    exchange->wanted_us = now_us;
    core_act_send(actions, &peer->id, FRAME_HEALTH_WANTED, &(struct wire_writer){0});
}

/* False: it is older than what is here. */
static bool take_number(struct core *core, struct peer *peer, const struct batch *batch)
{
    struct verdict_exchange *exchange = &peer->verdicts;
    bool restarted = batch->incarnation > exchange->incarnation;
    if (batch->incarnation < exchange->incarnation ||
        (!restarted && batch->seq <= exchange->taken))
        return false;
    if (restarted || batch->whole)
        exchange->whole = batch->whole || batch->before == 0;
    else if (batch->before != exchange->taken)
        exchange->whole = false;
    exchange->incarnation = batch->incarnation;
    exchange->taken = batch->seq;
    exchange->differs = 0;
    if (exchange->whole)
        exchange->confirmed_us = core->now.mono_us;
    return true;
}

void core_handle_health(struct core *core,
                        struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions)
{
    struct batch batch;
    if (!parse_batch(body, &batch) || !take_number(core, peer, &batch))
        return;
    for (size_t at = 0; at < batch.packed.size; at += VERDICT_SIZE) {
        struct core_action *action = core_act(actions, CORE_VERDICT);
        action->peer = peer->id;
        action->verdict = unpack(batch.packed.data + at);
    }
    if (!peer->verdicts.whole)
        want_whole(core, peer, actions);
}

void core_handle_health_wanted(struct core *core,
                               struct peer *peer,
                               struct core_actions *actions)
{
    uint64_t now_us = core->now.mono_us, answered_us = peer->verdicts.answered_us;
    if (answered_us > 0 && now_us - answered_us < ANSWER_GAP_MS * MS)
        return;
    peer->verdicts.answered_us = now_us;
    core_act(actions, CORE_VERDICTS_WANTED)->peer = peer->id;
}

void core_compare_verdicts(struct core *core,
                           struct peer *peer,
                           uint64_t sent,
                           struct core_actions *actions)
{
    struct verdict_exchange *exchange = &peer->verdicts;
    if (sent == exchange->taken) {
        exchange->differs = 0;
        if (exchange->whole)
            exchange->confirmed_us = core->now.mono_us;
        else if (sent > 0)
            want_whole(core, peer, actions);
    } else if (++exchange->differs >= HEARTBEATS_THAT_DIFFER) {
        want_whole(core, peer, actions);
    }
}

uint64_t core_verdicts_ms_ago(const struct core *core, const struct peer *peer)
{
    uint64_t confirmed_us = peer->verdicts.confirmed_us;
    return confirmed_us > 0 ? (core->now.mono_us - confirmed_us) / MS : UINT64_MAX;
}

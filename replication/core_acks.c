/* Own records on their way to the peers: pushing, resending, and the acknowledgements of both
 * directions (replication.md 7.1). Frame bodies: docs/protocol.md. */
#include "replication/core_internal.h"

#include "lbnode/base/bytes.h"

/* ---- acknowledging ---------------------------------------------------------------------- */

/* The stream of PEER touched last before position BEFORE; NULL: no more. */
static const struct stream *
previous_touched(const struct core *core, const struct uuid *peer, uint64_t before)
{
    const struct stream *latest = NULL;
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        if (uuid_equal(&stream->node_id, peer) && stream->touched > 0 &&
            stream->touched < before && (!latest || stream->touched > latest->touched))
            latest = stream;
    }
    return latest;
}

/* What came of STREAM, with what waits for a commit or for something that it builds on. */
static uint64_t received_of(const struct core *core, const struct stream *stream, uint64_t *map)
{
    uint64_t waiting = 0, received = stream->seq;
    for (size_t i = 0; i < core->pending_count; i++) {
        const struct record *record = &core->pending[i].record;
        uint64_t above = record->seq - stream->seq - 1;
        if (record->stream == stream->id && record->seq > stream->seq && above < 64)
            waiting |= 1ull << above;
    }
    for (; waiting & 1; waiting >>= 1)
        received++;
    *map = waiting >> 1;
    return received;
}

static void
put_ack(const struct core *core, struct wire_writer *body, const struct stream *stream)
{
    uint64_t map, received = received_of(core, stream, &map);
    size_t mark = wire_begin(body, 1);
    wire_put_fixed64(body, 1, stream->id);
    wire_put_varint(body, 2, received);
    wire_put_varint(body, 3, vv_get(&core->durable, stream->id));
    wire_put_varint(body, 4, vv_get(&core->running, stream->id));
    if (map)
        wire_put_fixed64(body, 5, map);
    wire_end(body, mark);
}

/* Nothing when nothing is new since the last one. */
static void send_ack(struct core *core, struct peer *peer, struct core_actions *actions)
{
    struct wire_writer body = {0};
    const struct stream *stream = previous_touched(core, &peer->id, UINT64_MAX);
    peer->ack_us = 0;
    for (int count = 0; stream && count < ACK_STREAMS; count++) {
        put_ack(core, &body, stream);
        stream = previous_touched(core, &peer->id, stream->touched);
    }
    uint64_t hash = bytes_hash(body.data, body.size, 1);
    if (body.size == 0 || hash == peer->last_ack) {
        wire_writer_free(&body);
        return;
    }
    peer->last_ack = hash;
    peer->acked_us = core->now.mono_us;
    core_act_send(actions, &peer->id, FRAME_ACK, &body);
}

void core_acknowledge(struct core *core,
                      const struct uuid *id,
                      enum ack_occasion occasion,
                      struct core_actions *actions)
{
    static const uint64_t delays_us[] = {[ACK_RECEIVED] = 5000, [ACK_DURABLE] = 5000};
    const uint64_t pause_us = 2 * MS;
    struct peer *peer = core_peer(core, id);
    if (!peer)
        return;
    uint64_t due_us =
        core->now.mono_us + (occasion < ARRAY_LENGTH(delays_us) ? delays_us[occasion] : 0);
    if (occasion == ACK_ASKED)
        peer->last_ack = 0;
    if (occasion == ACK_ASKED && due_us < peer->acked_us + pause_us)
        due_us = peer->acked_us + pause_us;
    if (!peer->ack_us || due_us < peer->ack_us)
        peer->ack_us = due_us;
    if (core->now.mono_us >= peer->ack_us)
        send_ack(core, peer, actions);
}

/* ---- pushing and resending -------------------------------------------------------------- */

static void send_record(struct core *core,
                        const struct peer *peer,
                        uint64_t seq,
                        struct core_actions *actions)
{
    size_t at = seq % RECENT_RECORDS;
    struct wire_writer body = {0};
    if (core->recent[at].seq != seq)
        return;
    wire_append(&body, core->recent[at].bytes.data, core->recent[at].bytes.size);
    core_act_send(actions, &peer->id, FRAME_RECORD, &body);
}

static uint64_t first_resend_us(const struct peer *peer)
{
    uint64_t patient = 3 * peer->rtt_us;
    return patient > 25 * MS ? patient : 25 * MS;
}

/* Expects an answer about own records up to SEQ. A steady flow of later ones does not put the
 * resend off. */
static void expect_ack(struct core *core, struct peer *peer, uint64_t seq)
{
    peer->resend_tries = 0;
    peer->resend_asks = false;
    peer->resend_upto = seq;
    peer->resend_us = core->now.mono_us + first_resend_us(peer);
    peer->resend_armed_us = core->now.mono_us;
}

/* The peer has this much of the own stream, if perhaps not on disk. */
static uint64_t received_by(const struct core *core, const struct peer *peer)
{
    uint64_t durable = vv_get(&peer->durable, core->own_stream);
    return durable > peer->received ? durable : peer->received;
}

/* What is durable here and has room on the way to PEER. To one who is too far behind only the
 * newest goes: it sees the gap, and asks for all of it. */
static void push(struct core *core, struct peer *peer, struct core_actions *actions)
{
    uint64_t want = vv_get(&core->durable, core->own_stream), have = received_by(core, peer);
    uint64_t before = peer->pushed;
    if (peer->pushed < have)
        before = peer->pushed = have;
    if (want > peer->pushed + RECENT_RECORDS) {
        peer->pushed = want;
        send_record(core, peer, want, actions);
    }
    while (peer->pushed < want && peer->pushed < have + RESEND_WINDOW) {
        send_record(core, peer, ++peer->pushed, actions);
        core->recent[peer->pushed % RECENT_RECORDS].pushed_us = core->now.mono_us;
    }
    bool asks_later =
        peer->resend_asks && peer->resend_us > core->now.mono_us + first_resend_us(peer);
    if (peer->pushed > before &&
        (!peer->resend_us || asks_later || peer->resend_armed_us == core->now.mono_us))
        expect_ack(core, peer, peer->pushed);
}

void core_push(struct core *core, struct core_actions *actions)
{
    for (size_t i = 0; core->own_stream && i < core->peer_count; i++)
        if (core_peer_is_alive(core->peers[i]))
            push(core, core->peers[i], actions);
}

void core_forget_pushes(struct core *core)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = core->peers[i];
        peer->pushed = peer->received = peer->received_map = peer->resend_us = 0;
    }
}

void core_follow_ack(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const uint64_t commit_us = 50 * MS;
    uint64_t durable = vv_get(&peer->durable, core->own_stream);
    if (peer->resend_us && durable >= peer->resend_upto) {
        peer->resend_us = 0;
        if (durable < peer->pushed)
            expect_ack(core, peer, peer->pushed);
    } else if (peer->resend_us && !peer->resend_asks &&
               received_by(core, peer) >= peer->resend_upto) {
        peer->resend_asks = true;
        peer->resend_us = core->now.mono_us + commit_us;
    }
    if (core->own_stream && core_peer_is_alive(peer) && peer->pushed > 0)
        push(core, peer, actions);
}

static bool is_received(const struct peer *peer, uint64_t seq)
{
    uint64_t above = seq - peer->received - 2;
    return seq > peer->received + 1 && above < 64 && (peer->received_map >> above & 1);
}

/* What did not arrive; when all did, an empty ACK asks whether it is on disk. */
static void send_again(struct core *core, const struct peer *peer, struct core_actions *actions)
{
    struct wire_writer question = {0};
    uint64_t have = received_by(core, peer);
    if (have >= peer->resend_upto)
        core_act_send(actions, &peer->id, FRAME_ACK, &question);
    else if (peer->resend_upto > have + RECENT_RECORDS)
        send_record(core, peer, peer->resend_upto, actions);
    for (uint64_t seq = have + 1; seq <= peer->resend_upto && seq <= have + RESEND_WINDOW;
         seq++)
        if (!is_received(peer, seq))
            send_record(core, peer, seq, actions);
}

/* Takes in what was pushed later, but not just now. */
static void cover_more(const struct core *core, struct peer *peer)
{
    bool settled = received_by(core, peer) >= peer->resend_upto;
    uint64_t upto = peer->resend_upto, patient_us = first_resend_us(peer);
    while (upto < peer->pushed &&
           core->recent[(upto + 1) % RECENT_RECORDS].pushed_us + patient_us <=
               core->now.mono_us)
        upto++;
    if (upto == peer->resend_upto)
        return;
    peer->resend_upto = upto;
    if (settled) { /* nothing was amiss until now */
        peer->resend_tries = 0;
        peer->resend_asks = false;
    }
}

static void resend(struct core *core, struct peer *peer, struct core_actions *actions)
{
    cover_more(core, peer);
    if (peer->resend_tries >= RESEND_TRIES || !core_peer_is_alive(peer)) {
        peer->resend_us = 0; /* the rest is for comparing vectors */
        return;
    }
    send_again(core, peer, actions);
    /* One lost packet in three is bad, but still a network: five copies at the first pace. */
    unsigned doublings = peer->resend_tries < 4 ? 0 : peer->resend_tries / 2 - 1;
    uint64_t delay_us = first_resend_us(peer) << (doublings < 4 ? doublings : 4);
    if (delay_us > 250 * MS)
        delay_us = 250 * MS;
    peer->resend_tries++;
    peer->resend_us = core->now.mono_us + delay_us * 9 / 10 +
                      random_sequence_below(&core->random, delay_us / 5);
}

/* ---- what peers acknowledge ------------------------------------------------------------- */

static void handle_ack_entry(const struct core *core, struct peer *peer, struct bytes in)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    uint64_t values[6] = {0};
    while (wire_next(&reader, &field))
        if (field.number <= 5 && field.type != WIRE_BYTES)
            values[field.number] = field.integer;
    if (!wire_ended(&reader) || !core_stream(core, values[1]))
        return;
    peer->durable_dirty |= vv_raise(&peer->durable, values[1], values[3]);
    vv_raise(&peer->running, values[1], values[4]);
    if (values[1] == core->own_stream && values[2] >= peer->received &&
        values[2] <= vv_get(&core->durable, values[1])) {
        peer->received = values[2];
        peer->received_map = values[5];
    }
}

void core_handle_ack(struct core *core,
                     struct peer *peer,
                     struct bytes body,
                     struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    if (body.size == 0)
        core_acknowledge(core, &peer->id, ACK_ASKED, actions);
    for (int entries = 0; wire_next(&reader, &field) && entries < VV_MAXIMUM_ENTRIES; entries++)
        if (field.number == 1 && field.type == WIRE_BYTES)
            handle_ack_entry(core, peer, field.bytes);
    core_follow_ack(core, peer, actions);
    core_check_answers(core, actions);
}

void core_tick_acks(struct core *core, struct peer *peer, struct core_actions *actions)
{
    if (peer->resend_us && core->now.mono_us >= peer->resend_us)
        resend(core, peer, actions);
    if (peer->ack_us && core->now.mono_us >= peer->ack_us)
        send_ack(core, peer, actions);
}

uint64_t core_next_ack_us(const struct peer *peer, uint64_t next_us)
{
    if (peer->resend_us && peer->resend_us < next_us)
        next_us = peer->resend_us;
    if (peer->ack_us && peer->ack_us < next_us)
        next_us = peer->ack_us;
    return next_us;
}

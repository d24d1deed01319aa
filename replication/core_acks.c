/* Own records on their way to the peers: pushing, resending, and the acknowledgements of both
 * directions (replication.md 7.1). Frame bodies: docs/protocol.md. */
#include "replication/core_internal.h"

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

static void
put_ack(const struct core *core, struct wire_writer *body, const struct stream *stream)
{
    size_t mark = wire_begin(body, 1);
    wire_put_fixed64(body, 1, stream->id);
    wire_put_varint(body, 2, stream->seq);
    wire_put_varint(body, 3, vv_get(&core->durable, stream->id));
    wire_put_varint(body, 4, vv_get(&core->running, stream->id));
    wire_end(body, mark);
}

/* What of the peer's own streams is safe and running here. */
static void send_ack(struct core *core, struct peer *peer, struct core_actions *actions)
{
    struct wire_writer body = {0};
    const struct stream *stream = previous_touched(core, &peer->id, UINT64_MAX);
    peer->ack_us = 0;
    for (int count = 0; stream && count < ACK_STREAMS; count++) {
        put_ack(core, &body, stream);
        stream = previous_touched(core, &peer->id, stream->touched);
    }
    if (body.size == 0)
        return;
    peer->acked_us = core->now.mono_us;
    core_act_send(actions, &peer->id, FRAME_ACK, &body);
}

/* At once, unless one has just left: then shortly, for all that happened meanwhile. */
void core_acknowledge(struct core *core, const struct uuid *id, struct core_actions *actions)
{
    const uint64_t pause_us = 2 * MS;
    struct peer *peer = core_peer(core, id);
    if (!peer || peer->ack_us)
        return;
    if (core->now.mono_us >= peer->acked_us + pause_us)
        send_ack(core, peer, actions);
    else
        peer->ack_us = peer->acked_us + pause_us;
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

/* Expects an answer about own records up to SEQ. Later ones wait for the next round, so that a
 * steady flow of changes neither puts a resend off nor repeats what has just left. */
static void expect_ack(struct core *core, struct peer *peer, uint64_t seq)
{
    peer->resend_tries = 0;
    peer->resend_upto = seq;
    peer->resend_us = core->now.mono_us + first_resend_us(peer);
    peer->resend_armed_us = core->now.mono_us;
}

/* The record SEQ of the own stream is durable: to everybody who can hear, at once. */
void core_push(struct core *core, uint64_t seq, struct core_actions *actions)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = core->peers[i];
        if (!core_peer_is_alive(peer))
            continue;
        send_record(core, peer, seq, actions);
        if (!peer->resend_us || peer->resend_armed_us == core->now.mono_us)
            expect_ack(core, peer, seq);
    }
}

/* The peer has more than before: on to what was pushed meanwhile. */
void core_follow_ack(struct core *core, struct peer *peer)
{
    uint64_t have = vv_get(&peer->durable, core->own_stream);
    uint64_t want = vv_get(&core->durable, core->own_stream);
    if (!peer->resend_us || have < peer->resend_upto)
        return;
    if (have < want)
        expect_ack(core, peer, want);
    else
        peer->resend_us = 0;
}

static void resend(struct core *core, struct peer *peer, struct core_actions *actions)
{
    uint64_t have = vv_get(&peer->durable, core->own_stream);
    if (peer->resend_tries >= RESEND_TRIES || !core_peer_is_alive(peer)) {
        peer->resend_us = 0; /* the rest is for comparing vectors */
        return;
    }
    for (uint64_t seq = have + 1; seq <= peer->resend_upto && seq <= have + RESEND_WINDOW;
         seq++)
        send_record(core, peer, seq, actions);
    /* Each delay twice, then double: one lost packet in three is bad, but still a network. */
    unsigned doublings = peer->resend_tries < 8 ? peer->resend_tries / 2 : 4;
    uint64_t delay = first_resend_us(peer) << doublings;
    peer->resend_tries++;
    peer->resend_us = core->now.mono_us + (delay < 250 * MS ? delay : 250 * MS);
}

/* ---- what peers acknowledge ------------------------------------------------------------- */

static void handle_ack_entry(struct peer *peer, struct bytes in)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    uint64_t values[5] = {0};
    while (wire_next(&reader, &field))
        if (field.number <= 4 && field.type != WIRE_BYTES)
            values[field.number] = field.integer;
    if (!wire_ended(&reader) || values[1] == 0)
        return;
    peer->durable_dirty |= vv_raise(&peer->durable, values[1], values[3]);
    vv_raise(&peer->running, values[1], values[4]);
}

void core_handle_ack(struct core *core,
                     struct peer *peer,
                     struct bytes body,
                     struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    for (int entries = 0; wire_next(&reader, &field) && entries < VV_MAXIMUM_ENTRIES; entries++)
        if (field.number == 1 && field.type == WIRE_BYTES)
            handle_ack_entry(peer, field.bytes);
    core_follow_ack(core, peer);
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

/* Peers: who is alive (replication.md 10), comparing vectors and pulling what is missing (7.2).
 * Frame bodies: docs/protocol.md. */
#include "replication/core_internal.h"

#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    SUSPECT_AFTER = 5, /* missed intervals */
    UNREACHABLE_AFTER = 15
};

static const uint64_t pull_limit_us = 2000000;

/* ---- sending ---------------------------------------------------------------------------- */

static void send_heartbeat(struct core *core, struct peer *peer, struct core_actions *actions)
{
    struct wire_writer body = {0};
    wire_put_varint(&body, 1, core->now.mono_us);
    if (peer->their_sent_us) {
        wire_put_varint(&body, 2, peer->their_sent_us);
        wire_put_varint(&body, 3, core->now.mono_us - peer->their_sent_at_us);
    }
    wire_put_varint(&body, 4, core->now.wall_ms);
    wire_put_fixed64(&body, 5, core->digest);
    if (core_refresh_hash(core))
        wire_put_bytes(&body, 6, (struct bytes){core->state_hash, 8});
    if (core->storage_problem[0])
        wire_put_varint(&body, 7, 1);
    core_put_liveness(core, &body);
    if (peer->verdicts.sent > 0)
        wire_put_varint(&body, 13, peer->verdicts.sent);
    core_act_send(actions, &peer->id, FRAME_HEARTBEAT, &body);
    uint64_t interval = core_heartbeat_interval_us(core);
    uint64_t jitter = random_sequence_below(&core->random, interval / 5);
    peer->next_heartbeat_us = core->now.mono_us + interval * 9 / 10 + jitter;
}

void core_greet(struct core *core, const struct uuid *id, struct core_actions *actions)
{
    struct peer *peer = core_peer(core, id);
    if (peer && core->initialised && !core->removed)
        send_heartbeat(core, peer, actions);
}

/* How long a datagram and its answer are waited for: 25 ms or three round trips, each time
 * twice as long, a quarter of a second at most. */
static uint64_t resend_delay_us(const struct peer *peer, unsigned tries)
{
    const uint64_t least = 25 * MS, most = 250 * MS;
    uint64_t first = 3 * peer->rtt_us > least ? 3 * peer->rtt_us : least;
    uint64_t delay = first << (tries < 4 ? tries : 4);
    return delay < most ? delay : most;
}

static void send_vector(struct core *core,
                        struct peer *peer,
                        bool wants_reply,
                        struct core_actions *actions)
{
    struct wire_writer body = {0};
    core_put_vector(core, peer, wants_reply, &body);
    core_act_send(actions, &peer->id, FRAME_VV, &body);
}

/* Asked again until it answers: a lost datagram must not cost a second. */
static void ask_vector(struct core *core, struct peer *peer, struct core_actions *actions)
{
    peer->vector_tries = 0;
    peer->vector_resend_us = core->now.mono_us + resend_delay_us(peer, 0);
    send_vector(core, peer, true, actions);
}

static void ask_vector_again(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const unsigned most = 6;
    if (++peer->vector_tries > most || !core_peer_is_alive(peer)) {
        peer->vector_resend_us = 0;
        return;
    }
    peer->vector_resend_us = core->now.mono_us + resend_delay_us(peer, peer->vector_tries);
    send_vector(core, peer, true, actions);
}

static void send_pull(struct core *core, struct peer *peer, struct core_actions *actions)
{
    struct wire_writer body = {0};
    struct vv have = {0};
    vv_copy(&have, &core->applied);
    for (size_t i = 0; i < core->stream_count; i++)
        if (core->streams[i]->folded)
            vv_raise(&have, core->streams[i]->id, core->streams[i]->seq);
    vv_put(&body, 1, &have);
    wire_put_fixed64(&body, 2, peer->pull_number);
    vv_free(&have);
    peer->pulled_us = core->now.mono_us;
    peer->pull_resend_us = core->now.mono_us + resend_delay_us(peer, peer->pull_tries);
    core_act_send(actions, &peer->id, FRAME_PULL, &body);
}

void core_request_pull(struct core *core, struct peer *peer, struct core_actions *actions)
{
    if (core->now.mono_us < peer->pull_until_us || core->unwritten.bytes >= UNWRITTEN_BYTES ||
        core->intake || core->now.mono_us < peer->unwanted_until_us)
        return;
    peer->pull_until_us = core->now.mono_us + pull_limit_us;
    peer->pull_again = false;
    peer->pull_number = random_sequence_next(&core->random) | 1;
    peer->pull_tries = 0;
    send_pull(core, peer, actions);
}

/* The same question: who has it already does not answer twice. */
static void pull_again(struct core *core, struct peer *peer, struct core_actions *actions)
{
    if (core->now.mono_us >= peer->pull_until_us || core->intake) {
        peer->pull_resend_us = 0;
        return;
    }
    peer->pull_tries++;
    send_pull(core, peer, actions);
}

/* ---- heartbeats ------------------------------------------------------------------------- */

struct heartbeat {
    uint64_t sent_us, echo_us, echo_delay_us, wall_ms, digest, hash, verdicts_sent;
    bool has_hash, storage_trouble;
};

static bool parse_heartbeat(struct bytes in, struct heartbeat *out)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    *out = (struct heartbeat){0};
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1: out->sent_us = field.integer; break;
        case 2: out->echo_us = field.integer; break;
        case 3: out->echo_delay_us = field.integer; break;
        case 4: out->wall_ms = field.integer; break;
        case 5: out->digest = field.integer; break;
        case 6:
            if (field.type != WIRE_BYTES || field.bytes.size != 8)
                return false;
            out->hash = load_be64(field.bytes.data);
            out->has_hash = true;
            break;
        case 7: out->storage_trouble = field.integer == 1; break;
        case 13: out->verdicts_sent = field.integer; break;
        }
    }
    return wire_ended(&reader) && out->sent_us != 0;
}

/* How far THEIRS is ahead. What a peer says may be any number: beyond what JSON carries
 * exactly, 100000 years, it is as good as that. */
static int64_t clock_offset_ms(uint64_t theirs_ms, uint64_t own_ms)
{
    const uint64_t most_ms = 1ull << 52;
    bool ahead = theirs_ms > own_ms;
    uint64_t apart_ms = ahead ? theirs_ms - own_ms : own_ms - theirs_ms;
    int64_t bounded_ms = (int64_t)(apart_ms < most_ms ? apart_ms : most_ms);
    return ahead ? bounded_ms : -bounded_ms;
}

static void measure(struct core *core,
                    struct peer *peer,
                    const struct heartbeat *heartbeat,
                    struct core_actions *actions)
{
    const int64_t alarm_ms = 5000;
    uint64_t since = core->now.mono_us - heartbeat->echo_us;
    peer->their_sent_us = heartbeat->sent_us;
    peer->their_sent_at_us = core->now.mono_us;
    if (!heartbeat->echo_us || heartbeat->echo_us > core->now.mono_us ||
        heartbeat->echo_delay_us > since || since > 60 * SECOND)
        return;
    if (heartbeat->echo_us >= core->started_us && !peer->in_session)
        peer->in_session = core->has_news = true;
    uint64_t rtt = since - heartbeat->echo_delay_us;
    peer->rtt_us = peer->rtt_us ? (7 * peer->rtt_us + rtt) / 8 : rtt;
    peer->offset_ms = clock_offset_ms(heartbeat->wall_ms, core->now.wall_ms) +
                      (int64_t)(peer->rtt_us / (2 * MS));
    bool skewed = peer->offset_ms > alarm_ms || peer->offset_ms < -alarm_ms;
    if (skewed && !peer->skew_reported)
        core_act_event(actions, EVENT_CLOCK_SKEW, "the clock of %s differs by %lld ms",
                       core_node_name(core, &peer->id), (long long)peer->offset_ms);
    peer->skew_reported = skewed;
}

static void check_divergence(struct core *core,
                             struct peer *peer,
                             const struct heartbeat *heartbeat,
                             struct core_actions *actions)
{
    const uint64_t patience_us = 3 * SECOND;
    bool differs = heartbeat->has_hash && heartbeat->digest == core->digest &&
                   core_refresh_hash(core) && heartbeat->hash != load_be64(core->state_hash);
    if (!differs) {
        peer->divergent_since_us = 0;
        peer->divergence_reported = false;
        return;
    }
    if (!peer->divergent_since_us)
        peer->divergent_since_us = core->now.mono_us;
    if (!peer->divergence_reported &&
        core->now.mono_us - peer->divergent_since_us > patience_us) {
        peer->divergence_reported = true;
        core_act_event(actions, EVENT_DIVERGENCE, "%s has the same changes but other state",
                       core_node_name(core, &peer->id));
    }
}

/* Who claims more streams than there can be is believed nothing: that only delays cleaning. */
static void note_durable(struct peer *peer, const struct vv *vector)
{
    peer->durable_dirty |= vv_merge(&peer->durable, vector);
    if (peer->durable.count > VV_MAXIMUM_ENTRIES)
        vv_free(&peer->durable);
}

/* A difference that lasts longer than a push takes is settled by comparing vectors. */
static void compare_digest(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const uint64_t settle_us = 250 * MS;
    if (peer->digest == core->digest) {
        peer->differs_since_us = 0;
        peer->exchange_delay_us = 0;
        peer->next_exchange_us = 0;
        note_durable(peer, &core->shown);
        if (!vv_equal(&peer->reported, &core->shown))
            vv_copy(&peer->reported, &core->shown);
        core_follow_ack(core, peer, actions);
        return;
    }
    if (!peer->differs_since_us)
        peer->differs_since_us = core->now.mono_us;
    if (core->now.mono_us - peer->differs_since_us < settle_us ||
        core->now.mono_us < peer->next_exchange_us)
        return;
    uint64_t delay = peer->exchange_delay_us ? peer->exchange_delay_us * 2 : SECOND;
    peer->exchange_delay_us = delay < 15 * SECOND ? delay : 15 * SECOND;
    peer->next_exchange_us = core->now.mono_us + peer->exchange_delay_us / 2 +
                             random_sequence_below(&core->random, peer->exchange_delay_us);
    ask_vector(core, peer, actions);
}

static void handle_heartbeat(struct core *core,
                             struct peer *peer,
                             struct bytes body,
                             struct core_actions *actions)
{
    struct heartbeat heartbeat;
    if (!parse_heartbeat(body, &heartbeat))
        return;
    measure(core, peer, &heartbeat, actions);
    if (!heartbeat.echo_us) /* it has just started: it waits for an answer to this */
        peer->next_heartbeat_us = core->now.mono_us;
    core_take_liveness(core, peer, body);
    core_tell_outlook(core, actions);
    peer->digest = heartbeat.digest;
    peer->storage_trouble = heartbeat.storage_trouble;
    if (heartbeat.has_hash) {
        peer->hash = heartbeat.hash;
        peer->hash_digest = heartbeat.digest;
    }
    core_compare_verdicts(core, peer, heartbeat.verdicts_sent, actions);
    compare_digest(core, peer, actions);
    check_divergence(core, peer, &heartbeat, actions);
    core_check_answers(core, actions);
}

/* ---- vectors, acknowledgements, pulls --------------------------------------------------- */

/* Does THEIRS have something that counts and is not here? */
static bool lacks_some_of(const struct core *core, const struct vv *theirs)
{
    for (size_t i = 0; i < theirs->count; i++) {
        const struct dot *dot = &theirs->entries[i];
        const struct stream *stream = core_stream(core, dot->stream);
        uint64_t have = vv_get(&core->applied, dot->stream);
        /* Of what is believed to be void a peer may know better. */
        bool may = !stream || stream->seq == 0 || have < core_cutoff(core, stream) ||
                   core_may_lift(core, stream);
        if (dot->seq > have && may && !(stream && stream->refused))
            return true;
    }
    return false;
}

static void handle_vector(struct core *core,
                          struct peer *peer,
                          struct bytes body,
                          struct core_actions *actions)
{
    struct vector_frame theirs;
    if (!core_take_vector(core, peer, body, &theirs))
        return;
    note_durable(peer, &theirs.vector);
    if (theirs.is_complete)
        vv_copy(&peer->reported, &theirs.vector); /* maybe less: its disk is an older one */
    core_follow_ack(core, peer, actions);
    if (lacks_some_of(core, &theirs.vector))
        core_request_pull(core, peer, actions);
    vv_free(&theirs.vector);
    peer->vector_resend_us = 0;
    if (theirs.wants_reply)
        send_vector(core, peer, false, actions);
    core_check_answers(core, actions);
}

static uint64_t number_of(struct bytes body)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    uint64_t number = 0;
    while (wire_next(&reader, &field))
        if (field.number == 2 && field.type == WIRE_FIXED64)
            number = field.integer;
    return number;
}

/* With records, or with a snapshot if that is too much, or no longer possible. While a new
 * state is being committed, the store may have it already and memory not: the peer asks again.
 */
static void handle_pull(struct core *core,
                        struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions)
{
    struct vv have;
    uint64_t number = number_of(body);
    if ((core->intake && core->intake->state == INTAKE_COMMITTING) ||
        (number && number == peer->answered_pull) || !vv_parse(body, 1, &have))
        return;
    peer->answered_pull = number;
    struct core_action *action = core_act(
        actions, core_needs_snapshot(core, &have) ? CORE_SEND_SNAPSHOT : CORE_SEND_RECORDS);
    action->peer = peer->id;
    action->token = number;
    action->body = memory_copy(body.data, body.size);
    action->body_size = body.size;
    vv_free(&have);
}

static void handle_pull_end(struct core *core,
                            struct peer *peer,
                            struct bytes body,
                            struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    uint64_t number = number_of(body);
    if (number && number != peer->pull_number)
        return;
    peer->pull_until_us = peer->pull_resend_us = 0;
    while (wire_next(&reader, &field))
        if (field.number == 1)
            peer->pull_again = field.integer == 1;
    core_take_void_streams(core, body);
    core->pending_dirty |= core_has_arrivals(core); /* more do not come for now */
    if (peer->pull_again && !core_has_arrivals(core) && !core->committing)
        core_request_pull(core, peer, actions);
}

/* ---- nodes that are out ----------------------------------------------------------------- */

/* A removed node learns it from a peer that it still trusts. */
static void handle_notice(struct core *core,
                          const struct peer *peer,
                          struct bytes body,
                          struct core_actions *actions)
{
    if (body.size != 16 || memcmp(body.data, core->node_id.bytes, 16) != 0 || core->removed)
        return;
    core->removed = true;
    core_act_event(actions, EVENT_NODE_REMOVED, "%s says that this node was removed",
                   core_node_name(core, &peer->id));
    core_act(actions, CORE_LEFT);
}

static void
tell_removed(struct core *core, const struct uuid *sender, struct core_actions *actions)
{
    const struct roster_node *node = roster_find(&core->roster, sender);
    struct wire_writer body = {0};
    if (!node || node->status == NODE_ACTIVE || uuid_equal(sender, &core->node_id))
        return;
    wire_append(&body, sender->bytes, sizeof(sender->bytes));
    core_act_send(actions, sender, FRAME_ROSTER_NOTICE, &body);
}

/* ---- events ----------------------------------------------------------------------------- */

/* Any verified packet counts as a sign of life. */
static void note_heard(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const uint64_t hour_ms = 3600000;
    bool was_alive = core_peer_is_alive(peer);
    peer->heard = true;
    peer->last_heard_us = core->now.mono_us;
    peer->durable_dirty |= core->now.wall_ms / hour_ms != peer->seen_wall_ms / hour_ms;
    peer->seen_wall_ms = core->now.wall_ms;
    peer->state = PEER_IS_ALIVE;
    if (was_alive)
        return;
    core_act_event(actions, EVENT_PEER_ALIVE, "node %s answers",
                   core_node_name(core, &peer->id));
    peer->exchange_delay_us = 0;
    peer->next_exchange_us = 0;
    peer->pull_until_us = 0;
    peer->next_heartbeat_us = core->now.mono_us;
    ask_vector(core, peer, actions);
}

void core_frame(struct core *core, const struct core_event *event, struct core_actions *actions)
{
    struct peer *peer = core_peer(core, &event->node);
    if (!core->initialised || core->removed)
        return;
    if (!peer) {
        if (event->frame_type == FRAME_HEARTBEAT)
            tell_removed(core, &event->node, actions);
        return;
    }
    if (event->frame_type == FRAME_LEAVE) {
        peer->last_heard_us = 0;
        return;
    }
    note_heard(core, peer, actions);
    switch (event->frame_type) {
    case FRAME_HEARTBEAT: handle_heartbeat(core, peer, event->body, actions); break;
    case FRAME_VV: handle_vector(core, peer, event->body, actions); break;
    case FRAME_RECORD: core_receive_record(core, event->body, &peer->id, actions); break;
    case FRAME_ACK: core_handle_ack(core, peer, event->body, actions); break;
    case FRAME_PULL: handle_pull(core, peer, event->body, actions); break;
    case FRAME_PULL_END: handle_pull_end(core, peer, event->body, actions); break;
    case FRAME_HEALTH: core_handle_health(core, peer, event->body, actions); break;
    case FRAME_HEALTH_WANTED: core_handle_health_wanted(core, peer, actions); break;
    case FRAME_SWITCH: core_handle_switch(core, peer, event->body, actions); break;
    case FRAME_PROBE: core_handle_probe(core, peer, event->body, actions); break;
    case FRAME_ROSTER_NOTICE: handle_notice(core, peer, event->body, actions); break;
    case SNAPSHOT_BEGIN:
    case SNAPSHOT_STREAM:
    case SNAPSHOT_RECORD:
    case SNAPSHOT_END:
        core_snapshot_part(core, peer, event->frame_type, event->body, actions);
        break;
    case FRAME_SNAPSHOT_STOP: core_snapshot_stop(peer, event->body, actions); break;
    }
}

static void age_peer(struct core *core, struct peer *peer, struct core_actions *actions)
{
    uint64_t interval = core_heartbeat_interval_us(core);
    uint64_t silence = core->now.mono_us - peer->last_heard_us;
    if (!core_peer_is_alive(peer))
        return;
    if (silence > UNREACHABLE_AFTER * interval) {
        peer->state = PEER_IS_UNREACHABLE;
        core_act_event(actions, EVENT_PEER_UNREACHABLE, "node %s does not answer",
                       core_node_name(core, &peer->id));
    } else if (silence > SUSPECT_AFTER * interval) {
        peer->state = PEER_IS_SUSPECT;
    }
}

/* Once a minute whatever the digests say: what a peer has is known from its own mouth. */
static void compare_fully(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const uint64_t interval_us = 60 * SECOND;
    if (core->now.mono_us < peer->full_exchange_us)
        return;
    if (peer->full_exchange_us && core_peer_is_alive(peer))
        ask_vector(core, peer, actions);
    peer->full_exchange_us = core->now.mono_us + interval_us * 9 / 10 +
                             random_sequence_below(&core->random, interval_us / 5);
}

void core_tick(struct core *core, struct core_actions *actions)
{
    if (!core->initialised || core->removed)
        return;
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = core->peers[i];
        age_peer(core, peer, actions);
        if (core->now.mono_us >= peer->next_heartbeat_us)
            send_heartbeat(core, peer, actions);
        compare_fully(core, peer, actions);
        if (peer->vector_resend_us && core->now.mono_us >= peer->vector_resend_us)
            ask_vector_again(core, peer, actions);
        if (peer->pull_resend_us && core->now.mono_us >= peer->pull_resend_us)
            pull_again(core, peer, actions);
        core_tick_acks(core, peer, actions);
    }
    core_expire_pending(core);
    core_snapshot_tick(core, actions);
    core_settle(core);
    core_sweep(core, actions);
    core_review_evidence(core, actions);
    core_check_answers(core, actions);
}

static uint64_t earlier(uint64_t due_us, uint64_t next)
{
    return due_us && due_us < next ? due_us : next;
}

uint64_t core_next_tick_us(const struct core *core)
{
    uint64_t next = core->now.mono_us + SECOND;
    for (size_t i = 0; i < core->peer_count && !core->removed; i++) {
        const struct peer *peer = core->peers[i];
        if (peer->next_heartbeat_us < next)
            next = peer->next_heartbeat_us;
        next = earlier(peer->vector_resend_us, next);
        next = earlier(peer->pull_resend_us, next);
        next = core_next_ack_us(peer, next);
    }
    if (!core->committing)
        next = pace_next_us(&core->own_pace, pace_next_us(&core->received_pace, next));
    uint64_t sweep = core_sweep_due_us(core);
    next = sweep < next ? sweep : next;
    if (core->awaited_count > 0 && core->now.mono_us + 20 * MS < next)
        next = core->now.mono_us + 20 * MS;
    return next;
}

/* Snapshots (replication.md 7.4): who needs one, taking one from a peer, and putting it in the
 * place of this node's own state. The new state grows beside the old one, which goes on; what
 * this node has above the snapshot is put on top of it; what it has below and the snapshot
 * lacks is gone for good. The switch is one transaction, and memory follows the disk. */
#include "replication/core_internal.h"

#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t part_limit_us = 5000000;    /* between two parts */
static const uint64_t answer_limit_us = 10000000; /* from a PULL to the first part */
static const uint64_t unwanted_us = 30000000;     /* no second one of whose was wrong */

/* ---- giving ----------------------------------------------------------------------------- */

bool core_needs_snapshot(const struct core *core, const struct vv *have)
{
    uint64_t lacking = 0;
    for (size_t i = 0; i < core->shown.count; i++) {
        const struct dot *dot = &core->shown.entries[i];
        uint64_t known = vv_get(have, dot->stream);
        lacking += dot->seq > known ? dot->seq - known : 0;
    }
    return lacking > core->snapshot_after || !core_can_answer(core, have);
}

uint64_t core_log_count(const struct core *core)
{
    uint64_t count = 0;
    for (size_t i = 0; i < core->stream_count; i++)
        count += core->streams[i]->kept;
    return count;
}

uint64_t core_clock(const struct core *core)
{
    return core->hlc;
}

bool core_snapshot_hash(struct core *core, uint8_t out[HASH_SIZE])
{
    if (core->committing || core->unwritten.count > 0)
        return false;
    facet_kept_hash(&core->facets, out);
    return true;
}

void core_hold_log(struct core *core, bool hold)
{
    if (hold)
        core->log_holds++;
    else if (core->log_holds > 0)
        core->log_holds--;
}

void core_snapshot_stop(const struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions)
{
    struct wire_reader reader = wire_reader_of(body);
    struct wire_field field;
    uint64_t transfer = 0;
    while (wire_next(&reader, &field))
        if (field.number == 1 && field.type == WIRE_FIXED64)
            transfer = field.integer;
    if (!wire_ended(&reader) || transfer == 0)
        return;
    struct core_action *action = core_act(actions, CORE_STOP_SNAPSHOT);
    action->peer = peer->id;
    action->token = transfer;
}

/* ---- taking ----------------------------------------------------------------------------- */

void core_intake_free(struct core *core)
{
    if (core->intake)
        snapshot_build_free(core->intake->build);
    free(core->intake);
    core->intake = NULL;
}

bool core_bootstrap(const struct core *core, struct bootstrap_view *out)
{
    if (!core->intake)
        return false;
    *out = (struct bootstrap_view){.from = core->intake->from,
                                   .name = core_node_name(core, &core->intake->from)};
    snapshot_build_counts(core->intake->build, &out->taken, &out->announced);
    return true;
}

static void
tell_stop(struct core *core, struct peer *peer, uint64_t transfer, struct core_actions *actions)
{
    const uint64_t pause_us = 250 * MS;
    struct wire_writer body = {0};
    if (peer->stop_us && core->now.mono_us < peer->stop_us + pause_us)
        return;
    peer->stop_us = core->now.mono_us;
    wire_put_fixed64(&body, 1, transfer);
    core_act_send(actions, &peer->id, FRAME_SNAPSHOT_STOP, &body);
}

/* Another peer gets its turn; the vectors tell which. */
static void give_up(struct core *core, const char *why, struct core_actions *actions)
{
    core_act_event(actions, EVENT_BOOTSTRAP_FAILED, "the state from %s was not taken: %s",
                   core_node_name(core, &core->intake->from), why);
    for (size_t i = 0; i < core->peer_count; i++)
        core->peers[i]->exchange_delay_us = core->peers[i]->next_exchange_us = 0;
    core_intake_free(core);
}

static void
distrust(struct core *core, struct peer *peer, const char *why, struct core_actions *actions)
{
    if (peer) {
        tell_stop(core, peer, snapshot_build_transfer(core->intake->build), actions);
        peer->unwanted_until_us = core->now.mono_us + unwanted_us;
    }
    give_up(core, why, actions);
}

static bool may_begin(const struct core *core, const struct peer *peer)
{
    const struct intake *intake = core->intake;
    return !core->storage_problem[0] && peer->pulled_us > 0 &&
           core->now.mono_us < peer->pulled_us + answer_limit_us &&
           (!intake || (intake->state == INTAKE_PARTS && uuid_equal(&intake->from, &peer->id)));
}

static struct core *empty_core(const struct core *like)
{
    struct core *core = memory_new(sizeof(*core));
    core->node_id = like->node_id;
    core->key = like->key;
    memcpy(core->key_id, like->key_id, sizeof(core->key_id));
    core->now = like->now;
    core->hlc = like->hlc;
    core_found(core, &like->genesis);
    return core;
}

static void begin(struct core *core, struct peer *peer, struct core_actions *actions)
{
    core_intake_free(core);
    core->intake = memory_new(sizeof(*core->intake));
    core->intake->build = snapshot_build_new(empty_core(core));
    core->intake->from = peer->id;
    peer->pull_until_us = peer->pull_resend_us = peer->pulled_us = 0;
    core_act_event(actions, EVENT_BOOTSTRAP_STARTED, "this node takes the state from %s",
                   core_node_name(core, &peer->id));
}

/* A living node with the same vector must have the same state. */
static const struct peer *find_objector(const struct core *core, const struct core *fresh)
{
    uint8_t hash[HASH_SIZE];
    facet_state_hash(&fresh->facets, hash);
    for (size_t i = 0; i < core->peer_count; i++) {
        const struct peer *peer = core->peers[i];
        if (core_peer_is_alive(peer) && !uuid_equal(&peer->id, &core->intake->from) &&
            peer->hash_digest == fresh->digest && peer->hash && peer->hash != load_be64(hash))
            return peer;
    }
    return NULL;
}

/* Only the end of a stream can be put on top of a snapshot. One from a node that went back
 * itself has to wait until that node has caught up. */
static bool lacks_what_is_folded(const struct core *core, const struct core *fresh)
{
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *own = core->streams[i], *taken = core_stream(fresh, own->id);
        uint64_t needed = own->folded ? own->seq : own->truncated;
        if (needed > 0 && (!taken || taken->seq < needed))
            return true;
    }
    return false;
}

static void complete(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const struct core *fresh = snapshot_build_core(core->intake->build);
    const struct peer *objector = find_objector(core, fresh);
    if (objector)
        distrust(core, peer, "another node with the same changes has another state", actions);
    else if (lacks_what_is_folded(core, fresh))
        give_up(core, "it is older than what this node has forgotten already", actions);
    else
        core->intake->state = INTAKE_READY;
}

void core_snapshot_part(struct core *core,
                        struct peer *peer,
                        uint32_t frame_type,
                        struct bytes body,
                        struct core_actions *actions)
{
    struct snapshot_part part;
    if (!snapshot_part_parse(frame_type, body, &part)) {
        if (core->intake && uuid_equal(&core->intake->from, &peer->id) &&
            core->intake->state == INTAKE_PARTS)
            distrust(core, peer, "a part of it is malformed", actions);
        return;
    }
    if (part.kind == SNAPSHOT_BEGIN && may_begin(core, peer))
        begin(core, peer, actions);
    else if (!core->intake || !uuid_equal(&core->intake->from, &peer->id) ||
             core->intake->state != INTAKE_PARTS ||
             snapshot_build_transfer(core->intake->build) != part.transfer) {
        tell_stop(core, peer, part.transfer, actions);
        return;
    }
    core->intake->part_us = core->now.mono_us;
    switch (snapshot_build_take(core->intake->build, &part, core->now)) {
    case SNAPSHOT_GOES_ON: break;
    case SNAPSHOT_COMPLETE: complete(core, peer, actions); break;
    case SNAPSHOT_IS_WRONG:
        distrust(core, peer, snapshot_build_problem(core->intake->build), actions);
        break;
    }
}

void core_snapshot_tick(struct core *core, struct core_actions *actions)
{
    const struct intake *intake = core->intake;
    if (!intake || intake->state != INTAKE_PARTS)
        return;
    if (!core_peer(core, &intake->from))
        give_up(core, "that node is no longer in the cluster", actions);
    else if (core->now.mono_us >= intake->part_us + part_limit_us)
        give_up(core, "the rest of it does not come", actions);
}

/* ---- the switch ------------------------------------------------------------------------- */

bool core_snapshot_is_ready(const struct core *core)
{
    return core->intake && core->intake->state == INTAKE_READY && !core->committing &&
           !core->storage_problem[0];
}

/* Void records are not put on top; but what builds on them is, and must not wait for them. */
static void know_void_streams(const struct core *core, struct core *fresh)
{
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *known = core->streams[i];
        if (core_cutoff(core, known) > 0 || core_stream(fresh, known->id))
            continue;
        struct stream *stream = core_stream_add(fresh, known->id);
        stream->node_id = known->node_id;
        memcpy(stream->key_id, known->key_id, sizeof(stream->key_id));
    }
}

void core_collect(struct core *core, struct core_actions *actions)
{
    struct core *fresh = snapshot_build_core(core->intake->build);
    struct vv covered = {0};
    struct wire_writer body = {0};
    for (size_t i = 0; i < fresh->stream_count; i++)
        vv_raise(&covered, fresh->streams[i]->id, fresh->streams[i]->seq);
    vv_put(&body, 1, &covered);
    vv_free(&covered);
    know_void_streams(core, fresh);
    core->intake->state = INTAKE_COLLECTING;
    core->committing = true; /* nothing else may be staged now */
    struct core_action *action = core_act(actions, CORE_COLLECT);
    action->body = body.data;
    action->body_size = body.size;
}

void core_take_kept(struct core *core, struct bytes record)
{
    if (core->intake && core->intake->state == INTAKE_COLLECTING)
        snapshot_build_keep(core->intake->build, record, core->now);
}

/* Rows about streams that the new state does not know. */
static void
drop_streams(const struct core *core, const struct core *fresh, struct store_batch *rows)
{
    for (size_t i = 0; i < core->stream_count; i++) {
        uint8_t key[9] = {(uint8_t)META_STREAM};
        if (core_stream(fresh, core->streams[i]->id))
            continue;
        store_be64(key + 1, core->streams[i]->id);
        store_batch_remove(rows, STORE_META, (struct bytes){key, sizeof(key)});
    }
}

void core_switch(struct core *core, int result, struct core_actions *actions)
{
    if (!core->intake || core->intake->state != INTAKE_COLLECTING)
        return;
    struct snapshot_build *build = core->intake->build;
    struct core *fresh = snapshot_build_core(build);
    if (result) {
        core->committing = false;
        give_up(core, "this node's own log cannot be read", actions);
        return;
    }
    for (size_t i = 0; i < fresh->stream_count; i++) {
        const struct stream *own = core_stream(core, fresh->streams[i]->id);
        fresh->streams[i]->refused |= own && own->refused;
    }
    if (fresh->hlc < core->hlc)
        fresh->hlc = core->hlc;
    core->intake->left_out = snapshot_build_finish(build);
    struct store_batch *rows = snapshot_build_rows(build);
    drop_streams(core, fresh, rows);
    core_put_peers(core, rows);
    core->intake->state = INTAKE_COMMITTING;
    core_act(actions, CORE_PERSIST)->batch = *rows;
    *rows = (struct store_batch){0};
}

/* What belongs to this process stays: peers, questions, answers, claims. */
static void adopt(struct core *core, struct core *fresh)
{
    for (size_t i = 0; i < fresh->stream_count; i++) {
        const struct stream *known = core_stream(core, fresh->streams[i]->id);
        fresh->streams[i]->touched = known ? known->touched : 0;
        fresh->streams[i]->dirty = false;
    }
#define TAKE(field)                                                                            \
    do {                                                                                       \
        __typeof__(core->field) old = core->field;                                             \
        core->field = fresh->field;                                                            \
        fresh->field = old;                                                                    \
    } while (0)
    TAKE(streams);
    TAKE(stream_count);
    TAKE(stream_capacity);
    TAKE(facets);
    TAKE(applied);
    TAKE(durable);
    TAKE(log_bytes);
#undef TAKE
    store_batch_free(&core->cleaning); /* of the old state's log */
    core->sweep.phase = SWEEP_RESTS;
    if (core->hlc < fresh->hlc)
        core->hlc = fresh->hlc;
    for (const struct change_row *row = fresh->oldest_change; row; row = row->newer)
        core_change_note(core, &row->id, row->dot);
    if (!uuid_is_zero(&fresh->last_change))
        core->last_change = fresh->last_change;
}

/* The own stream goes on where it was, or not at all. */
static void check_own_stream(struct core *core, uint64_t seq_before)
{
    const struct stream *own = core_stream(core, core->own_stream);
    if (!own || own->seq != seq_before || own->refused)
        core->own_stream = 0;
}

static void settle(struct core *core, uint64_t position_of_fresh)
{
    core->position++;
    if (core->position < position_of_fresh)
        core->position = position_of_fresh;
    core->durable_position = core->position;
    core->mark_count = 0;
    core->hash_known = core->streams_dirty = false;
    core->pending_dirty = core->pending_count > 0;
    for (size_t i = 0; i < core->peer_count; i++)
        core->peers[i]->exchange_delay_us = core->peers[i]->next_exchange_us = 0;
}

void core_snapshot_persisted(struct core *core, int result, struct core_actions *actions)
{
    struct intake *intake = core->intake;
    if (intake->state != INTAKE_COMMITTING)
        return;
    if (result) {
        give_up(core, "the store cannot be written", actions);
        return;
    }
    const struct stream *own = core_stream(core, core->own_stream);
    uint64_t own_seq = own ? own->seq : 0, taken, announced;
    struct core *fresh = snapshot_build_take_core(intake->build);
    adopt(core, fresh);
    check_own_stream(core, own_seq);
    settle(core, fresh->position);
    snapshot_build_counts(intake->build, &taken, &announced);
    core_act_event(actions, EVENT_BOOTSTRAP_DONE,
                   "this node has the state of %s (%llu changes), and its own later ones",
                   core_node_name(core, &intake->from), (unsigned long long)taken);
    if (intake->left_out > 0)
        core_act_event(actions, EVENT_BOOTSTRAP_FAILED,
                       "%zu changes of this node do not fit to the state that it took",
                       intake->left_out);
    core_free(fresh);
    core_intake_free(core);
    core_refresh_roster(core, actions);
    core_act(actions, CORE_APPLIED)->position = core->position;
}

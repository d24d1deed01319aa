/* From queued changes and received records to one batch for the store, and what follows when it
 * is durable. Memory is merged when a batch is formed; should its commit fail, the driver loads
 * the core anew from the store, so memory never stays ahead of the disk. */
#include "replication/core_closing.h"

#include "lbnode/model/field_table.h"
#include "replication/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- applying one record ---------------------------------------------------------------- */

static void mark_running(struct core *core, struct dot dot)
{
    if (core->mark_count == RUNNING_RING) {
        core->mark_first = (core->mark_first + 1) % RUNNING_RING;
        core->mark_count--;
    }
    size_t at = (core->mark_first + core->mark_count++) % RUNNING_RING;
    core->marks[at] = (struct running_mark){core->position, dot};
}

static void
note_staged(struct core *core, const struct record *record, const struct stream *stream)
{
    core->staged = memory_grow(core->staged, core->staged_count, &core->staged_capacity,
                               sizeof(*core->staged));
    struct staged *staged = &core->staged[core->staged_count++];
    *staged = (struct staged){
        .dot = {record->stream, record->seq},
        .node_id = stream->node_id,
        .op_count = record->op_count,
        .own = uuid_equal(&stream->node_id, &core->node_id),
    };
    snprintf(staged->author, sizeof(staged->author), "%.*s", (int)record->author.size,
             (const char *)record->author.data);
}

static void report_conflict(struct core_actions *actions,
                            enum facet_effect effect,
                            const struct record_op *op)
{
    char id[UUID_TEXT_SIZE];
    if (effect == FACET_WRITTEN || op->type == RESOURCE_KEY_GRANT)
        return;
    uuid_format(&op->object_id, id);
    bool opened = effect == FACET_CONFLICT_OPENED;
    core_act_event(actions, opened ? EVENT_CONFLICT_OPENED : EVENT_CONFLICT_CLOSED,
                   "object %s facet %u: %s", id, op->facet,
                   opened ? "concurrent values, see lbnode conflicts" : "one value again");
}

static void apply_ops(struct core *core,
                      const struct record *record,
                      const struct stream *stream,
                      struct store_batch *batch,
                      struct core_actions *actions)
{
    const struct facet_stamp stamp = {
        .dot = {record->stream, record->seq},
        .hlc = record->hlc,
        .wall_ms = record->wall_ms,
        .node_id = stream->node_id,
        .author = record->author,
        .context = &stream->context,
        .is_late = core_late_judge(core, record),
        .judge = core,
    };
    struct wire_reader ops = record->ops;
    struct record_op op;
    struct sayings sayings;
    core_read_sayings(core, record, &stamp, &sayings);
    while (record->makes_anew && record_next_op(&ops, &op))
        if (op.anew && op.facet == FACET_LIFE && op.type != RESOURCE_NODE &&
            core_op_counts(&sayings, &op))
            facet_end_earlier(&core->facets, &op.object_id, facet_realm_of(op.type), &stamp,
                              batch);
    ops = record->ops;
    for (uint32_t index = 0; record_next_op(&ops, &op); index++) {
        if (!core_op_counts(&sayings, &op)) {
            facet_put_dead(stamp.dot, index, batch);
            continue;
        }
        report_conflict(actions, facet_apply(&core->facets, &op, index, &stamp, batch), &op);
        core->roster_dirty |= op.type == RESOURCE_NODE;
    }
    core_sayings_free(&sayings);
}

static struct stream *stream_for(struct core *core, const struct record *record)
{
    struct stream *stream = core_stream(core, record->stream);
    if (stream && stream->seq > 0)
        return stream;
    uint8_t key[SIGN_PUBLIC_KEY_SIZE] = {0};
    core_find_key(core, &record->node_id, record->key_id, key);
    stream = stream ? stream : core_stream_add(core, record->stream);
    stream->node_id = record->node_id;
    memcpy(stream->public_key, key, sizeof(stream->public_key));
    memcpy(stream->key_id, record->key_id, sizeof(stream->key_id));
    stream->incarnation = record->incarnation;
    core_note_revocation(stream, record);
    return stream;
}

/* RECORD is verified and everything that it builds on is applied. */
static void apply_record(struct core *core,
                         const struct record *record,
                         const uint8_t hash[HASH_SIZE],
                         struct store_batch *batch,
                         struct core_actions *actions)
{
    struct stream *stream = stream_for(core, record);
    struct wire_reader deps = record->deps;
    struct dot dep;
    core_note_ahead(core, stream, record);
    while (record_next_dep(&deps, &dep))
        vv_raise(&stream->context, dep.stream, dep.seq);
    enum removal removal = core_removal_in(core, record, &stream->node_id, &stream->context);
    if (removal == REVOKES_ITSELF && stream->disowned == 0)
        stream->disowned = record->seq;
    if (removal == REMOVES_A_NODE && stream->disowned == 0)
        stream->lifted = record->seq;
    apply_ops(core, record, stream, batch, actions);
    stream->seq = record->seq;
    stream->folded = false;
    stream->kept++;
    core->log_bytes += record->whole.size;
    memcpy(stream->last_hash, hash, HASH_SIZE);
    core_stream_note_hash(stream, record->seq, hash);
    vv_raise(&core->applied, record->stream, record->seq);
    hlc_observe(&core->hlc, record->hlc, core->now.wall_ms);
    stream->touched = ++core->touches;
    stream->dirty = core->streams_dirty = true;
    core->position++;
    core->last_change = record->change_id;
    mark_running(core, (struct dot){record->stream, record->seq});
    core_put_record(batch, record);
    core_put_change(core, batch, record);
    core_change_note(core, &record->change_id, (struct dot){record->stream, record->seq});
    note_staged(core, record, stream);
    if (!core->roster_dirty)
        return;
    core_refresh_roster(core, actions);
    core_judge(core, batch, actions);
}

/* ---- received records ------------------------------------------------------------------- */

enum readiness {
    READY,
    NOT_YET,
    VOID, /* not yet, and probably never */
    NEVER
};

/* Nothing of a removed node counts beyond its cut-off, so nothing waits for that either. What
 * was once not waited for is not waited for later: should the node be in again by what somebody
 * said, perhaps nobody has it, and just the record that waits takes that back. */
static bool dep_is_met(const struct core *core, struct dot dep)
{
    uint64_t have = vv_get(&core->applied, dep.stream);
    const struct stream *stream = core_stream(core, dep.stream);
    if (have >= dep.seq)
        return true;
    return (stream && have >= core_cutoff(core, stream)) || core_goes_without(core, dep);
}

static enum readiness readiness_of(const struct core *core, const struct record *record)
{
    const struct stream *stream = core_stream(core, record->stream);
    uint64_t have = stream ? stream->seq : 0;
    if (record->seq <= have || (stream && stream->refused))
        return NEVER;
    if (record->seq > core_cutoff_of(core, record))
        return stream && core_may_lift(core, stream) ? VOID : NEVER;
    if (record->seq > have + 1)
        return NOT_YET;
    if (record->seq > 1 && memcmp(record->previous_hash, stream->last_hash, HASH_SIZE) != 0)
        return NEVER;
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    if (record->seq == 1 && !core_find_key(core, &record->node_id, record->key_id, key))
        return NEVER;
    struct wire_reader deps = record->deps;
    struct dot dep;
    while (record_next_dep(&deps, &dep))
        if (dep.stream != record->stream && !dep_is_met(core, dep))
            return NOT_YET;
    return READY;
}

bool core_apply_known(struct core *core,
                      const struct record *record,
                      bool as_void,
                      struct store_batch *batch,
                      struct core_actions *actions)
{
    uint8_t hash[HASH_SIZE];
    if (!as_void && readiness_of(core, record) != READY)
        return false;
    record_hash(record->whole, hash);
    apply_record(core, record, hash, batch, actions);
    if (as_void)
        core_judge(core, batch, actions);
    return true;
}

static void
stage_received(struct core *core, struct store_batch *batch, struct core_actions *actions)
{
    const size_t limit = core->staged_count + STAGE_RECORDS;
    bool progress = true;
    core->pending_dirty = false;
    pace_commit(&core->received_pace, core->now.mono_us);
    while (progress) {
        progress = false;
        for (size_t i = 0; i < core->pending_count;) {
            struct pending *pending = &core->pending[i];
            enum readiness readiness = readiness_of(core, &pending->record);
            if (readiness == VOID &&
                core_lift(core, core_stream(core, pending->record.stream))) {
                core_judge(core, batch, actions);
                progress = true;
            }
            if (readiness == NOT_YET || readiness == VOID) {
                i++;
                continue;
            }
            if (readiness == READY && core->staged_count >= limit) {
                core->pending_dirty = true;
                return;
            }
            if (readiness == READY) {
                apply_record(core, &pending->record, pending->hash, batch, actions);
                progress = true;
            }
            core_pending_drop(core, i);
        }
    }
}

/* ---- own changes ------------------------------------------------------------------------ */

static void remember_own(struct core *core, uint64_t seq, struct bytes bytes)
{
    size_t at = seq % RECENT_RECORDS;
    free((void *)(uintptr_t)core->recent[at].bytes.data);
    core->recent[at].seq = seq;
    core->recent[at].bytes = bytes;
}

static void open_stream(struct core *core)
{
    do
        core->own_stream = random_sequence_next(&core->random);
    while (core->own_stream == 0 || core_stream(core, core->own_stream));
    for (size_t i = 0; i < RECENT_RECORDS; i++) {
        free((void *)(uintptr_t)core->recent[i].bytes.data);
        core->recent[i].bytes = (struct bytes){0};
        core->recent[i].seq = 0;
    }
    core_forget_pushes(core);
}

/* What this node has applied since its previous record. */
static void
new_deps(const struct core *core, const struct stream *own, bool names_folded, struct vv *out)
{
    for (size_t i = 0; i < core->applied.count; i++) {
        const struct dot *dot = &core->applied.entries[i];
        const struct stream *stream = core_stream(core, dot->stream);
        if (dot->stream != core->own_stream && (names_folded || !stream || !stream->folded) &&
            (!own || vv_get(&own->context, dot->stream) < dot->seq))
            vv_raise(out, dot->stream, dot->seq);
    }
    core_add_ahead(core, own, out);
}

static bool stage_submission(struct core *core,
                             const struct submission *submission,
                             struct store_batch *batch,
                             struct core_actions *actions,
                             struct dot *out)
{
    struct vv deps = {0};
    struct bytes whole = {0};
    struct record record;
    uint8_t hash[HASH_SIZE], key_id[RECORD_KEY_ID_SIZE];
    const struct sign_key *key = submission->root ? submission->root : core->key;
    const struct stream *own = core_stream(core, core->own_stream);
    if (core->own_stream == 0 || submission->root ||
        submission->compromised || /* see core_note_revocation */
        (own && core_cutoff(core, own) != UINT64_MAX))
        open_stream(core);
    own = core_stream(core, core->own_stream);
    new_deps(core, own, core_names_folded(core, &submission->changes), &deps);
    record_key_id(sign_key_public(key), key_id);
    const struct record_draft draft = {
        .stream = core->own_stream,
        .seq = own ? own->seq + 1 : 1,
        .hlc = hlc_tick(&core->hlc, core->now.wall_ms),
        .wall_ms = core->now.wall_ms,
        .previous_hash = own ? own->last_hash : NULL,
        .deps = &deps,
        .node_id = submission->root ? core->genesis.root_id : core->node_id,
        .key_id = key_id,
        .incarnation = core->incarnation,
        .kind = submission->kind,
        .change_id = submission->change_id,
        .author = submission->author,
        .via = submission->via,
        .changes = &submission->changes,
    };
    bool built = record_build(&draft, &core->genesis.cluster_id, key, &whole) &&
                 record_parse(whole, &record);
    vv_free(&deps);
    if (!built) {
        free((void *)(uintptr_t)whole.data);
        return false;
    }
    record_hash(whole, hash);
    apply_record(core, &record, hash, batch, actions);
    remember_own(core, record.seq, whole);
    core->pending_dirty |= core->pending_count > 0; /* one of them may have waited for it */
    *out = (struct dot){record.stream, record.seq};
    if (submission->root)
        core->own_stream = 0; /* what follows is this node's again */
    return true;
}

static void await(struct core *core, const struct submission *submission, struct dot dot)
{
    core->awaited = memory_grow(core->awaited, core->awaited_count, &core->awaited_capacity,
                                sizeof(*core->awaited));
    core->awaited[core->awaited_count++] = (struct awaited){
        .token = submission->token,
        .submitted_us = submission->submitted_us,
        .change_id = submission->change_id,
        .dot = dot,
    };
}

/* Nothing was written to the object between its reading and this moment. */
static bool check_revision(const struct core *core,
                           const struct submission *submission,
                           struct error *error)
{
    return uuid_is_zero(&submission->if_object) ||
           facet_object_revision(&core->facets, &submission->if_object) ==
               submission->if_revision ||
           error_set(error, ERROR_CONFLICT,
                     "the object was changed in this moment; read it again");
}

static void stage_one(struct core *core,
                      struct submission *submission,
                      struct store_batch *batch,
                      struct core_actions *actions)
{
    const struct change_row *known = uuid_map_get(&core->changes, &submission->change_id);
    struct error error = {0};
    struct dot dot;
    if (known) {
        await(core, submission, known->dot); /* asked again: the same answer, nothing twice */
        return;
    }
    bool planned = (submission->root || core_may_sign(core, &error)) &&
                   check_revision(core, submission, &error) &&
                   (uuid_is_zero(&submission->remove_node) ||
                    core_plan_removal(core, &submission->remove_node, submission->compromised,
                                      &submission->changes, &error)) &&
                   core_complete_closings(core, &submission->changes, &error) &&
                   core_complete_revivals(core, submission, &error);
    if (planned && !stage_submission(core, submission, batch, actions, &dot))
        planned = error_set(&error, ERROR_TOO_LARGE, "the change exceeds 4 MiB");
    if (planned) {
        store_batch_append(batch, &submission->extra);
        await(core, submission, dot);
        return;
    }
    struct core_action *action = core_act(actions, CORE_ANSWER);
    action->token = submission->token;
    action->answer.change_id = submission->change_id;
    action->answer.error = error;
    snprintf(action->answer.text, sizeof(action->answer.text), "%.250s", error.text);
}

static void
stage_submissions(struct core *core, struct store_batch *batch, struct core_actions *actions)
{
    size_t taken = 0;
    pace_commit(&core->own_pace, core->now.mono_us);
    while (taken < core->submission_count && taken < STAGE_SUBMITS) {
        stage_one(core, &core->submissions[taken], batch, actions);
        core_submission_free(&core->submissions[taken++]);
    }
    core->submission_count -= taken;
    if (core->submission_count == 0)
        return;
    core->own_pace.count = core->submission_count;
    core->own_pace.since_us = core->submissions[taken].submitted_us;
    memmove(core->submissions, core->submissions + taken,
            core->submission_count * sizeof(*core->submissions));
}

/* ---- the batch -------------------------------------------------------------------------- */

void core_put_peers(struct core *core, struct store_batch *batch)
{
    for (size_t i = 0; i < core->peer_count; i++) {
        struct peer *peer = core->peers[i];
        uint8_t key[17] = {(uint8_t)META_PEER};
        struct wire_writer writer = {0};
        if (!peer->durable_dirty)
            continue;
        memcpy(key + 1, peer->id.bytes, 16);
        vv_put(&writer, 1, &peer->durable);
        wire_put_varint(&writer, 2, peer->seen_wall_ms);
        store_batch_put(batch, STORE_META, (struct bytes){key, sizeof(key)},
                        wire_written(&writer));
        wire_writer_free(&writer);
        peer->durable_dirty = false;
    }
    core_put_settled(core, batch);
    core->peers_saved_us = core->now.mono_us;
}

static void put_dirty_streams(struct core *core, struct store_batch *batch)
{
    for (size_t i = 0; core->streams_dirty && i < core->stream_count; i++) {
        if (core->streams[i]->dirty)
            core_encode_stream(core->streams[i], batch);
        core->streams[i]->dirty = false;
    }
    core->streams_dirty = false;
}

static void put_cleaning(struct core *core, struct store_batch *batch)
{
    core->cleaned = core->cleaning.count > 0;
    store_batch_append(batch, &core->cleaning);
    store_batch_free(&core->cleaning);
}

/* While the store fails, changes of others are followed in memory, so that an active node still
 * drains what it is told to drain; they count as durable only once the disk has them. */
static void stage_in_memory(struct core *core, struct core_actions *actions)
{
    size_t before = core->staged_count;
    stage_received(core, &core->unwritten, actions);
    put_dirty_streams(core, &core->unwritten);
    if (core->staged_count > before)
        core_act(actions, CORE_APPLIED)->position = core->position;
}

void core_stage(struct core *core, struct core_actions *actions)
{
    struct store_batch batch = {0};
    const uint64_t save_peers_us = 30 * SECOND;
    if (core->committing || !core->initialised)
        return;
    if (core_snapshot_is_ready(core)) {
        core_collect(core, actions);
        return;
    }
    bool probe = core->storage_problem[0] && core->now.mono_us >= core->storage_probe_us;
    if (core->storage_problem[0] && !probe) {
        stage_in_memory(core, actions);
        return;
    }
    if (probe) {
        store_batch_append(&batch, &core->unwritten);
    } else {
        if (core_wants_stage(core)) { /* what is not due yet goes along */
            stage_received(core, &batch, actions);
            stage_submissions(core, &batch, actions);
        }
        put_cleaning(core, &batch);
        put_dirty_streams(core, &batch);
        core_check_answers(core, actions);
    }
    if (core->now.mono_us >= core->peers_saved_us + save_peers_us)
        core_put_peers(core, &batch);
    if (batch.count == 0 && !probe)
        return;
    core_put_clock(core, &batch);
    core->committing = true;
    core_act(actions, CORE_PERSIST)->batch = batch;
}

/* ---- afterwards ------------------------------------------------------------------------- */

static void report_changes(const struct core *core, struct core_actions *actions)
{
    const size_t one_by_one = 16;
    if (core->staged_count > one_by_one) {
        core_act_event(actions, EVENT_CONFIG_CHANGED, "%zu changes", core->staged_count);
        return;
    }
    for (size_t i = 0; i < core->staged_count; i++)
        core_act_event(actions, EVENT_CONFIG_CHANGED, "change by %s on %s (%zu operation%s)",
                       core->staged[i].author[0] ? core->staged[i].author : "somebody",
                       core_node_name(core, &core->staged[i].node_id), core->staged[i].op_count,
                       core->staged[i].op_count == 1 ? "" : "s");
}

/* Tell the nodes whose records are now safe here. */
static void acknowledge(struct core *core, struct core_actions *actions)
{
    for (size_t p = 0; p < core->peer_count; p++)
        for (size_t i = 0; i < core->staged_count; i++)
            if (uuid_equal(&core->staged[i].node_id, &core->peers[p]->id)) {
                core_acknowledge(core, &core->peers[p]->id, ACK_DURABLE, actions);
                break;
            }
}

static void commit_failed(struct core *core, int result, struct core_actions *actions)
{
    bool known = core->storage_problem[0] != 0;
    snprintf(core->storage_problem, sizeof(core->storage_problem),
             "the store cannot be written: %s; free disk space or replace the disk",
             strerror(-result));
    core->storage_probe_us = core->now.mono_us + STORAGE_PROBE_US;
    core_fail_answers(core, actions);
    core_refuse_submissions(core, actions);
    if (!known)
        core_act_event(actions, EVENT_STORAGE_DEGRADED, "%s", core->storage_problem);
    if (core->unwritten.count > 0)
        return; /* memory stays ahead of the disk until a probe succeeds */
    if (core->staged_count > 0 || core->cleaned)
        core_act(actions, CORE_RELOAD);
    core->staged_count = 0;
}

void core_persisted(struct core *core, int result, struct core_actions *actions)
{
    core->committing = false;
    if (core->intake)
        core_snapshot_persisted(core, result, actions);
    if (result) {
        commit_failed(core, result, actions);
        return;
    }
    if (core->storage_problem[0]) {
        core->storage_problem[0] = 0;
        core_act_event(actions, EVENT_STORAGE_RECOVERED, "the store accepts writes again");
        for (size_t i = 0; i < core->peer_count; i++) /* what was refused meanwhile, at once */
            core->peers[i]->exchange_delay_us = core->peers[i]->next_exchange_us = 0;
    }
    store_batch_free(&core->unwritten);
    core->cleaned = false;
    for (size_t i = 0; i < core->staged_count; i++)
        vv_raise(&core->durable, core->staged[i].dot.stream, core->staged[i].dot.seq);
    core_refresh_shown(core);
    core->durable_position = core->position;
    if (core->staged_count > 0) {
        report_changes(core, actions);
        core_push(core, actions);
        acknowledge(core, actions);
        core_act(actions, CORE_APPLIED)->position = core->durable_position;
    }
    core->staged_count = 0;
    core_check_answers(core, actions);
    for (size_t i = 0; i < core->peer_count; i++)
        if (core->peers[i]->pull_again && !core_has_arrivals(core))
            core_request_pull(core, core->peers[i], actions);
}

void core_set_running(struct core *core, uint64_t position, struct core_actions *actions)
{
    bool rose = false;
    if (position >= core->position) {
        rose = vv_merge(&core->running, &core->durable);
        if (!core->committing)
            core->mark_count = 0;
    }
    while (core->mark_count > 0 && core->marks[core->mark_first].position <= position) {
        const struct dot *dot = &core->marks[core->mark_first].dot;
        rose |= vv_raise(&core->running, dot->stream, dot->seq);
        core->mark_first = (core->mark_first + 1) % RUNNING_RING;
        core->mark_count--;
    }
    for (size_t i = 0; rose && i < core->peer_count; i++)
        core_acknowledge(core, &core->peers[i]->id, ACK_RUNNING, actions);
}

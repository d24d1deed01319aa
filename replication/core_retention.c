/* What of the past is kept (replication.md 3.4). Records and tombstones go when every active
 * node has them on its disk, nothing needs them any more, and they are old enough; streams of
 * which nothing is left are folded.
 *
 * That is a sweep over the log, in slices which the driver reads. What replaced a value must be
 * on all disks as well before the value's record may go: so a sweep begins with a checkpoint of
 * what is applied, and goes on when all nodes have it. Records that lost a value since are left
 * for the next one. */
#include "replication/core_internal.h"

#include "replication/core_root.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLICE_ROWS = 256,
    SLICE_TOMBSTONES = 512,
    PRESSURE_MAXIMUM = 24,
    TOMBSTONES_ALARM = 100000
};

static const uint64_t slice_pause_us = 20000;
static const uint64_t change_kept_ms = CHANGE_KEPT_MS;

/* ---- what all nodes have ---------------------------------------------------------------- */

/* How far a stream matters: nobody ever has what a removal made void. */
static uint64_t clip(const struct core *core, struct dot dot)
{
    const struct stream *stream = core_stream(core, dot.stream);
    uint64_t limit = stream && stream->seq > 0 ? core_cutoff(core, stream) : dot.seq;
    return dot.seq < limit ? dot.seq : limit;
}

void core_stable(const struct core *core, struct vv *out)
{
    out->count = 0;
    for (size_t i = 0; i < core->shown.count; i++) {
        struct dot dot = core->shown.entries[i];
        for (size_t p = 0; p < core->peer_count; p++) {
            uint64_t seq = vv_get(&core->peers[p]->reported, dot.stream);
            dot.seq = seq < dot.seq ? seq : dot.seq;
        }
        vv_raise(out, dot.stream, dot.seq);
    }
}

static bool checkpoint_is_stable(const struct core *core)
{
    const struct sweep *sweep = &core->sweep;
    for (size_t i = 0; i < sweep->checkpoint.count; i++) {
        const struct dot *dot = &sweep->checkpoint.entries[i];
        if (vv_get(&sweep->stable, dot->stream) < clip(core, *dot))
            return false;
    }
    return true;
}

bool core_is_caught_up(const struct core *core)
{
    for (size_t p = 0; p < core->peer_count; p++) {
        const struct vv *theirs = &core->peers[p]->reported;
        if (theirs->count == 0)
            return false;
        for (size_t i = 0; i < theirs->count; i++)
            if (vv_get(&core->applied, theirs->entries[i].stream) <
                clip(core, theirs->entries[i]))
                return false;
    }
    return true;
}

static bool is_older(const struct core *core, uint64_t wall_ms, uint64_t age_ms)
{
    return core->now.wall_ms >= age_ms && wall_ms <= core->now.wall_ms - age_ms;
}

/* ---- tombstones ------------------------------------------------------------------------- */

static bool says_deleted(const struct facet_entry *life)
{
    return life->value_size == 1 && life->value[0] == 0;
}

static bool is_deleted(const struct object *object)
{
    const struct facet_state *life = facet_of(object, FACET_LIFE);
    for (size_t i = 0; life && i < life->count; i++)
        if (!says_deleted(&life->entries[i]))
            return false;
    return life && life->count > 0;
}

/* Nothing of LIFE in REALM says that the object is there, or what it is below is gone. But a
 * grant that is alive stays: it hides what else there is under its id. */
static bool
is_left(const struct core *core, const struct facet_state *life, enum facet_realm realm)
{
    const struct facet_entry *winner = facet_winner_in(life, realm);
    bool deleted = true;
    for (size_t i = 0; life && i < life->count; i++)
        deleted &=
            facet_realm_of(life->entries[i].type) != realm || says_deleted(&life->entries[i]);
    return deleted ||
           (!(realm == REALM_GRANTS && winner->value_size == 1 && winner->value[0]) &&
            !uuid_is_zero(&winner->owner) && !facet_object(&core->facets, &winner->owner));
}

/* Deleted without objection, or left behind by what was purged before: an object whose owner is
 * gone, or of which only an edit is left. */
static bool is_tombstone(const struct core *core, const struct object *object)
{
    const struct facet_state *life = facet_of(object, FACET_LIFE);
    return is_left(core, life, REALM_THINGS) && is_left(core, life, REALM_GRANTS) &&
           is_left(core, life, REALM_NODES);
}

static bool is_purgeable(const struct core *core, const struct object *object)
{
    for (size_t f = 0; f < object->count; f++)
        for (size_t e = 0; e < object->facets[f].count; e++) {
            const struct facet_entry *entry = &object->facets[f].entries[e];
            if (entry->type == RESOURCE_NODE ||
                vv_get(&core->sweep.stable, entry->dot.stream) < entry->dot.seq ||
                !is_older(core, entry->wall_ms, core->retention.keep_ms))
                return false;
        }
    return true;
}

void core_put_retained(struct store_batch *batch)
{
    const uint8_t key = (uint8_t)META_RETAINED;
    store_batch_put(batch, STORE_META, (struct bytes){&key, 1}, (struct bytes){0});
}

/* Some of them; false: there are more. */
static bool purge_tombstones(struct core *core, struct core_actions *actions)
{
    struct uuid found[SLICE_TOMBSTONES];
    size_t count = 0, orphans = 0;
    const struct object *object;
    if (core_may_regain(core))
        return true; /* a tombstone may have ended what is void now and comes back */
    for (size_t i = 0; (object = uuid_map_next(&core->facets.objects, &i));) {
        if (count == SLICE_TOMBSTONES || !is_tombstone(core, object) ||
            !is_purgeable(core, object))
            continue;
        orphans += facet_of(object, FACET_LIFE) && !is_deleted(object);
        found[count++] = object->id;
    }
    for (size_t i = 0; i < count; i++)
        facet_purge(&core->facets, &found[i], &core->cleaning);
    if (count > 0)
        core_put_retained(&core->cleaning);
    if (orphans > 0) { /* those were shown as errors until now */
        core->facets.changes.followed = false;
        core_act(actions, CORE_APPLIED)->position = core->durable_position;
    }
    return count < SLICE_TOMBSTONES;
}

/* ---- records ---------------------------------------------------------------------------- */

static bool is_closed(const struct core *core, const struct stream *stream)
{
    const struct roster_node *node = roster_find(&core->roster, &stream->node_id);
    if (core_is_root(core, &stream->node_id))
        return true;
    if (stream->id == core->own_stream || !node)
        return false;
    if (core_cutoff(core, stream) != UINT64_MAX)
        return true;
    for (size_t i = 0; i < core->stream_count; i++)
        if (uuid_equal(&core->streams[i]->node_id, &stream->node_id) &&
            core->streams[i]->incarnation > stream->incarnation)
            return true;
    return false;
}

static bool lost_something_lately(const struct core *core, struct dot dot)
{
    const struct facet_losses *losses = &core->facets.losses;
    for (size_t i = 0; i < losses->count; i++)
        if (losses->dots[i].stream == dot.stream && losses->dots[i].seq == dot.seq)
            return true;
    return false;
}

/* Or may do so again. */
static bool provides_something(const struct core *core, const struct record *record)
{
    const struct dot dot = {record->stream, record->seq};
    struct wire_reader ops = record->ops;
    struct record_op op;
    for (uint32_t index = 0; record_next_op(&ops, &op); index++)
        if (facet_provides(&core->facets, &op, index, dot) ||
            facet_has_shadow(&core->facets, &op.object_id, dot))
            return true;
    return false;
}

/* Does it tell the key of records that are still here? Who gets them must be able to verify
 * them, also when their node has another key now. */
static bool tells_a_key(const struct core *core, const struct record *record)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    while (record_next_op(&ops, &op)) {
        uint8_t key[SIGN_PUBLIC_KEY_SIZE];
        if (op.type != RESOURCE_NODE || op.facet != FACET_NODE_KEY ||
            !roster_read_key(&op, key))
            continue;
        for (size_t i = 0; i < core->stream_count; i++)
            if (core->streams[i]->kept > 0 &&
                uuid_equal(&core->streams[i]->node_id, &op.object_id) &&
                memcmp(core->streams[i]->public_key, key, sizeof(key)) == 0)
                return true;
    }
    return false;
}

/* All but the age. */
static bool is_needless(const struct core *core, const struct record *record)
{
    const struct stream *stream = core_stream(core, record->stream);
    return stream && !stream->refused &&
           record->seq <= vv_get(&core->sweep.stable, record->stream) &&
           (record->seq < stream->seq || is_closed(core, stream)) &&
           !provides_something(core, record) && !tells_a_key(core, record) &&
           !lost_something_lately(core, (struct dot){record->stream, record->seq});
}

static bool may_go(struct core *core, const struct record *record)
{
    uint64_t age_ms = core->retention.keep_ms >> core->sweep.pressure;
    if (!is_needless(core, record))
        return false;
    bool old = is_older(core, record->wall_ms, age_ms);
    core->sweep.needless += !old;
    return old;
}

static void forget_change(struct core *core, const struct record *record)
{
    if (!is_older(core, record->wall_ms, change_kept_ms))
        return;
    core_change_forget(core, &record->change_id);
    store_batch_remove(&core->cleaning, STORE_CHANGE,
                       (struct bytes){record->change_id.bytes, 16});
}

static void remove_record(struct core *core, const struct record *record)
{
    struct stream *stream = core_stream(core, record->stream);
    struct wire_reader ops = record->ops;
    struct record_op op;
    uint8_t key[FACET_DEAD_KEY_SIZE];
    for (uint32_t index = 0; record_next_op(&ops, &op); index++) {
        facet_dead_key((struct dot){record->stream, record->seq}, index, key);
        store_batch_remove(&core->cleaning, STORE_DEAD, (struct bytes){key, sizeof(key)});
    }
    store_batch_remove(&core->cleaning, STORE_LOG, (struct bytes){key, 16});
    forget_change(core, record);
    if (record->seq > stream->truncated)
        stream->truncated = record->seq;
    stream->kept--;
    core->log_bytes -= record->whole.size;
    stream->dirty = core->streams_dirty = true;
}

/* ---- streams ---------------------------------------------------------------------------- */

/* A stream that is over and of which nothing is left. Its last number stays, and what a further
 * record would need, in case that a copied disk is still writing it. */
static void fold(struct core *core, struct stream *stream)
{
    if (stream->folded || stream->seq == 0 || stream->kept > 0 || stream->refused ||
        vv_get(&core->sweep.stable, stream->id) < stream->seq || !is_closed(core, stream))
        return;
    free(stream->hash_starts);
    stream->hash_starts = NULL;
    stream->hash_capacity = 0;
    stream->folded = stream->dirty = core->streams_dirty = true;
}

/* Hashes of records that are gone tell nothing. */
static void trim_hashes(struct stream *stream)
{
    const uint64_t worth = 4096;
    if (!stream->hash_starts || stream->truncated < stream->hash_first + worth ||
        stream->truncated - stream->hash_first >= stream->hash_capacity)
        return;
    uint64_t gone = stream->truncated - stream->hash_first;
    stream->hash_capacity -= gone;
    memmove(stream->hash_starts, stream->hash_starts + gone,
            stream->hash_capacity * sizeof(*stream->hash_starts));
    stream->hash_starts = memory_resize(stream->hash_starts,
                                        stream->hash_capacity * sizeof(*stream->hash_starts));
    stream->hash_first = stream->truncated;
}

/* ---- alarms ----------------------------------------------------------------------------- */

static uint64_t rest_us(const struct core *core)
{
    uint64_t pause_ms = core->retention.keep_ms / 16;
    const uint64_t least_ms = 1000, most_ms = 3600000;
    pause_ms = pause_ms < least_ms ? least_ms : pause_ms;
    return (pause_ms < most_ms ? pause_ms : most_ms) * MS;
}

static void report_tombstones(struct core *core, struct core_actions *actions)
{
    const struct object *object;
    size_t tombstones = 0;
    for (size_t i = 0; (object = uuid_map_next(&core->facets.objects, &i));)
        tombstones += is_tombstone(core, object);
    bool many = tombstones > TOMBSTONES_ALARM;
    if (many && !core->sweep.tombstones_reported)
        core_act_event(actions, EVENT_RETENTION_BLOCKED,
                       "%zu deleted objects are kept, because not all nodes know that they are "
                       "deleted; if a node is gone for good: lbnode node remove",
                       tombstones);
    core->sweep.tombstones_reported = many;
}

static void report_absence(struct core *core, struct peer *peer, struct core_actions *actions)
{
    const uint64_t day_ms = 24ull * 3600 * 1000, long_ms = 30 * day_ms;
    if (core_peer_is_alive(peer) || !is_older(core, peer->seen_wall_ms, long_ms)) {
        peer->absence_reported = false;
        return;
    }
    if (!peer->absence_reported)
        core_act_event(actions, EVENT_RETENTION_BLOCKED,
                       "node %s has been away for %u days, and nothing old is cleaned up "
                       "without it; if it is gone for good: lbnode node remove %s",
                       core_node_name(core, &peer->id),
                       (unsigned)((core->now.wall_ms - peer->seen_wall_ms) / day_ms),
                       core_node_name(core, &peer->id));
    peer->absence_reported = true;
}

static void review_alarms(struct core *core, struct core_actions *actions)
{
    if (core->now.mono_us < core->sweep.review_us)
        return;
    core->sweep.review_us = core->now.mono_us + rest_us(core);
    report_tombstones(core, actions);
    for (size_t i = 0; i < core->peer_count; i++)
        report_absence(core, core->peers[i], actions);
}

/* ---- the sweep -------------------------------------------------------------------------- */

static void enter(struct core *core, enum sweep_phase phase, uint64_t pause_us)
{
    core->sweep.phase = phase;
    core->sweep.next_us = core->now.mono_us + pause_us;
}

static void begin_sweep(struct core *core)
{
    vv_copy(&core->sweep.checkpoint, &core->applied);
    facet_follow_losses(&core->facets);
    enter(core, SWEEP_WAITS, 0);
}

static void end_sweep(struct core *core)
{
    struct sweep *sweep = &core->sweep;
    bool too_large = core->retention.keep_bytes > 0 && sweep->needless > 0 &&
                     core->log_bytes > core->retention.keep_bytes;
    for (size_t i = 0; i < core->stream_count; i++) {
        fold(core, core->streams[i]);
        trim_hashes(core->streams[i]);
    }
    core->facets.losses.followed = false;
    sweep->pressure = too_large && sweep->pressure < PRESSURE_MAXIMUM ? sweep->pressure + 1 : 0;
    enter(core, SWEEP_RESTS, sweep->pressure > 0 ? SECOND : rest_us(core));
}

/* Is the checkpoint still what every node has? Otherwise the sweep waits or begins anew. */
static bool may_go_on(struct core *core)
{
    core_stable(core, &core->sweep.stable);
    if (!core->facets.losses.followed)
        enter(core, SWEEP_RESTS, SECOND); /* too much has changed meanwhile */
    else if (!checkpoint_is_stable(core))
        enter(core, SWEEP_WAITS, SECOND);
    else
        return true;
    return false;
}

static void purge_and_read(struct core *core, struct core_actions *actions)
{
    review_alarms(core, actions);
    if (!may_go_on(core))
        return;
    if (core_is_caught_up(core) && !purge_tombstones(core, actions)) {
        enter(core, SWEEP_WAITS, slice_pause_us);
        return;
    }
    core->sweep.next_row = (struct dot){0};
    core->sweep.needless = 0;
    enter(core, SWEEP_READS, slice_pause_us);
}

static void ask_for_rows(struct core *core, struct core_actions *actions)
{
    struct core_action *action = core_act(actions, CORE_READ_LOG);
    action->first_row = core->sweep.next_row;
    action->row_count = SLICE_ROWS;
    enter(core, SWEEP_EXPECTS_ROWS, 60 * SECOND); /* none come when the store cannot be read */
}

uint64_t core_sweep_due_us(const struct core *core)
{
    bool may = core->initialised && !core->removed && core->retention.keep_ms > 0 &&
               !core->storage_problem[0] && core->cleaning.count == 0 && core->log_holds == 0;
    return may ? core->sweep.next_us : UINT64_MAX;
}

/* Whoever is there is heard before anybody is missed. */
void core_sweep_init(struct core *core)
{
    core->sweep.review_us = core->now.mono_us + rest_us(core);
}

void core_sweep(struct core *core, struct core_actions *actions)
{
    if (core->now.mono_us < core_sweep_due_us(core))
        return;
    switch (core->sweep.phase) {
    case SWEEP_RESTS: begin_sweep(core); break;
    case SWEEP_WAITS: purge_and_read(core, actions); break;
    case SWEEP_READS: ask_for_rows(core, actions); break;
    case SWEEP_EXPECTS_ROWS: enter(core, SWEEP_RESTS, rest_us(core)); break;
    }
}

void core_take_log_rows(struct core *core, const struct core_event *event)
{
    if (core->sweep.phase != SWEEP_EXPECTS_ROWS || core->storage_problem[0] || !may_go_on(core))
        return;
    if (core->log_holds > 0) {
        enter(core, SWEEP_READS, SECOND);
        return;
    }
    core_settle_now(core);
    for (size_t i = 0; i < event->record_count; i++) {
        struct record record;
        if (!record_parse(event->records[i], &record))
            continue;
        core->sweep.next_row = (struct dot){record.stream, record.seq + 1};
        if (may_go(core, &record))
            remove_record(core, &record);
    }
    if (event->log_ended || event->record_count == 0)
        end_sweep(core);
    else
        enter(core, SWEEP_READS, slice_pause_us);
}

/* ---- reading ---------------------------------------------------------------------------- */

uint64_t core_truncated(const struct core *core, uint64_t stream)
{
    const struct stream *found = core_stream(core, stream);
    return found ? found->truncated : 0;
}

bool core_can_answer(const struct core *core, const struct vv *have)
{
    for (size_t i = 0; i < core->stream_count; i++)
        if (vv_get(have, core->streams[i]->id) < core->streams[i]->truncated)
            return false;
    return true;
}

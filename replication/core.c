#include "replication/core_internal.h"

#include "replication/core_root.h"
#include "replication/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- actions ---------------------------------------------------------------------------- */

struct core_action *core_act(struct core_actions *actions, enum core_action_kind kind)
{
    actions->items = memory_grow(actions->items, actions->count, &actions->capacity,
                                 sizeof(*actions->items));
    struct core_action *action = &actions->items[actions->count++];
    *action = (struct core_action){.kind = kind};
    return action;
}

void core_act_event(struct core_actions *actions, enum event_code code, const char *format, ...)
{
    struct core_action *action = core_act(actions, CORE_EVENT);
    va_list arguments;
    action->code = code;
    va_start(arguments, format);
    vsnprintf(action->text, sizeof(action->text), format, arguments);
    va_end(arguments);
}

void core_act_send(struct core_actions *actions,
                   const struct uuid *peer,
                   enum frame_type type,
                   struct wire_writer *body)
{
    if (body->failed) {
        wire_writer_free(body);
        return;
    }
    struct core_action *action = core_act(actions, CORE_SEND);
    action->peer = *peer;
    action->frame_type = type;
    action->body = body->data;
    action->body_size = body->size;
    action->bulk = body->size > DATAGRAM_RECORD_MAXIMUM;
}

void core_actions_free(struct core_actions *actions)
{
    for (size_t i = 0; i < actions->count; i++) {
        store_batch_free(&actions->items[i].batch);
        free(actions->items[i].body);
    }
    free(actions->items);
    *actions = (struct core_actions){0};
}

/* ---- streams and changes ---------------------------------------------------------------- */

static size_t stream_position(const struct core *core, uint64_t id)
{
    size_t low = 0, high = core->stream_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (core->streams[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct stream *core_stream(const struct core *core, uint64_t id)
{
    size_t at = stream_position(core, id);
    return at < core->stream_count && core->streams[at]->id == id ? core->streams[at] : NULL;
}

struct stream *core_stream_add(struct core *core, uint64_t id)
{
    size_t at = stream_position(core, id);
    core->streams = memory_grow(core->streams, core->stream_count, &core->stream_capacity,
                                sizeof(*core->streams));
    memmove(core->streams + at + 1, core->streams + at,
            (core->stream_count++ - at) * sizeof(*core->streams));
    core->streams[at] = memory_new(sizeof(struct stream));
    core->streams[at]->id = id;
    core->streams[at]->limit = UINT64_MAX;
    return core->streams[at];
}

void core_stream_note_hash(struct stream *stream, uint64_t seq, const uint8_t hash[HASH_SIZE])
{
    if (!stream->hash_starts)
        stream->hash_first = seq - 1;
    if (seq <= stream->hash_first)
        return;
    uint64_t at = seq - 1 - stream->hash_first;
    size_t before = stream->hash_capacity;
    while (at >= stream->hash_capacity)
        stream->hash_starts = memory_grow(stream->hash_starts, stream->hash_capacity,
                                          &stream->hash_capacity, sizeof(uint64_t));
    if (stream->hash_capacity > before)
        memset(stream->hash_starts + before, 0,
               (stream->hash_capacity - before) * sizeof(uint64_t));
    stream->hash_starts[at] = load_be64(hash);
}

uint64_t core_stream_hash(const struct stream *stream, uint64_t seq)
{
    bool known = seq > stream->hash_first && seq - stream->hash_first <= stream->hash_capacity;
    return known ? stream->hash_starts[seq - 1 - stream->hash_first] : 0;
}

static void unlink_change(struct core *core, struct change_row *row)
{
    *(row->older ? &row->older->newer : &core->oldest_change) = row->newer;
    *(row->newer ? &row->newer->older : &core->newest_change) = row->older;
    row->older = row->newer = NULL;
}

static void append_change(struct core *core, struct change_row *row)
{
    row->older = core->newest_change;
    *(row->older ? &row->older->newer : &core->oldest_change) = row;
    core->newest_change = row;
}

void core_change_forget(struct core *core, const struct uuid *id)
{
    struct change_row *row = uuid_map_remove(&core->changes, id);
    if (row)
        unlink_change(core, row);
    free(row);
}

/* A repeated request comes soon, if at all. */
static void make_room_for_change(struct core *core)
{
    const struct uuid oldest = core->oldest_change->id;
    core_change_forget(core, &oldest);
}

void core_change_note(struct core *core, const struct uuid *id, struct dot dot)
{
    struct change_row *row = uuid_map_get(&core->changes, id);
    if (row) {
        unlink_change(core, row);
        append_change(core, row);
        return;
    }
    if (core->changes.count >= CHANGE_IDS)
        make_room_for_change(core);
    row = memory_new(sizeof(*row));
    *row = (struct change_row){.id = *id, .dot = dot};
    if (!uuid_map_set(&core->changes, id, row))
        abort();
    append_change(core, row);
}

/* ---- roster ----------------------------------------------------------------------------- */

const char *core_node_name(const struct core *core, const struct uuid *id)
{
    const struct roster_node *node = roster_find(&core->roster, id);
    if (core_is_root(core, id))
        return "the recovery code";
    return node && node->name[0] ? node->name : "this node";
}

static void report_unreadable(const struct core *core,
                              const struct roster_node *node,
                              uint32_t news,
                              struct core_actions *actions)
{
    const struct object *object = facet_object(&core->facets, &node->id);
    for (size_t f = 0; object && f < object->count; f++) {
        const struct facet_state *state = &object->facets[f];
        const struct facet_entry *entry = facet_seen(object, state);
        if (entry && state->facet < 32 && (news >> state->facet & 1))
            core_act_event(actions, EVENT_NODE_SPOILT,
                           "attributes of node %s (facet %u) are unreadable as node %s wrote "
                           "them; their defaults hold",
                           node->name, state->facet, core_node_name(core, &entry->node_id));
    }
}

static void report_changes(const struct core *core,
                           const struct roster *before,
                           struct core_actions *actions)
{
    for (size_t i = 0; i < core->roster.count; i++) {
        const struct roster_node *node = &core->roster.nodes[i];
        const struct roster_node *old = roster_find(before, &node->id);
        if (node->status == NODE_ACTIVE && (!old || !old->name[0]) &&
            !uuid_equal(&node->id, &core->node_id))
            core_act_event(actions, EVENT_NODE_JOINED, "node %s joined", node->name);
        if (node->status != NODE_ACTIVE && old && old->status == NODE_ACTIVE)
            core_act_event(actions, EVENT_NODE_REMOVED, "node %s was removed", node->name);
        uint32_t news = node->unreadable & ~(old ? old->unreadable : 0);
        if (news)
            report_unreadable(core, node, news, actions);
    }
}

void core_refresh_roster(struct core *core, struct core_actions *actions)
{
    struct roster *before = memory_new(sizeof(*before));
    *before = core->roster;
    core->roster.count = 0;
    bool begins = core->initialised && core->position == 0;
    roster_rebuild(&core->roster, &core->facets, begins ? &core->genesis : NULL);
    roster_drop(&core->roster, &core->genesis.root_id); /* whoever made that object */
    core->roster_dirty = false;
    core_note_departures(core, before);
    if (actions)
        report_changes(core, before, actions);
    roster_free(before);
    free(before);
    const struct roster_node *self = roster_find(&core->roster, &core->node_id);
    bool removed = self && self->status != NODE_ACTIVE;
    if (removed && !core->removed && actions)
        core_act(actions, CORE_LEFT);
    core->removed = removed;
    core_peers_refresh(core);
    core_refresh_shown(core);
}

/* The vector that others see. */
void core_refresh_shown(struct core *core)
{
    core->shown.count = core->void_openings.count = 0;
    for (size_t i = 0; i < core->durable.count; i++) {
        const struct dot *dot = &core->durable.entries[i];
        uint64_t limit = core_cutoff(core, core_stream(core, dot->stream));
        uint64_t seq = dot->seq < limit ? dot->seq : limit;
        vv_raise(&core->shown, dot->stream, seq);
        if (seq == 0)
            vv_raise(&core->void_openings, dot->stream, 1);
    }
    core->digest = vv_digest(&core->shown);
}

/* The hash of the raw state at exactly the shown vector; false while a commit is under way,
 * when memory is ahead of it. */
bool core_refresh_hash(struct core *core)
{
    if (core->hash_digest == core->digest && core->hash_known)
        return true;
    if (core->committing || core->unwritten.count > 0)
        return false;
    facet_kept_hash(&core->facets, core->state_hash);
    core->hash_digest = core->digest;
    core->hash_known = true;
    return true;
}

void core_set_key(struct core *core, const struct sign_key *key)
{
    core->key = key;
    record_key_id(sign_key_public(key), core->key_id);
    core->own_stream = 0;
}

/* ---- dispatch --------------------------------------------------------------------------- */

void core_step(struct core *core,
               const struct core_event *event,
               struct core_now now,
               struct core_actions *actions)
{
    core->now = now;
    switch (event->kind) {
    case CORE_SUBMIT:
    case CORE_REMOVE_NODE: core_submit(core, event, actions); break;
    case CORE_STAGE: core_stage(core, actions); break;
    case CORE_PERSISTED: core_persisted(core, event->result, actions); break;
    case CORE_FRAME: core_frame(core, event, actions); break;
    case CORE_REACHABLE: core_greet(core, &event->node, actions); break;
    case CORE_RECORD:
        core_receive_record(core, event->body, &event->node, actions);
        core->pending_dirty = core->pending_count > 0;
        break;
    case CORE_RUNNING: core_set_running(core, event->position, actions); break;
    case CORE_TICK: core_tick(core, actions); break;
    case CORE_LOG_ROWS: core_take_log_rows(core, event); break;
    case CORE_KEPT: core_take_kept(core, event->body); break;
    case CORE_KEPT_END: core_switch(core, event->result, actions); break;
    case CORE_CLAIMS: core_set_claims(core, event->claims, event->claim_count); break;
    case CORE_ASK_SWITCH: core_ask_switch(event, actions); break;
    case CORE_ASK_PROBE: core_ask_probe(core, event, actions); break;
    case CORE_VERDICTS: core_publish_verdicts(core, event, actions); break;
    case CORE_ALL_VERDICTS: core_send_all_verdicts(core, event, actions); break;
    }
}

bool core_wants_stage(const struct core *core)
{
    return !core->committing &&
           (core_snapshot_is_ready(core) || core->pending_dirty || core->streams_dirty ||
            core->cleaning.count > 0 || pace_is_due(&core->own_pace, core->now.mono_us) ||
            pace_is_due(&core->received_pace, core->now.mono_us));
}

/* ---- reading ---------------------------------------------------------------------------- */

bool core_is_initialised(const struct core *core)
{
    return core->initialised;
}

const struct genesis *core_genesis(const struct core *core)
{
    return &core->genesis;
}

const struct facet_table *core_facets(const struct core *core)
{
    return &core->facets;
}

struct facet_changes *core_changes(struct core *core)
{
    return &core->facets.changes;
}

void core_changes_taken(struct core *core)
{
    facet_changes_taken(&core->facets);
}

const struct uuid *core_last_change(const struct core *core)
{
    return &core->last_change;
}

const struct roster *core_roster(const struct core *core)
{
    return &core->roster;
}

const struct vv *core_vector(const struct core *core)
{
    return &core->applied;
}

const struct vv *core_durable(const struct core *core)
{
    return &core->shown;
}

const struct vv *core_void_openings(const struct core *core)
{
    return &core->void_openings;
}

uint64_t core_position(const struct core *core)
{
    return core->durable_position;
}

void core_state_hash(struct core *core, uint8_t out[HASH_SIZE])
{
    core_refresh_hash(core);
    memcpy(out, core->state_hash, HASH_SIZE);
}

const char *core_storage_problem(const struct core *core)
{
    return core->storage_problem;
}

void core_set_storage_problem(struct core *core, const char *problem, struct core_now now)
{
    snprintf(core->storage_problem, sizeof(core->storage_problem), "%s", problem);
    core->storage_probe_us = now.mono_us + STORAGE_PROBE_US;
}

bool core_was_removed(const struct core *core)
{
    return core->removed;
}

void core_leave(struct core *core)
{
    core->removed = true;
}

void core_found(struct core *core, const struct genesis *genesis)
{
    core->genesis = *genesis;
    core->initialised = true;
    core_refresh_roster(core, NULL);
}

/* ---- end -------------------------------------------------------------------------------- */

void core_free(struct core *core)
{
    if (!core)
        return;
    struct change_row *row;
    for (size_t i = 0; (row = uuid_map_next(&core->changes, &i));)
        free(row);
    uuid_map_free(&core->changes);
    for (size_t i = 0; i < core->stream_count; i++) {
        vv_free(&core->streams[i]->context);
        free(core->streams[i]->hash_starts);
        free(core->streams[i]->ahead);
        free(core->streams[i]);
    }
    free(core->streams);
    for (size_t i = 0; i < core->submission_count; i++)
        core_submission_free(&core->submissions[i]);
    free(core->submissions);
    while (core->pending_count > 0)
        core_pending_drop(core, core->pending_count - 1);
    free(core->pending);
    for (size_t i = 0; i < core->peer_count; i++)
        core_peer_free(core->peers[i]);
    free(core->peers);
    for (size_t i = 0; i < RECENT_RECORDS; i++)
        free((void *)(uintptr_t)core->recent[i].bytes.data);
    core_intake_free(core);
    free(core->awaited);
    free(core->staged);
    store_batch_free(&core->unwritten);
    store_batch_free(&core->cleaning);
    vv_free(&core->sweep.checkpoint);
    vv_free(&core->sweep.stable);
    vv_free(&core->settled);
    facet_table_free(&core->facets);
    roster_free(&core->roster);
    vv_free(&core->applied);
    vv_free(&core->durable);
    vv_free(&core->shown);
    vv_free(&core->void_openings);
    vv_free(&core->running);
    free(core);
}

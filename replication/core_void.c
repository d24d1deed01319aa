/* Records that do not count. A node that is removed counts up to a cut-off in each of its
 * streams, one with a new key up to a cut-off in those of its old key, and one that nobody with
 * a say admitted not at all (replication.md 9.4, 9.5). What is beyond is void: nodes that hear
 * of the cut-off first do not take it, those that had applied it take it out again, and all
 * show the same vector. The records stay in the log of who has them: a cut-off may rise, when
 * somebody else removed the same node and had more of it.
 *
 * An author may have known a record that is void on another node, which takes the author's
 * records nevertheless. Should the void one count later, it arrives there after records that
 * knew it: those are remembered ("ahead"). */
#include "replication/core_closing.h"

#include "replication/core_root.h"
#include "replication/facet_internal.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* What is void may itself have said who is removed. Nodes that remove each other in a ring,
     * each as compromised, have no answer; then this ends it. */
    ROUNDS = 64
};

static const uint64_t settle_pause_us = 5 * 1000000;
/* How long a node that was taken out may be cut off with a removal of its own. */
static const uint64_t departure_us = 3600ull * 1000000;

/* ---- cut-offs --------------------------------------------------------------------------- */

/* A node may be missing in the roster because that has no room; that changes nothing about its
 * streams. But one without a life was never admitted by a record that counts. */
static uint64_t limit_of_missing(const struct core *core,
                                 const struct uuid *id,
                                 uint64_t stream,
                                 const uint8_t key_id[RECORD_KEY_ID_SIZE],
                                 uint64_t lifted)
{
    const struct object *object = facet_object(&core->facets, id);
    struct roster_node node;
    if (!object || facet_object_realm(object) != REALM_NODES)
        return 0;
    roster_read_standing(&core->facets, id, &node);
    uint64_t limit = roster_limit(&node, stream, key_id, lifted);
    roster_free_node(&node);
    return limit;
}

static uint64_t limit_of(const struct core *core,
                         const struct uuid *node_id,
                         uint64_t stream,
                         const uint8_t key_id[RECORD_KEY_ID_SIZE],
                         uint64_t lifted)
{
    if (core_is_root(core, node_id))
        return 1;
    const struct roster_node *node = roster_find(&core->roster, node_id);
    if (node)
        return roster_limit(node, stream, key_id, lifted);
    return limit_of_missing(core, node_id, stream, key_id, lifted);
}

void core_note_revocation(struct stream *stream, const struct record *record)
{
    struct wire_reader ops = record->ops, deps = record->deps;
    struct record_op op;
    struct dot dep;
    stream->revokes = (struct uuid){0};
    stream->context.count = 0;
    if (record->op_count != 1 || !record_next_op(&ops, &op) || !roster_op_revokes(&op) ||
        uuid_equal(&op.object_id, &stream->node_id))
        return;
    stream->revokes = op.object_id;
    while (record_next_dep(&deps, &dep))
        vv_raise(&stream->context, dep.stream, dep.seq);
}

/* Would the first record of STREAM count, if that node had not revoked its author which it
 * revokes itself, without having known? */
static bool counts_for_all_others(const struct core *core, const struct stream *stream)
{
    const struct object *object = facet_object(&core->facets, &stream->node_id);
    const struct facet_state *all = object ? facet_of(object, FACET_NODE_STATUS) : NULL;
    struct facet_state others = {.facet = FACET_NODE_STATUS};
    struct roster_node node = {.id = stream->node_id};
    if (!object || facet_object_realm(object) != REALM_NODES)
        return false;
    for (size_t i = 0; all && i < all->count; i++) {
        const struct facet_entry *entry = &all->entries[i];
        if (!uuid_equal(&entry->node_id, &stream->revokes) ||
            vv_get(&stream->context, entry->dot.stream) >= entry->dot.seq)
            *facet_append_entry(&others) = *entry;
    }
    roster_read_known(&others, facet_of(object, FACET_NODE_KEY), &node);
    bool counts = roster_limit(&node, stream->id, stream->key_id, 0) > 0;
    roster_free_node(&node);
    free(others.entries);
    return counts;
}

uint64_t core_cutoff(const struct core *core, const struct stream *stream)
{
    uint64_t limit =
        limit_of(core, &stream->node_id, stream->id, stream->key_id, stream->lifted);
    bool is_mutual =
        limit == 0 && !uuid_is_zero(&stream->revokes) && counts_for_all_others(core, stream);
    return is_mutual ? 1 : limit;
}

static uint64_t cutoff_of_first(const struct core *core, const struct record *record)
{
    const struct stream *known = core_stream(core, record->stream);
    struct stream stream = {
        .id = record->stream, .node_id = record->node_id, .lifted = known ? known->lifted : 0};
    memcpy(stream.key_id, record->key_id, sizeof(stream.key_id));
    core_note_revocation(&stream, record);
    uint64_t limit = core_cutoff(core, &stream);
    vv_free(&stream.context);
    return limit;
}

uint64_t core_cutoff_of(const struct core *core, const struct record *record)
{
    const struct stream *stream = core_stream(core, record->stream);
    if (record->seq > 1 || (stream && stream->seq > 0))
        return stream ? core_cutoff(core, stream) : UINT64_MAX;
    return cutoff_of_first(core, record);
}

bool core_is_void(const struct core *core, struct dot dot)
{
    const struct stream *stream = core_stream(core, dot.stream);
    return stream && dot.seq > core_cutoff(core, stream);
}

static bool is_key(const struct facet_entry *entry,
                   const uint8_t key_id[RECORD_KEY_ID_SIZE],
                   uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    uint8_t found[RECORD_KEY_ID_SIZE];
    if (entry->type != RESOURCE_NODE || !roster_entry_key(entry, out))
        return false;
    record_key_id(out, found);
    return memcmp(found, key_id, sizeof(found)) == 0;
}

/* That it has by the values of facet 10, or had by those that were replaced. */
static bool read_key_of(const struct core *core,
                        const struct uuid *id,
                        const uint8_t key_id[RECORD_KEY_ID_SIZE],
                        uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    const struct object *object = facet_object(&core->facets, id);
    const struct facet_state *state = object ? facet_of(object, FACET_NODE_KEY) : NULL;
    const struct facet_shadows *shadows = uuid_map_get(&core->facets.shadows, id);
    for (size_t i = 0; state && i < state->count; i++)
        if (is_key(&state->entries[i], key_id, out))
            return true;
    for (size_t i = 0; shadows && i < shadows->count; i++)
        if (shadows->items[i].facet == FACET_NODE_KEY &&
            is_key(&shadows->items[i].entry, key_id, out))
            return true;
    return false;
}

bool core_find_key(const struct core *core,
                   const struct uuid *id,
                   const uint8_t key_id[RECORD_KEY_ID_SIZE],
                   uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    const struct roster_node *node = roster_find(&core->roster, id);
    const uint8_t *key = NULL;
    if (core_is_root(core, id)) {
        memcpy(out, core->genesis.root_key, SIGN_PUBLIC_KEY_SIZE);
        return core_is_root_key(core, id, key_id);
    }
    if (node && memcmp(node->key_id, key_id, RECORD_KEY_ID_SIZE) == 0)
        key = node->public_key;
    for (size_t i = 0; !key && i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        if (stream->seq > 0 && uuid_equal(&stream->node_id, id) &&
            memcmp(stream->key_id, key_id, RECORD_KEY_ID_SIZE) == 0)
            key = stream->public_key;
    }
    if (!key)
        return read_key_of(core, id, key_id, out);
    memcpy(out, key, SIGN_PUBLIC_KEY_SIZE);
    return true;
}

bool core_may_sign(const struct core *core, struct error *error)
{
    const struct roster_node *self = roster_find(&core->roster, &core->node_id);
    return !self || memcmp(self->key_id, core->key_id, sizeof(self->key_id)) == 0 ||
           error_set(error, ERROR_UNAVAILABLE,
                     "this node gets a new key in this moment; try again");
}

/* ---- judging ---------------------------------------------------------------------------- */

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* True when something that is applied counts no longer, or again. */
static bool take_limits(struct core *core)
{
    bool changed = false;
    for (size_t i = 0; i < core->stream_count; i++) {
        struct stream *stream = core->streams[i];
        uint64_t limit = core_cutoff(core, stream);
        changed |= lesser(limit, stream->seq) != lesser(stream->limit, stream->seq);
        stream->limit = limit;
    }
    return changed;
}

static bool is_beyond_limit(const void *context, struct dot dot)
{
    const struct stream *stream = core_stream(context, dot.stream);
    return stream && dot.seq > stream->limit;
}

void core_judge(struct core *core, struct store_batch *batch, struct core_actions *actions)
{
    size_t hidden = 0, restored = 0;
    for (int round = 0; round < ROUNDS && take_limits(core); round++) {
        struct facet_judgement judgement = {.is_void = is_beyond_limit, .context = core};
        facet_judge(&core->facets, &judgement, batch);
        hidden += judgement.hidden;
        restored += judgement.restored;
        core->hash_known = false;
        if (!judgement.changed_nodes)
            break;
        core_refresh_roster(core, actions);
    }
    core_refresh_shown(core);
    if (actions && hidden + restored > 0)
        core_act_event(actions, EVENT_CHANGES_VOIDED,
                       "changes of a removed node, made before it knew, do not count: %zu "
                       "value%s taken back, %zu restored",
                       hidden, hidden == 1 ? "" : "s", restored);
}

/* ---- what records say about it ---------------------------------------------------------- */

static void note_ahead(struct core *core, struct stream *stream, struct dot known, uint64_t seq)
{
    stream->ahead = memory_grow(stream->ahead, stream->ahead_count, &stream->ahead_capacity,
                                sizeof(*stream->ahead));
    stream->ahead[stream->ahead_count++] = (struct ahead){known, seq};
    core->ahead_count++;
}

void core_note_ahead(struct core *core, struct stream *stream, const struct record *record)
{
    struct wire_reader deps = record->deps;
    struct dot dep;
    while (record_next_dep(&deps, &dep))
        if (dep.stream != record->stream && vv_get(&core->applied, dep.stream) < dep.seq)
            note_ahead(core, stream, dep, record->seq);
}

static bool is_ahead(const struct stream *stream, uint64_t seq, struct dot of)
{
    for (size_t i = 0; i < stream->ahead_count; i++) {
        const struct ahead *ahead = &stream->ahead[i];
        if (ahead->since <= seq && ahead->known.stream == of.stream &&
            ahead->known.seq >= of.seq)
            return true;
    }
    return false;
}

bool core_goes_without(const struct core *core, struct dot dot)
{
    for (size_t i = 0; core->ahead_count > 0 && i < core->stream_count; i++)
        if (is_ahead(core->streams[i], UINT64_MAX, dot))
            return true;
    return false;
}

static bool is_late(const void *context, struct dot by, struct dot of)
{
    const struct stream *stream = core_stream(context, by.stream);
    return stream && is_ahead(stream, by.seq, of);
}

bool (*core_late_judge(const struct core *core,
                       const struct record *record))(const void *, struct dot, struct dot)
{
    return core_goes_without(core, (struct dot){record->stream, record->seq}) ? is_late : NULL;
}

void core_add_ahead(const struct core *core, const struct stream *own, struct vv *out)
{
    for (size_t i = 0; core->ahead_count > 0 && i < core->stream_count; i++)
        for (size_t k = 0; k < core->streams[i]->ahead_count; k++) {
            const struct dot *known = &core->streams[i]->ahead[k].known;
            if (known->stream != core->own_stream &&
                (!own || vv_get(&own->context, known->stream) < known->seq))
                vv_raise(out, known->stream, known->seq);
        }
}

/* ---- two that remove each other --------------------------------------------------------- */

bool core_may_lift(const struct core *core, const struct stream *stream)
{
    const struct roster_node *node = roster_find(&core->roster, &stream->node_id);
    return node && node->status == NODE_REMOVED;
}

static const struct record *waiting(const struct core *core, struct dot dot)
{
    for (size_t i = 0; i < core->pending_count; i++)
        if (core->pending[i].record.stream == dot.stream &&
            core->pending[i].record.seq == dot.seq)
            return &core->pending[i].record;
    return NULL;
}

bool core_lift(struct core *core, struct stream *stream)
{
    const struct record *record;
    struct vv context = {0};
    uint64_t lifted = 0;
    if (!core_may_lift(core, stream) || stream->disowned > 0)
        return false;
    vv_copy(&context, &stream->context);
    for (uint64_t seq = stream->seq + 1;
         (record = waiting(core, (struct dot){stream->id, seq})); seq++) {
        struct wire_reader deps = record->deps;
        struct dot dep;
        while (record_next_dep(&deps, &dep))
            vv_raise(&context, dep.stream, dep.seq);
        enum removal removal = core_removal_in(core, record, &stream->node_id, &context);
        if (removal == REVOKES_ITSELF)
            break; /* while it counted, it would not */
        if (removal == REMOVES_A_NODE)
            lifted = seq;
    }
    vv_free(&context);
    if (lifted <= stream->lifted)
        return false;
    stream->lifted = lifted;
    stream->dirty = core->streams_dirty = true;
    return true;
}

/* ---- what can never become void --------------------------------------------------------- */

/* Whoever removes a node lists what it has of it. So what all active nodes have on their disks
 * is in every list that is still to come. But one that was taken out lately may have removed
 * others, too, before it heard of it. */
static bool is_on_all_disks(const struct core *core, struct dot dot)
{
    if (vv_get(&core->shown, dot.stream) < dot.seq)
        return false;
    for (size_t p = 0; p < core->peer_count; p++)
        if (vv_get(&core->peers[p]->reported, dot.stream) < dot.seq)
            return false;
    return true;
}

static bool settle_one(void *context, struct dot dot)
{
    struct core *core = context;
    if (!is_on_all_disks(core, dot))
        return false;
    core->settled_dirty |= vv_raise(&core->settled, dot.stream, dot.seq);
    return true;
}

void core_note_departures(struct core *core, const struct roster *before)
{
    for (size_t i = 0; i < core->roster.count; i++) {
        const struct roster_node *node = &core->roster.nodes[i];
        const struct roster_node *old = roster_find(before, &node->id);
        if (node->status != NODE_ACTIVE && (!old || old->status == NODE_ACTIVE))
            core->unsettled_until_us = core->now.mono_us + departure_us;
    }
}

bool core_may_regain(const struct core *core)
{
    return core->now.mono_us < core->unsettled_until_us;
}

void core_settle_now(struct core *core)
{
    core->settle_us = core->now.mono_us + settle_pause_us;
    if (!core_may_regain(core) && core->facets.shadow_count > 0 && core_is_caught_up(core))
        facet_shadows_prune(&core->facets, settle_one, core);
}

void core_settle(struct core *core)
{
    if (core->now.mono_us >= core->settle_us)
        core_settle_now(core);
}

void core_put_settled(struct core *core, struct store_batch *batch)
{
    const uint8_t key = (uint8_t)META_SETTLED;
    struct wire_writer writer = {0};
    if (!core->settled_dirty)
        return;
    vv_put(&writer, 1, &core->settled);
    store_batch_put(batch, STORE_META, (struct bytes){&key, 1}, wire_written(&writer));
    wire_writer_free(&writer);
    core->settled_dirty = false;
}

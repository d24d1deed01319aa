/* What a record may say about how far a node's streams count (facet 14 of its object), and
 * about its key (facet 10). Both can make void what the node wrote before, so there is a rule:
 * who removes a node, admits it again or gives it another key lists how far its streams go that
 * are over, with at least what the author had of each. What all nodes have is then never void,
 * and whatever that replaced may be forgotten. An operation that breaks the rule does not
 * count, on all nodes alike: the rule looks at the record and at what its author had applied.
 */
#include "replication/core_closing.h"

#include "lbnode/model/field_table.h"
#include "replication/facet_internal.h"
#include "replication/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---------------------------------------------------------------------------- */

static bool read_status(struct bytes value, int64_t *out_status, struct vv *out_cutoff)
{
    struct error error;
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct node *node = CONTAINER_OF(resource, struct node, resource);
    bool good = resource_read_facet(resource, FACET_NODE_STATUS, value, &error);
    *out_status = node->status;
    out_cutoff->count = 0;
    if (good)
        roster_read_cutoff(&node->cutoff, out_cutoff);
    resource_free(resource);
    return good;
}

static bool is_known(const struct facet_stamp *stamp, struct dot dot)
{
    return dot.stream == stamp->dot.stream ? dot.seq < stamp->dot.seq
                                           : vv_get(stamp->context, dot.stream) >= dot.seq;
}

/* What is void now is not on all nodes, so it says nothing: neither what it said nor what it
 * replaced. But the record is judged as one that counts, and with it what is before it in its
 * own stream. */
static bool counts_for(const struct core *core, const struct facet_stamp *stamp, struct dot dot)
{
    return is_known(stamp, dot) &&
           (dot.stream == stamp->dot.stream || !core_is_void(core, dot));
}

static bool stood_for(const struct core *core,
                      const struct facet_entry *entry,
                      const struct facet_stamp *stamp)
{
    bool stood = counts_for(core, stamp, entry->dot);
    for (size_t i = 0; stood && i < entry->by_count; i++)
        stood = !counts_for(core, stamp, entry->by[i]);
    return stood;
}

/* The entries of FACET that stood for the author of STAMP's record, as views. */
static struct facet_state entries_known(const struct core *core,
                                        const struct uuid *node_id,
                                        uint16_t facet,
                                        const struct facet_stamp *stamp)
{
    const struct object *object = facet_object(&core->facets, node_id);
    const struct facet_state *state = object ? facet_of(object, facet) : NULL;
    const struct facet_shadows *shadows = uuid_map_get(&core->facets.shadows, node_id);
    struct facet_state out = {.facet = facet};
    for (size_t i = 0; state && i < state->count; i++)
        if (state->entries[i].type == RESOURCE_NODE &&
            stood_for(core, &state->entries[i], stamp))
            *facet_append_entry(&out) = state->entries[i];
    for (size_t i = 0; shadows && i < shadows->count; i++)
        if (shadows->items[i].facet == facet && shadows->items[i].entry.type == RESOURCE_NODE &&
            stood_for(core, &shadows->items[i].entry, stamp))
            *facet_append_entry(&out) = shadows->items[i].entry;
    return out;
}

/* The node as the author of STAMP's record knew it. */
static struct roster_node
node_known(const struct core *core, const struct uuid *node_id, const struct facet_stamp *stamp)
{
    struct roster_node out = {.id = *node_id};
    struct facet_state statuses = entries_known(core, node_id, FACET_NODE_STATUS, stamp);
    struct facet_state keys = entries_known(core, node_id, FACET_NODE_KEY, stamp);
    roster_read_known(&statuses, &keys, &out);
    free(statuses.entries);
    free(keys.entries);
    return out;
}

/* ---- the rule --------------------------------------------------------------------------- */

/* What a record says about an object that is a node or a key grant to it: of a node the value
 * of facet 14, and its key. */
struct saying {
    struct uuid id;
    enum facet_realm realm;
    bool about_node; /* facet 10 or 14 */
    bool has_key, malformed, counts;
    int64_t status;
    struct vv listed;
    uint8_t key_id[RECORD_KEY_ID_SIZE];
};

/* By id, and of one id the highest realm first. */
static int compare_sayings(const void *a, const void *b)
{
    const struct saying *left = a, *right = b;
    int order = uuid_compare(&left->id, &right->id);
    return order ? order : (int)right->realm - (int)left->realm;
}

static int compare_to_id(const void *id, const void *saying)
{
    return uuid_compare(id, &((const struct saying *)saying)->id);
}

static struct saying *find_saying(const struct sayings *sayings, const struct uuid *id)
{
    return sayings->count == 0 ? NULL
                               : bsearch(id, sayings->items, sayings->count,
                                         sizeof(*sayings->items), compare_to_id);
}

/* One for each object that RECORD names in one of the higher realms. */
static void list_objects(const struct record *record, struct sayings *out)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    size_t capacity = 0, kept = 0;
    while (record_next_op(&ops, &op)) {
        if (facet_realm_of(op.type) == REALM_THINGS)
            continue;
        out->items = memory_grow(out->items, out->count, &capacity, sizeof(*out->items));
        out->items[out->count++] =
            (struct saying){.id = op.object_id, .realm = facet_realm_of(op.type)};
    }
    if (out->count == 0)
        return;
    qsort(out->items, out->count, sizeof(*out->items), compare_sayings);
    for (size_t i = 0; i < out->count; i++)
        if (i == 0 || !uuid_equal(&out->items[i].id, &out->items[kept - 1].id))
            out->items[kept++] = out->items[i];
    out->count = kept;
}

static void read_saying(const struct record_op *op, struct saying *saying)
{
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    saying->about_node |= op->facet == FACET_NODE_STATUS || op->facet == FACET_NODE_KEY;
    if (op->facet == FACET_NODE_STATUS) {
        saying->malformed |= !read_status(op->value, &saying->status, &saying->listed);
    } else if (op->facet == FACET_NODE_KEY) {
        saying->has_key = roster_read_key(op, key);
        saying->malformed |= !saying->has_key;
        if (saying->has_key)
            record_key_id(key, saying->key_id);
    }
}

/* How much of STREAM has to be listed: 0: nothing. */
static uint64_t needed_of(const struct roster_node *known,
                          const struct saying *saying,
                          const struct stream *stream,
                          const struct facet_stamp *stamp)
{
    uint64_t had = vv_get(stamp->context, stream->id);
    bool has_other_key =
        saying->has_key && memcmp(saying->key_id, stream->key_id, RECORD_KEY_ID_SIZE) != 0;
    if (!uuid_equal(&stream->node_id, &known->id) || stream->id == stamp->dot.stream ||
        (known->status == NODE_ACTIVE && saying->status == NODE_ACTIVE && !has_other_key &&
         vv_get(&saying->listed, stream->id) == 0))
        return 0;
    uint64_t limit = roster_limit(known, stream->id, stream->key_id, 0);
    return had < limit ? had : limit;
}

static bool lists_enough(const struct core *core,
                         const struct uuid *node_id,
                         const struct saying *saying,
                         const struct facet_stamp *stamp)
{
    struct roster_node known = node_known(core, node_id, stamp);
    bool enough = true;
    for (size_t i = 0; i < core->stream_count && enough; i++)
        enough = vv_get(&saying->listed, core->streams[i]->id) >=
                 needed_of(&known, saying, core->streams[i], stamp);
    roster_free_node(&known);
    return enough;
}

void core_read_sayings(const struct core *core,
                       const struct record *record,
                       const struct facet_stamp *stamp,
                       struct sayings *out)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    *out = (struct sayings){0};
    list_objects(record, out);
    while (out->count > 0 && record_next_op(&ops, &op))
        if (op.type == RESOURCE_NODE)
            read_saying(&op, find_saying(out, &op.object_id));
    for (size_t i = 0; i < out->count; i++) {
        struct saying *saying = &out->items[i];
        saying->counts = !saying->about_node ||
                         (!saying->malformed && lists_enough(core, &saying->id, saying, stamp));
    }
}

void core_sayings_free(struct sayings *sayings)
{
    for (size_t i = 0; i < sayings->count; i++)
        vv_free(&sayings->items[i].listed);
    free(sayings->items);
}

/* One record has one place for a value of a facet: it goes to the higher realm. */
bool core_op_counts(const struct sayings *sayings, const struct record_op *op)
{
    const struct saying *saying = find_saying(sayings, &op->object_id);
    if (!saying || op->type != RESOURCE_NODE)
        return !saying || saying->realm == facet_realm_of(op->type);
    if (op->facet == FACET_LIFE) /* it leaves by its status, and is below nothing */
        return op->value.size == 1 && op->value.data[0] == 1 && uuid_is_zero(&op->owner);
    return saying->counts || (op->facet != FACET_NODE_STATUS && op->facet != FACET_NODE_KEY);
}

enum removal core_removal_in(const struct core *core,
                             const struct record *record,
                             const struct uuid *author,
                             const struct vv *context)
{
    const struct facet_stamp stamp = {.dot = {record->stream, record->seq}, .context = context};
    struct sayings sayings;
    struct wire_reader ops = record->ops;
    struct record_op op;
    enum removal removal = REMOVES_NOBODY;
    core_read_sayings(core, record, &stamp, &sayings);
    while (sayings.count > 0 && record_next_op(&ops, &op)) {
        if (!roster_op_removes(&op) || !core_op_counts(&sayings, &op))
            continue;
        if (roster_op_revokes(&op) && uuid_equal(&op.object_id, author))
            removal = REVOKES_ITSELF;
        else if (removal == REMOVES_NOBODY)
            removal = REMOVES_A_NODE;
    }
    core_sayings_free(&sayings);
    return removal;
}

/* ---- own records ------------------------------------------------------------------------ */

static struct change_op *
find_op(const struct change_set *changes, const struct uuid *node_id, uint16_t facet)
{
    for (size_t i = changes->count; i-- > 0;)
        if (changes->ops[i].type == RESOURCE_NODE && changes->ops[i].facet == facet &&
            uuid_equal(&changes->ops[i].object_id, node_id))
            return &changes->ops[i];
    return NULL;
}

static void write_list(const struct vv *listed, struct node *node)
{
    char text[64];
    text_list_free(&node->cutoff);
    for (size_t i = 0; i < listed->count; i++) {
        int size = snprintf(text, sizeof(text), "%016llx=%llu",
                            (unsigned long long)listed->entries[i].stream,
                            (unsigned long long)listed->entries[i].seq);
        text_list_add(&node->cutoff, text, (size_t)size);
    }
}

/* In the place of what CHANGES say already. */
static bool put_status(struct change_set *changes, const struct resource *resource)
{
    struct change_op *old = find_op(changes, &resource->id, FACET_NODE_STATUS);
    size_t at = old ? (size_t)(old - changes->ops) : changes->count;
    if (!change_set_add_facet(changes, resource, FACET_NODE_STATUS))
        return false;
    if (at == changes->count - 1)
        return true;
    free(changes->ops[at].value);
    changes->ops[at] = changes->ops[--changes->count];
    return true;
}

static bool is_out(const struct core *core, const struct uuid *node_id)
{
    struct roster_node node;
    roster_read_standing(&core->facets, node_id, &node);
    bool out = node.status != NODE_ACTIVE;
    roster_free_node(&node);
    return out;
}

/* What the rule asks of a record that this node makes now, which may be more than what counts
 * here: something of what it knew may have become void. */
static void list_needed(const struct core *core,
                        const struct uuid *node_id,
                        const struct saying *saying,
                        struct vv *listed)
{
    struct vv context = {0};
    const struct facet_stamp stamp = {.context = &context};
    vv_copy(&context, &core->applied);
    core_add_ahead(core, NULL, &context);
    struct roster_node known = node_known(core, node_id, &stamp);
    for (size_t i = 0; i < core->stream_count; i++)
        vv_raise(listed, core->streams[i]->id,
                 needed_of(&known, saying, core->streams[i], &stamp));
    roster_free_node(&known);
    vv_free(&context);
}

/* The value of facet 14 with all the streams listed that are over now. */
static bool complete_status(const struct core *core,
                            const struct uuid *node_id,
                            struct bytes value,
                            struct saying *saying,
                            struct change_set *out)
{
    const struct roster_node *known = roster_find(&core->roster, node_id);
    struct error error;
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct node *node = CONTAINER_OF(resource, struct node, resource);
    bool good =
        value.size == 0 || resource_read_facet(resource, FACET_NODE_STATUS, value, &error);
    struct vv listed = {0};
    bool all = node->status != NODE_ACTIVE || is_out(core, node_id);
    roster_read_cutoff(&node->cutoff, &listed);
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        bool has_other_key =
            saying->has_key && memcmp(saying->key_id, stream->key_id, RECORD_KEY_ID_SIZE) != 0;
        bool was_listed = known && vv_get(&known->cutoff, stream->id) > 0;
        uint64_t limit = core_cutoff(core, stream);
        if (uuid_equal(&stream->node_id, node_id) && (all || has_other_key || was_listed))
            vv_raise(&listed, stream->id, stream->seq < limit ? stream->seq : limit);
    }
    saying->status = node->status;
    vv_copy(&saying->listed, &listed);
    list_needed(core, node_id, saying, &listed);
    vv_free(&saying->listed);
    write_list(&listed, node);
    vv_free(&listed);
    resource->id = *node_id;
    good = good && put_status(out, resource);
    resource_free(resource);
    return good;
}

static bool
complete_node(const struct core *core, const struct uuid *node_id, struct change_set *changes)
{
    const struct change_op *status = find_op(changes, node_id, FACET_NODE_STATUS);
    const struct change_op *key_op = find_op(changes, node_id, FACET_NODE_KEY);
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    struct saying saying = {0};
    struct bytes value = {0};
    if (key_op) {
        const struct record_op op = {.value = {key_op->value, key_op->value_size}};
        saying.has_key = roster_read_key(&op, key);
        if (saying.has_key)
            record_key_id(key, saying.key_id);
    }
    if (status)
        value = (struct bytes){status->value, status->value_size};
    return complete_status(core, node_id, value, &saying, changes);
}

static bool has_streams(const struct core *core, const struct uuid *node_id)
{
    for (size_t i = 0; i < core->stream_count; i++)
        if (uuid_equal(&core->streams[i]->node_id, node_id))
            return true;
    return false;
}

bool core_complete_closings(const struct core *core,
                            struct change_set *changes,
                            struct error *error)
{
    size_t count = changes->count; /* what is added is complete */
    for (size_t i = 0; i < count; i++) {
        const struct uuid id = changes->ops[i].object_id;
        uint16_t facet = changes->ops[i].facet;
        if (changes->ops[i].type != RESOURCE_NODE ||
            (facet != FACET_NODE_STATUS && facet != FACET_NODE_KEY) || !has_streams(core, &id))
            continue;
        if (facet == FACET_NODE_KEY && find_op(changes, &id, FACET_NODE_STATUS))
            continue; /* done with that */
        if (!complete_node(core, &id, changes))
            return error_set(error, ERROR_TOO_LARGE, "the change exceeds 4 MiB");
    }
    return true;
}

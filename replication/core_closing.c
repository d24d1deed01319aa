/* What a record may say about how far a node's streams count (facet 14 of its object), and
 * about its key (facet 10). Both can make void what the node wrote before, so there is a rule:
 * who removes a node, admits it again or gives it another key lists how far its streams go that
 * are over, with at least what the author had of each. What all nodes have is then never void,
 * and whatever that replaced may be forgotten. An operation that breaks the rule does not
 * count, on all nodes alike: the rule looks at the record and at what its author had applied.
 */
#include "replication/core_internal.h"

#include "lbnode/model/field_table.h"
#include "replication/facet_internal.h"

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

/* Void or not: to the author it was what counted. */
static bool stood_for(const struct facet_entry *entry, const struct facet_stamp *stamp)
{
    bool stood = is_known(stamp, entry->dot);
    for (size_t i = 0; i < entry->by_count; i++)
        stood &= !is_known(stamp, entry->by[i]);
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
        if (stood_for(&state->entries[i], stamp))
            *facet_append_entry(&out) = state->entries[i];
    for (size_t i = 0; shadows && i < shadows->count; i++)
        if (shadows->items[i].facet == facet && stood_for(&shadows->items[i].entry, stamp))
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

/* What the record says about its node NODE_ID: a view of the value of facet 14, and the key. */
struct saying {
    bool has_status, has_key, malformed;
    int64_t status;
    struct vv listed;
    uint8_t key_id[RECORD_KEY_ID_SIZE];
};

static struct saying read_saying(const struct record *record, const struct uuid *node_id)
{
    struct saying saying = {0};
    struct wire_reader ops = record->ops;
    struct record_op op;
    while (record_next_op(&ops, &op)) {
        uint8_t key[SIGN_PUBLIC_KEY_SIZE];
        if (op.type != RESOURCE_NODE || !uuid_equal(&op.object_id, node_id))
            continue;
        if (op.facet == FACET_NODE_STATUS) {
            saying.has_status = true;
            saying.malformed |= !read_status(op.value, &saying.status, &saying.listed);
        } else if (op.facet == FACET_NODE_KEY) {
            saying.has_key = roster_read_key(&op, key);
            saying.malformed |= !saying.has_key;
            if (saying.has_key)
                record_key_id(key, saying.key_id);
        }
    }
    return saying;
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
        (known->status == NODE_ACTIVE && saying->status == NODE_ACTIVE && !has_other_key))
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

bool core_op_counts(const struct core *core,
                    const struct record *record,
                    const struct record_op *op,
                    const struct facet_stamp *stamp)
{
    if (op->type != RESOURCE_NODE ||
        (op->facet != FACET_NODE_STATUS && op->facet != FACET_NODE_KEY))
        return true;
    struct saying saying = read_saying(record, &op->object_id);
    bool counts = !saying.malformed && lists_enough(core, &op->object_id, &saying, stamp);
    vv_free(&saying.listed);
    return counts;
}

bool core_removes_a_node(const struct core *core,
                         const struct record *record,
                         const struct vv *context)
{
    const struct facet_stamp stamp = {.dot = {record->stream, record->seq}, .context = context};
    struct wire_reader ops = record->ops;
    struct record_op op;
    while (record_next_op(&ops, &op))
        if (roster_op_removes(&op) && core_op_counts(core, record, &op, &stamp))
            return true;
    return false;
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
    list_needed(core, node_id, saying, &listed);
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

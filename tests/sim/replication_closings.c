/* Which records count in what they say about a node's key and its end (facets 10 and 14 of its
 * object), by docs/protocol.md section 3, read from the records alone: whoever closes streams
 * of a node lists at least what it had of them. */
#include "tests/sim/replication_world.h"

#include "lbnode/model/field_table.h"
#include "replication/memory.h"
#include "replication/record.h"
#include "replication/roster.h"

#include <stdlib.h>
#include <string.h>

struct opened_stream {
    uint64_t id;
    struct uuid node_id;
    uint8_t key_id[RECORD_KEY_ID_SIZE];
};

/* What one record says about one node. */
struct closing {
    struct uuid node_id;
    struct dot dot;
    uint64_t hlc;
    struct vv context; /* what its author had applied */
    bool has_status, has_key, is_malformed, counts;
    int64_t status;
    struct vv listed;
    uint8_t key_id[RECORD_KEY_ID_SIZE];
};

struct closings {
    const struct vv *counting; /* of each stream */
    struct opened_stream *streams;
    size_t stream_count, stream_capacity;
    struct closing *items; /* nobody knows a later one */
    size_t count, capacity;
};

/* ---- reading ---------------------------------------------------------------------------- */

static struct closing *item_for(struct closings *closings,
                                const struct record *record,
                                const struct uuid *node_id,
                                const struct vv *context)
{
    for (size_t i = closings->count; i-- > 0;) {
        struct closing *item = &closings->items[i];
        if (item->dot.stream != record->stream || item->dot.seq != record->seq)
            break;
        if (uuid_equal(&item->node_id, node_id))
            return item;
    }
    closings->items = memory_grow(closings->items, closings->count, &closings->capacity,
                                  sizeof(*closings->items));
    struct closing *item = &closings->items[closings->count++];
    *item = (struct closing){
        .node_id = *node_id, .dot = {record->stream, record->seq}, .hlc = record->hlc};
    vv_copy(&item->context, context);
    return item;
}

static void read_status(struct closing *item, struct bytes value)
{
    struct error error;
    struct resource *resource = resource_new(RESOURCE_NODE);
    const struct node *node = CONTAINER_OF(resource, struct node, resource);
    item->has_status = true;
    item->is_malformed |= !resource_read_facet(resource, FACET_NODE_STATUS, value, &error);
    item->status = node->status;
    item->listed.count = 0;
    roster_read_cutoff(&node->cutoff, &item->listed);
    resource_free(resource);
}

static void read_key(struct closing *item, const struct record_op *op)
{
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    item->has_key = roster_read_key(op, key);
    item->is_malformed |= !item->has_key;
    if (item->has_key)
        record_key_id(key, item->key_id);
}

static void
read_record(struct closings *closings, const struct record *record, const struct vv *context)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    while (record_next_op(&ops, &op)) {
        if (op.type != RESOURCE_NODE)
            continue;
        if (op.facet == FACET_NODE_STATUS)
            read_status(item_for(closings, record, &op.object_id, context), op.value);
        else if (op.facet == FACET_NODE_KEY)
            read_key(item_for(closings, record, &op.object_id, context), &op);
    }
}

/* FIRST is its record with number 1. */
static void
read_stream(struct closings *closings, const struct world *world, const struct record *first)
{
    struct vv context = {0};
    struct record record = *first;
    const struct world_record *next = NULL;
    closings->streams = memory_grow(closings->streams, closings->stream_count,
                                    &closings->stream_capacity, sizeof(*closings->streams));
    struct opened_stream *stream = &closings->streams[closings->stream_count++];
    *stream = (struct opened_stream){.id = first->stream, .node_id = first->node_id};
    memcpy(stream->key_id, first->key_id, sizeof(stream->key_id));
    do {
        struct wire_reader deps = record.deps;
        struct dot dep;
        while (record_next_dep(&deps, &dep))
            vv_raise(&context, dep.stream, dep.seq);
        read_record(closings, &record, &context);
        vv_raise(&context, record.stream, record.seq);
        next = world_recorded(world, (struct dot){record.stream, record.seq + 1});
    } while (next && record_parse((struct bytes){next->bytes, next->size}, &record));
    vv_free(&context);
}

/* ---- the rule --------------------------------------------------------------------------- */

static bool knows(const struct closing *item, struct dot dot)
{
    return vv_get(&item->context, dot.stream) >= dot.seq;
}

/* What is void says nothing; but what is before the reader in its stream is judged as it is. */
static bool knows_valid(const struct closings *closings,
                        const struct closing *reader,
                        const struct closing *one)
{
    return one->counts && knows(reader, one->dot) &&
           (one->dot.stream == reader->dot.stream ||
            vv_get(closings->counting, one->dot.stream) >= one->dot.seq);
}

static bool stood_for(const struct closings *closings,
                      const struct closing *reader,
                      const struct closing *one,
                      bool is_status)
{
    if (!knows_valid(closings, reader, one) || !(is_status ? one->has_status : one->has_key) ||
        !uuid_equal(&one->node_id, &reader->node_id))
        return false;
    for (const struct closing *by = one + 1; by < reader; by++)
        if (knows_valid(closings, reader, by) && (is_status ? by->has_status : by->has_key) &&
            knows(by, one->dot) && uuid_equal(&by->node_id, &reader->node_id))
            return false;
    return true;
}

static bool is_later(const struct closing *one, const struct closing *other)
{
    const uint64_t left[] = {one->hlc, one->dot.stream, one->dot.seq};
    const uint64_t right[] = {other->hlc, other->dot.stream, other->dot.seq};
    size_t i = 0;
    while (i < 2 && left[i] == right[i])
        i++;
    return left[i] > right[i];
}

/* How far STREAM counted for the author of READER, and whether its node was out. */
static uint64_t limit_known(const struct closings *closings,
                            const struct closing *reader,
                            const struct opened_stream *stream,
                            bool *out_is_out)
{
    uint64_t most = 0, least = UINT64_MAX, lowered = UINT64_MAX, told = 0;
    int64_t status = NODE_ACTIVE;
    const struct closing *key = NULL;
    for (const struct closing *one = closings->items; one < reader; one++) {
        bool says = stood_for(closings, reader, one, true);
        bool names_key = stood_for(closings, reader, one, false);
        uint64_t own = one->dot.stream == stream->id ? one->dot.seq : 0;
        uint64_t listed = says ? vv_get(&one->listed, stream->id) : 0;
        if (says && one->status != NODE_ACTIVE) {
            listed = listed > own ? listed : own;
            most = listed > most ? listed : most;
            least = listed < least ? listed : least;
            status = one->status > status ? one->status : status;
        } else if (says && listed > 0) {
            listed = listed > own ? listed : own;
            lowered = listed < lowered ? listed : lowered;
        }
        if (((says && one->status == NODE_ACTIVE) || names_key) && own > told)
            told = own;
        key = names_key && (!key || is_later(one, key)) ? one : key;
    }
    *out_is_out = status != NODE_ACTIVE;
    if (*out_is_out) {
        uint64_t limit = status == NODE_REVOKED ? least : most;
        return limit < lowered ? limit : lowered;
    }
    bool is_present = key && memcmp(key->key_id, stream->key_id, RECORD_KEY_ID_SIZE) == 0;
    return lowered == UINT64_MAX && !is_present ? told : lowered;
}

static bool lists_enough(const struct closings *closings, const struct closing *item)
{
    bool enough = true;
    for (size_t i = 0; i < closings->stream_count; i++) {
        const struct opened_stream *stream = &closings->streams[i];
        bool was_out;
        if (!uuid_equal(&stream->node_id, &item->node_id) || stream->id == item->dot.stream)
            continue;
        uint64_t had = vv_get(&item->context, stream->id);
        uint64_t limit = limit_known(closings, item, stream, &was_out);
        bool has_other_key =
            item->has_key && memcmp(item->key_id, stream->key_id, RECORD_KEY_ID_SIZE) != 0;
        uint64_t listed = vv_get(&item->listed, stream->id);
        if (was_out || item->status != NODE_ACTIVE || has_other_key || listed > 0)
            enough &= listed >= (had < limit ? had : limit);
    }
    return enough;
}

static bool knows_one_from(const struct closings *closings, size_t which, size_t from)
{
    for (size_t i = from; i < closings->count; i++)
        if (i != which && knows(&closings->items[which], closings->items[i].dot))
            return true;
    return false;
}

/* Who knows a record comes after it. (Clocks may be days ahead, and not all is always named.)
 */
static void sort_items(struct closings *closings)
{
    for (size_t i = 0; i < closings->count; i++) {
        size_t next = i;
        while (next + 1 < closings->count && knows_one_from(closings, next, i))
            next++;
        struct closing saved = closings->items[i];
        closings->items[i] = closings->items[next];
        closings->items[next] = saved;
    }
}

struct closings *world_closings(const struct world *world, const struct vv *counting)
{
    struct closings *closings = memory_new(sizeof(*closings));
    closings->counting = counting;
    const struct world_record *bytes;
    struct record record;
    for (size_t i = 0; (bytes = uuid_map_next(&world->records, &i));)
        if (record_parse((struct bytes){bytes->bytes, bytes->size}, &record) && record.seq == 1)
            read_stream(closings, world, &record);
    sort_items(closings);
    for (size_t i = 0; i < closings->count; i++) {
        struct closing *item = &closings->items[i];
        item->counts = !item->is_malformed && lists_enough(closings, item);
    }
    return closings;
}

bool closings_count(const struct closings *closings, struct dot dot, const struct uuid *node_id)
{
    for (size_t i = 0; i < closings->count; i++) {
        const struct closing *item = &closings->items[i];
        if (item->dot.stream == dot.stream && item->dot.seq == dot.seq &&
            uuid_equal(&item->node_id, node_id))
            return item->counts;
    }
    return true;
}

void closings_free(struct closings *closings)
{
    for (size_t i = 0; i < closings->count; i++) {
        vv_free(&closings->items[i].context);
        vv_free(&closings->items[i].listed);
    }
    free(closings->items);
    free(closings->streams);
    free(closings);
}

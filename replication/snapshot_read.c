#include "replication/snapshot_read.h"

#include "replication/core_internal.h"
#include "replication/core_root.h"
#include "replication/memory.h"
#include "replication/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct node_key {
    struct uuid node_id;
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
};

/* The next record of a stream. */
struct head {
    uint64_t stream, next, last;
    struct node_key owner;
    bool is_told;         /* a record said that this is a key of that node */
    struct record record; /* a view into `bytes` */
    struct wire_writer bytes;
    bool is_late; /* something that it builds on is still to come */
};

struct survivor {
    struct dot dot;
    uint32_t op_index;
    struct wire_writer by; /* 16 bytes for each record that replaced it */
};

struct snapshot_reader {
    struct store *store;
    struct vv upto;    /* what was applied at its beginning */
    struct vv settled; /* what can never become void */
    /* Values that count, though something void replaced them. */
    struct survivor *survivors;
    size_t survivor_count, survivor_capacity;
    struct snapshot_part end;
    struct wire_writer first; /* BEGIN and STREAM parts, as frames */
    struct wire_reader cursor;
    struct head *heads; /* by stream; those that have a record */
    size_t head_count, head_capacity;
    bool is_over;
    int error;
};

/* ---- the log ---------------------------------------------------------------------------- */

struct finding {
    struct head *head;
    int result;
};

static bool find_record(void *context, struct bytes key, struct bytes value)
{
    struct finding *finding = context;
    struct head *head = finding->head;
    if (key.size != 16 || load_be64(key.data) != head->stream ||
        load_be64(key.data + 8) > head->last)
        return false;
    head->next = load_be64(key.data + 8);
    wire_append(&head->bytes, value.data, value.size);
    finding->result = record_parse(wire_written(&head->bytes), &head->record) ? 1 : -EBADMSG;
    return false;
}

/* The first record of the stream from `next` on; there may be gaps. 1, 0: none, or -errno. */
static int load_head(struct store *store, struct head *head)
{
    uint8_t key[16];
    struct finding finding = {.head = head};
    head->bytes.size = 0;
    store_be64(key, head->stream);
    store_be64(key + 8, head->next);
    int result =
        store_walk(store, STORE_LOG, (struct bytes){key, sizeof(key)}, find_record, &finding);
    return result ? result : finding.result;
}

static struct head *head_of(const struct snapshot_reader *reader, uint64_t stream)
{
    size_t low = 0, high = reader->head_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (reader->heads[middle].stream < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return low < reader->head_count && reader->heads[low].stream == stream ? &reader->heads[low]
                                                                           : NULL;
}

static void drop_head(struct snapshot_reader *reader, struct head *head)
{
    size_t at = (size_t)(head - reader->heads);
    wire_writer_free(&head->bytes);
    memmove(head, head + 1, (--reader->head_count - at) * sizeof(*head));
}

static bool
is_to_come(const struct snapshot_reader *reader, const struct head *but, struct dot dot)
{
    const struct head *other = head_of(reader, dot.stream);
    return other && other != but && other->next <= dot.seq;
}

/* What tells the stream's key is among the dependencies, but those of its first records may be
 * gone with them. */
static bool waits_for_another(const struct snapshot_reader *reader, const struct head *head)
{
    struct wire_reader deps = head->record.deps;
    struct dot dep;
    if (!head->is_told)
        return true;
    while (record_next_dep(&deps, &dep))
        if (is_to_come(reader, head, dep))
            return true;
    return false;
}

static struct head *earliest(struct snapshot_reader *reader)
{
    struct head *best = NULL;
    for (size_t i = 0; i < reader->head_count; i++) {
        struct head *head = &reader->heads[i];
        if (!head->is_late && (!best || head->record.hlc < best->record.hlc))
            best = head;
    }
    return best;
}

/* Clock stamps respect causality, but for clocks that were a day wrong. */
static struct head *next_head(struct snapshot_reader *reader)
{
    struct head *head, *first = NULL;
    for (size_t i = 0; i < reader->head_count; i++)
        reader->heads[i].is_late = false;
    while ((head = earliest(reader)) && waits_for_another(reader, head)) {
        head->is_late = true;
        first = first ? first : head;
    }
    return head ? head : first;
}

/* ---- parts ------------------------------------------------------------------------------ */

enum {
    DOT_SIZE = 8 + 8
};

struct dead_walk {
    const struct snapshot_reader *reader;
    struct dot dot;
    size_t survivor; /* the next one that may be of this record */
    struct wire_writer list, replaced;
};

static void put_replaced(struct dead_walk *walk, uint32_t op_index, struct bytes by)
{
    uint8_t head[8];
    store_be32(head, op_index);
    store_be32(head + 4, (uint32_t)(by.size / DOT_SIZE));
    wire_append(&walk->replaced, head, sizeof(head));
    wire_append(&walk->replaced, by.data, by.size);
}

/* Survivors with a number below OP_INDEX. */
static void put_survivors(struct dead_walk *walk, uint64_t op_index)
{
    const struct snapshot_reader *reader = walk->reader;
    for (; walk->survivor < reader->survivor_count; walk->survivor++) {
        const struct survivor *survivor = &reader->survivors[walk->survivor];
        if (survivor->dot.stream != walk->dot.stream || survivor->dot.seq != walk->dot.seq)
            continue;
        if (survivor->op_index >= op_index)
            return;
        put_replaced(walk, survivor->op_index, wire_written(&survivor->by));
    }
}

static bool note_dead(void *context, struct bytes key, struct bytes value)
{
    struct dead_walk *walk = context;
    struct wire_writer by = {0};
    bool is_settled = false;
    if (key.size != 20 || load_be64(key.data) != walk->dot.stream ||
        load_be64(key.data + 8) != walk->dot.seq)
        return false;
    uint32_t op_index = load_be32(key.data + 16);
    /* What a record above the snapshot replaced meanwhile still counts in it. */
    for (size_t at = 0; at + DOT_SIZE <= value.size; at += DOT_SIZE) {
        uint64_t stream = load_be64(value.data + at), seq = load_be64(value.data + at + 8);
        is_settled |= seq <= vv_get(&walk->reader->settled, stream);
        if (seq <= vv_get(&walk->reader->upto, stream))
            wire_append(&by, value.data + at, DOT_SIZE);
    }
    if (value.size >= DOT_SIZE && by.size == 0)
        return true;
    wire_append(&walk->list, key.data + 16, 4);
    put_survivors(walk, op_index);
    if (value.size > 0 && !is_settled)
        put_replaced(walk, op_index, wire_written(&by));
    wire_writer_free(&by);
    return true;
}

static int
put_record(struct snapshot_reader *reader, struct head *head, struct wire_writer *out)
{
    struct dead_walk walk = {.reader = reader, .dot = {head->stream, head->next}};
    uint8_t key[20] = {0};
    store_be64(key, walk.dot.stream);
    store_be64(key + 8, walk.dot.seq);
    int result = store_walk(reader->store, STORE_DEAD, (struct bytes){key, sizeof(key)},
                            note_dead, &walk);
    put_survivors(&walk, UINT64_MAX);
    const struct snapshot_part part = {
        .kind = SNAPSHOT_RECORD,
        .transfer = reader->end.transfer,
        .record = wire_written(&head->bytes),
        .dead = wire_written(&walk.list),
        .replaced = wire_written(&walk.replaced),
    };
    if (!result)
        snapshot_part_put(out, &part);
    wire_writer_free(&walk.list);
    wire_writer_free(&walk.replaced);
    return result;
}

/* Streams of a key come after the record that gave it to the node; nodes may have had several.
 */
static void note_keys(struct snapshot_reader *reader, const struct record *record)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    while (record_next_op(&ops, &op)) {
        if (op.type != RESOURCE_NODE || op.facet != FACET_NODE_KEY ||
            !roster_read_key(&op, key))
            continue;
        for (size_t i = 0; i < reader->head_count; i++) {
            struct head *head = &reader->heads[i];
            head->is_told |= uuid_equal(&head->owner.node_id, &op.object_id) &&
                             memcmp(head->owner.key, key, sizeof(key)) == 0;
        }
    }
}

static int next_record(struct snapshot_reader *reader, struct wire_writer *out)
{
    struct head *head = next_head(reader);
    if (!head)
        return 0;
    int result = put_record(reader, head, out);
    if (result)
        return result;
    reader->end.records++;
    note_keys(reader, &head->record);
    head->next++;
    result = load_head(reader->store, head);
    if (result == 0)
        drop_head(reader, head);
    return result < 0 ? result : 1;
}

int snapshot_reader_next(struct snapshot_reader *reader,
                         uint32_t *out_type,
                         struct wire_writer *out)
{
    struct bytes body;
    if (reader->error)
        return reader->error;
    if (frame_next(&reader->cursor, out_type, &body)) {
        wire_append(out, body.data, body.size);
        return 1;
    }
    if (reader->is_over)
        return 0;
    *out_type = SNAPSHOT_RECORD;
    int result = next_record(reader, out);
    if (result == 0) {
        *out_type = SNAPSHOT_END;
        snapshot_part_put(out, &reader->end);
        reader->is_over = true;
        return 1;
    }
    reader->error = result < 0 ? result : 0;
    return result;
}

/* ---- the beginning ---------------------------------------------------------------------- */

static void note_survivors(struct snapshot_reader *reader, const struct facet_state *state)
{
    for (size_t e = 0; e < state->count; e++) {
        const struct facet_entry *entry = &state->entries[e];
        if (entry->by_count == 0)
            continue;
        reader->survivors = memory_grow(reader->survivors, reader->survivor_count,
                                        &reader->survivor_capacity, sizeof(*reader->survivors));
        struct survivor *survivor = &reader->survivors[reader->survivor_count++];
        *survivor = (struct survivor){.dot = entry->dot, .op_index = entry->op_index};
        for (size_t i = 0; i < entry->by_count; i++) {
            uint8_t dot[DOT_SIZE];
            store_be64(dot, entry->by[i].stream);
            store_be64(dot + 8, entry->by[i].seq);
            wire_append(&survivor->by, dot, sizeof(dot));
        }
    }
}

static int compare_survivors(const void *left, const void *right)
{
    const struct survivor *a = left, *b = right;
    return a->op_index < b->op_index ? -1 : a->op_index > b->op_index;
}

static void find_survivors(struct snapshot_reader *reader, const struct core *core)
{
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&core->facets.objects, &i));)
        for (size_t f = 0; f < object->count; f++)
            note_survivors(reader, &object->facets[f]);
    if (reader->survivor_count > 0)
        qsort(reader->survivors, reader->survivor_count, sizeof(*reader->survivors),
              compare_survivors);
}

struct opening {
    struct snapshot_reader *reader;
    const struct core *core;
    uint64_t streams;
};

static void find_node(const struct core *core, struct head *head)
{
    const struct stream *stream = core_stream(core, head->stream);
    if (!stream)
        return;
    head->owner.node_id = stream->node_id;
    memcpy(head->owner.key, stream->public_key, sizeof(head->owner.key));
    head->is_told =
        memcmp(core->genesis.first_key, stream->public_key, SIGN_PUBLIC_KEY_SIZE) == 0 ||
        core_is_root(core, &stream->node_id);
}

static void note_stream(void *context, uint64_t stream, struct bytes row)
{
    struct opening *opening = context;
    struct snapshot_reader *reader = opening->reader;
    struct wire_writer body = {0};
    const struct snapshot_part part = {
        .kind = SNAPSHOT_STREAM,
        .transfer = reader->end.transfer,
        .stream = stream,
        .row = row,
    };
    snapshot_part_put(&body, &part);
    frame_append(&reader->first, SNAPSHOT_STREAM, wire_written(&body));
    wire_writer_free(&body);
    opening->streams++;
    struct head head = {
        .stream = stream, .next = 1, .last = vv_get(core_vector(opening->core), stream)};
    find_node(opening->core, &head);
    int found = load_head(reader->store, &head);
    if (found <= 0) {
        wire_writer_free(&head.bytes);
        reader->error = found ? found : reader->error;
        return;
    }
    reader->heads = memory_grow(reader->heads, reader->head_count, &reader->head_capacity,
                                sizeof(*reader->heads));
    reader->heads[reader->head_count++] = head;
}

static void put_begin(struct snapshot_reader *reader,
                      const struct core *core,
                      uint64_t streams,
                      struct wire_writer *out)
{
    struct wire_writer body = {0};
    struct snapshot_part part = {
        .kind = SNAPSHOT_BEGIN,
        .transfer = reader->end.transfer,
        .schema = SNAPSHOT_SCHEMA,
        .streams = streams,
        .records = core_log_count(core),
        .hlc = core_clock(core),
    };
    memcpy(part.state_hash, reader->end.state_hash, HASH_SIZE);
    snapshot_part_put(&body, &part);
    frame_append(out, SNAPSHOT_BEGIN, wire_written(&body));
    wire_writer_free(&body);
}

struct snapshot_reader *
snapshot_reader_new(struct core *core, struct store *store, uint64_t transfer)
{
    struct snapshot_reader *reader = memory_new(sizeof(*reader));
    struct wire_writer all = {0};
    struct opening opening = {.reader = reader, .core = core};
    reader->store = store;
    reader->end = (struct snapshot_part){.kind = SNAPSHOT_END, .transfer = transfer};
    if (!core_snapshot_hash(core, reader->end.state_hash)) {
        free(reader);
        return NULL;
    }
    vv_copy(&reader->upto, core_vector(core));
    vv_copy(&reader->settled, &core->settled);
    find_survivors(reader, core);
    core_visit_streams(core, note_stream, &opening);
    put_begin(reader, core, opening.streams, &all);
    wire_append(&all, reader->first.data, reader->first.size);
    wire_writer_free(&reader->first);
    reader->first = all;
    reader->cursor = wire_reader_of(wire_written(&reader->first));
    if (all.failed)
        reader->error = -EMSGSIZE;
    return reader;
}

void snapshot_reader_free(struct snapshot_reader *reader)
{
    if (!reader)
        return;
    for (size_t i = 0; i < reader->head_count; i++)
        wire_writer_free(&reader->heads[i].bytes);
    free(reader->heads);
    for (size_t i = 0; i < reader->survivor_count; i++)
        wire_writer_free(&reader->survivors[i].by);
    free(reader->survivors);
    vv_free(&reader->upto);
    vv_free(&reader->settled);
    wire_writer_free(&reader->first);
    free(reader);
}

#include "replication/snapshot_read.h"

#include "replication/core_internal.h"
#include "replication/memory.h"
#include "replication/packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    NODE_KEYS_FACET = 10
};

/* The next record of a stream. */
struct head {
    uint64_t stream, next, last;
    struct dot node[2];   /* what made the stream's node known: its life, its keys */
    struct record record; /* a view into `bytes` */
    struct wire_writer bytes;
    bool is_late; /* something that it builds on is still to come */
};

struct snapshot_reader {
    struct store *store;
    struct vv upto; /* what was applied at its beginning */
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

/* What tells the node's key is among the dependencies, but those of a stream's first records
 * may be gone with them. */
static bool waits_for_another(const struct snapshot_reader *reader, const struct head *head)
{
    struct wire_reader deps = head->record.deps;
    struct dot dep;
    for (size_t i = 0; i < ARRAY_LENGTH(head->node); i++)
        if (is_to_come(reader, head, head->node[i]))
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

struct dead_walk {
    const struct vv *upto;
    uint64_t stream, seq;
    struct wire_writer list;
};

static bool note_dead(void *context, struct bytes key, struct bytes value)
{
    struct dead_walk *walk = context;
    if (key.size != 20 || load_be64(key.data) != walk->stream ||
        load_be64(key.data + 8) != walk->seq)
        return false;
    /* What a record above the snapshot replaced meanwhile still counts in it. */
    if (value.size == 16 &&
        vv_get(walk->upto, load_be64(value.data)) < load_be64(value.data + 8))
        return true;
    wire_append(&walk->list, key.data + 16, 4);
    return true;
}

static int
put_record(struct snapshot_reader *reader, struct head *head, struct wire_writer *out)
{
    struct dead_walk walk = {.upto = &reader->upto, .stream = head->stream, .seq = head->next};
    uint8_t key[20] = {0};
    store_be64(key, walk.stream);
    store_be64(key + 8, walk.seq);
    int result = store_walk(reader->store, STORE_DEAD, (struct bytes){key, sizeof(key)},
                            note_dead, &walk);
    const struct snapshot_part part = {
        .kind = SNAPSHOT_RECORD,
        .transfer = reader->end.transfer,
        .record = wire_written(&head->bytes),
        .dead = wire_written(&walk.list),
    };
    if (!result)
        snapshot_part_put(out, &part);
    wire_writer_free(&walk.list);
    return result;
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

struct opening {
    struct snapshot_reader *reader;
    const struct core *core;
    uint64_t streams;
};

static void find_node(const struct core *core, struct head *head)
{
    const uint16_t facets[] = {FACET_LIFE, NODE_KEYS_FACET};
    const struct stream *stream = core_stream(core, head->stream);
    const struct object *node =
        stream ? facet_object(core_facets(core), &stream->node_id) : NULL;
    for (size_t i = 0; node && i < ARRAY_LENGTH(facets); i++) {
        const struct facet_entry *entry = facet_winner(facet_of(node, facets[i]));
        if (entry)
            head->node[i] = entry->dot;
    }
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
    vv_free(&reader->upto);
    wire_writer_free(&reader->first);
    free(reader);
}

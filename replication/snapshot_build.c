#include "replication/snapshot_build.h"

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"
#include "replication/core_root.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

/* How much of a stream has come; beside the core's stream, which tells where it ends. */
struct arrival {
    uint64_t stream, seq; /* of its last record so far */
    uint8_t hash[HASH_SIZE];
    bool is_trusted; /* its key is that of a node in the roster */
};

struct node_key {
    struct uuid node_id;
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
};

struct snapshot_build {
    struct core *core;
    struct store_batch rows;
    struct snapshot_part begin; /* transfer 0: it has not come */
    enum snapshot_kind last;    /* of the parts so far */
    struct arrival *arrivals;   /* by stream */
    size_t arrival_count, arrival_capacity;
    uint64_t records;
    size_t stream_bytes;
    bool is_complete;
    struct bytes *early; /* owned: the owner's records that do not fit yet */
    size_t early_count, early_capacity;
    const char *problem;   /* NULL: none */
    struct node_key *keys; /* that nodes have now or had */
    size_t key_count, key_capacity;
};

struct snapshot_build *snapshot_build_new(struct core *core)
{
    struct snapshot_build *build = memory_new(sizeof(*build));
    build->core = core;
    store_batch_clear(&build->rows, STORE_LOG);
    store_batch_clear(&build->rows, STORE_FACET);
    store_batch_clear(&build->rows, STORE_DEAD);
    return build;
}

static bool wrong(struct snapshot_build *build, const char *problem)
{
    build->problem = problem;
    return false;
}

/* ---- streams ---------------------------------------------------------------------------- */

static struct arrival *arrival_of(const struct snapshot_build *build, uint64_t stream)
{
    size_t low = 0, high = build->arrival_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (build->arrivals[middle].stream < stream)
            low = middle + 1;
        else
            high = middle;
    }
    return low < build->arrival_count && build->arrivals[low].stream == stream
               ? &build->arrivals[low]
               : NULL;
}

static bool take_begin(struct snapshot_build *build, const struct snapshot_part *part)
{
    if (build->begin.transfer)
        return wrong(build, "it began twice");
    if (part->schema != SNAPSHOT_SCHEMA)
        return wrong(build, "it is of another version of lbnode");
    build->begin = *part;
    hlc_observe(&build->core->hlc, part->hlc, build->core->now.wall_ms);
    return true;
}

static bool within_bounds(struct snapshot_build *build)
{
    const struct store_batch *rows = &build->rows;
    return rows->bytes + rows->count * sizeof(*rows->ops) <= SNAPSHOT_BYTES_MAXIMUM ||
           wrong(build, "it is larger than 1 GiB");
}

static bool is_sound(const struct stream *stream)
{
    return stream->truncated <= stream->seq && !uuid_is_zero(&stream->node_id);
}

static bool take_stream(struct snapshot_build *build, const struct snapshot_part *part)
{
    if (build->arrival_count == build->begin.streams)
        return wrong(build, "more streams came than were announced");
    if (build->arrival_count > 0 &&
        part->stream <= build->arrivals[build->arrival_count - 1].stream)
        return wrong(build, "its streams are not in order");
    build->stream_bytes += part->row.size;
    if (build->stream_bytes > SNAPSHOT_STREAM_BYTES_MAXIMUM)
        return wrong(build, "what it says about streams is larger than 64 MiB");
    if (!core_decode_stream(build->core, part->stream, part->row) ||
        !is_sound(core_stream(build->core, part->stream)))
        return wrong(build, "what it says about a stream is malformed");
    build->arrivals = memory_grow(build->arrivals, build->arrival_count,
                                  &build->arrival_capacity, sizeof(*build->arrivals));
    build->arrivals[build->arrival_count++] = (struct arrival){.stream = part->stream};
    return true;
}

/* ---- records ---------------------------------------------------------------------------- */

/* The first node's key stands in the genesis, those of others in records about them. */
static bool is_key_of_node(const struct snapshot_build *build, const struct stream *stream)
{
    const struct roster_node *node = roster_find(&build->core->roster, &stream->node_id);
    if (core_is_root(build->core, &stream->node_id))
        return memcmp(build->core->genesis.root_key, stream->public_key,
                      SIGN_PUBLIC_KEY_SIZE) == 0;
    if (node && memcmp(node->public_key, stream->public_key, SIGN_PUBLIC_KEY_SIZE) == 0)
        return true;
    for (size_t i = 0; i < build->key_count; i++)
        if (uuid_equal(&build->keys[i].node_id, &stream->node_id) &&
            memcmp(build->keys[i].key, stream->public_key, SIGN_PUBLIC_KEY_SIZE) == 0)
            return true;
    return false;
}

static void note_key(struct snapshot_build *build, const struct record_op *op)
{
    struct node_key found = {.node_id = op->object_id};
    if (op->type != RESOURCE_NODE || op->facet != FACET_NODE_KEY ||
        !roster_read_key(op, found.key))
        return;
    build->keys =
        memory_grow(build->keys, build->key_count, &build->key_capacity, sizeof(*build->keys));
    build->keys[build->key_count++] = found;
}

/* A stream's key is as good as the roster that names it, and that has to be there before. */
static bool is_signed(struct snapshot_build *build,
                      const struct record *record,
                      const struct stream *stream,
                      struct arrival *arrival)
{
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    arrival->is_trusted = arrival->is_trusted || is_key_of_node(build, stream);
    if (!arrival->is_trusted)
        return wrong(build, "a record is of a node that is not in the roster");
    record_key_id(stream->public_key, key_id);
    if (record->seq == 1 && (!uuid_equal(&record->node_id, &stream->node_id) ||
                             memcmp(record->key_id, key_id, sizeof(key_id)) != 0))
        return wrong(build, "a stream is not of the node that opened it");
    return record_verify(record, &build->core->genesis.cluster_id, stream->public_key) ||
           wrong(build, "a record has a wrong signature");
}

/* Above `truncated` a stream is whole; up to it there may be gaps. */
static bool is_in_place(struct snapshot_build *build,
                        const struct record *record,
                        const struct stream *stream,
                        const struct arrival *arrival)
{
    uint64_t whole_from = arrival->seq > stream->truncated ? arrival->seq : stream->truncated;
    if (record->seq > stream->seq || record->seq <= arrival->seq ||
        (record->seq > stream->truncated && record->seq != whole_from + 1))
        return wrong(build, "a record is not where its stream goes on");
    if (arrival->seq > 0 && record->seq == arrival->seq + 1 &&
        memcmp(record->previous_hash, arrival->hash, HASH_SIZE) != 0)
        return wrong(build, "a record does not follow from the one before it");
    return true;
}

static void put_dead(struct snapshot_build *build, struct dot dot, uint32_t op_index)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    facet_dead_key(dot, op_index, key);
    store_batch_put(&build->rows, STORE_DEAD, (struct bytes){key, sizeof(key)},
                    (struct bytes){0});
}

static void restore_ops(struct snapshot_build *build,
                        const struct record *record,
                        const struct stream *stream,
                        const struct snapshot_part *part)
{
    const struct facet_stamp stamp = {
        .dot = {record->stream, record->seq},
        .hlc = record->hlc,
        .wall_ms = record->wall_ms,
        .node_id = stream->node_id,
        .author = record->author,
    };
    struct wire_reader ops = record->ops;
    struct record_op op;
    size_t cursor = 0, replaced_cursor = 0;
    for (uint32_t index = 0; record_next_op(&ops, &op); index++) {
        struct bytes by = {0};
        bool may_return = snapshot_part_replaced(part, index, &replaced_cursor, &by);
        build->core->roster_dirty |= op.type == RESOURCE_NODE;
        note_key(build, &op);
        if (!snapshot_part_is_dead(part, index, &cursor))
            facet_restore(&build->core->facets, &op, index, &stamp, by, &build->rows);
        else if (may_return)
            facet_restore_shadow(&build->core->facets, &op, index, &stamp,
                                 by.size > 0 ? by : facet_row_of_void, &build->rows);
        else
            put_dead(build, stamp.dot, index);
    }
}

static void restore(struct snapshot_build *build,
                    const struct record *record,
                    struct stream *stream,
                    const struct snapshot_part *part,
                    const uint8_t hash[HASH_SIZE])
{
    struct core *core = build->core;
    restore_ops(build, record, stream, part);
    if (record->seq > stream->truncated)
        core_stream_note_hash(stream, record->seq, hash);
    stream->kept++;
    core->log_bytes += record->whole.size;
    hlc_observe(&core->hlc, record->hlc, core->now.wall_ms);
    core->last_change = record->change_id;
    core_put_record(&build->rows, record);
    core_put_change(core, &build->rows, record);
    core_change_note(core, &record->change_id, (struct dot){record->stream, record->seq});
    if (core->roster_dirty)
        core_refresh_roster(core, NULL);
    build->records++;
}

static bool take_record(struct snapshot_build *build, const struct snapshot_part *part)
{
    struct record record;
    if (build->arrival_count != build->begin.streams)
        return wrong(build, "fewer streams came than were announced");
    if (!record_parse(part->record, &record))
        return wrong(build, "a record is malformed");
    struct stream *stream = core_stream(build->core, record.stream);
    struct arrival *arrival = arrival_of(build, record.stream);
    if (!stream || !arrival)
        return wrong(build, "a record is of no stream that was announced");
    if (!is_in_place(build, &record, stream, arrival) ||
        !is_signed(build, &record, stream, arrival))
        return false;
    arrival->seq = record.seq;
    record_hash(record.whole, arrival->hash);
    restore(build, &record, stream, part, arrival->hash);
    return within_bounds(build);
}

/* ---- the end ---------------------------------------------------------------------------- */

static bool check_stream(struct snapshot_build *build,
                         const struct stream *stream,
                         const struct arrival *arrival)
{
    if (arrival->seq > 0 && !arrival->is_trusted && !is_key_of_node(build, stream))
        return wrong(build, "a stream is of a node that is not in the roster");
    if (stream->seq > stream->truncated && arrival->seq != stream->seq)
        return wrong(build, "the last records of a stream are missing");
    if (stream->seq > 0 && arrival->seq == stream->seq &&
        memcmp(stream->last_hash, arrival->hash, HASH_SIZE) != 0)
        return wrong(build, "a stream ends with another record than was announced");
    return true;
}

static bool take_end(struct snapshot_build *build, const struct snapshot_part *part)
{
    struct core *core = build->core;
    uint8_t hash[HASH_SIZE];
    if (build->arrival_count != build->begin.streams || build->records != part->records)
        return wrong(build, "parts of it are missing");
    facet_kept_hash(&core->facets, hash);
    if (memcmp(part->state_hash, build->begin.state_hash, HASH_SIZE) != 0 ||
        memcmp(part->state_hash, hash, HASH_SIZE) != 0)
        return wrong(build, "its records give another state than its sender has");
    for (size_t i = 0; i < build->arrival_count; i++)
        if (!check_stream(build, core_stream(core, build->arrivals[i].stream),
                          &build->arrivals[i]))
            return false;
    vv_copy(&core->applied, &core->durable);
    core_refresh_roster(core, NULL);
    core_judge(core, &build->rows, NULL);
    build->is_complete = true;
    return true;
}

static bool take(struct snapshot_build *build, const struct snapshot_part *part)
{
    if (build->is_complete || part->kind < build->last)
        return wrong(build, "its parts are not in order");
    if (part->kind != SNAPSHOT_BEGIN &&
        (!build->begin.transfer || part->transfer != build->begin.transfer))
        return wrong(build, "its beginning is missing");
    build->last = part->kind;
    switch (part->kind) {
    case SNAPSHOT_BEGIN: return take_begin(build, part);
    case SNAPSHOT_STREAM: return take_stream(build, part);
    case SNAPSHOT_RECORD: return take_record(build, part);
    case SNAPSHOT_END: return take_end(build, part);
    }
    return wrong(build, "a part is of an unknown kind");
}

enum snapshot_progress snapshot_build_take(struct snapshot_build *build,
                                           const struct snapshot_part *part,
                                           struct core_now now)
{
    build->core->now = now;
    if (build->problem || !take(build, part))
        return SNAPSHOT_IS_WRONG;
    return build->is_complete ? SNAPSHOT_COMPLETE : SNAPSHOT_GOES_ON;
}

/* ---- what the owner has above it -------------------------------------------------------- */

static bool is_void_opening(const struct core *core, const struct record *record)
{
    const struct roster_node *node = roster_find(&core->roster, &record->node_id);
    return record->seq == 1 && !core_stream(core, record->stream) && node &&
           memcmp(node->key_id, record->key_id, RECORD_KEY_ID_SIZE) == 0 &&
           core_cutoff_of(core, record) == 0 && core->stream_count < VV_MAXIMUM_ENTRIES &&
           record_verify(record, &core->genesis.cluster_id, node->public_key);
}

/* The first record of a stream that a removal made void provides nothing, but who builds on
 * that stream waits for it, at peers too; and it may count again. */
static bool put_on_top(struct snapshot_build *build, struct bytes bytes)
{
    struct core_actions events = {0}; /* about what was told already */
    struct core *core = build->core;
    struct record record;
    bool fits =
        record_parse(bytes, &record) &&
        core_apply_known(core, &record, is_void_opening(core, &record), &build->rows, &events);
    core_actions_free(&events);
    return fits;
}

/* They come by clock stamp; where a clock was a day wrong, some come too early. */
void snapshot_build_keep(struct snapshot_build *build, struct bytes bytes, struct core_now now)
{
    build->core->now = now;
    if (put_on_top(build, bytes))
        return;
    build->early = memory_grow(build->early, build->early_count, &build->early_capacity,
                               sizeof(*build->early));
    build->early[build->early_count++] =
        (struct bytes){memory_copy(bytes.data, bytes.size), bytes.size};
}

static void retry_early(struct snapshot_build *build)
{
    size_t before;
    do {
        before = build->early_count;
        build->early_count = 0;
        for (size_t i = 0; i < before; i++) {
            if (put_on_top(build, build->early[i]))
                free((void *)(uintptr_t)build->early[i].data);
            else
                build->early[build->early_count++] = build->early[i];
        }
    } while (build->early_count > 0 && build->early_count < before);
}

size_t snapshot_build_finish(struct snapshot_build *build)
{
    struct core *core = build->core;
    retry_early(build);
    vv_copy(&core->durable, &core->applied);
    core_refresh_roster(core, NULL);
    core->durable_position = core->position;
    for (size_t i = 0; i < core->stream_count; i++)
        core_encode_stream(core->streams[i], &build->rows);
    core_put_clock(core, &build->rows);
    core_put_retained(&build->rows);
    return build->early_count;
}

/* ---- reading ---------------------------------------------------------------------------- */

const char *snapshot_build_problem(const struct snapshot_build *build)
{
    return build->problem;
}

struct core *snapshot_build_core(const struct snapshot_build *build)
{
    return build->core;
}

struct core *snapshot_build_take_core(struct snapshot_build *build)
{
    struct core *core = build->core;
    build->core = NULL;
    return core;
}

struct store_batch *snapshot_build_rows(struct snapshot_build *build)
{
    return &build->rows;
}

uint64_t snapshot_build_transfer(const struct snapshot_build *build)
{
    return build->begin.transfer;
}

void snapshot_build_counts(const struct snapshot_build *build,
                           uint64_t *out_taken,
                           uint64_t *out_announced)
{
    *out_taken = build->records;
    *out_announced = build->begin.records;
}

void snapshot_build_free(struct snapshot_build *build)
{
    if (!build)
        return;
    core_free(build->core);
    store_batch_free(&build->rows);
    for (size_t i = 0; i < build->early_count; i++)
        free((void *)(uintptr_t)build->early[i].data);
    free(build->early);
    free(build->arrivals);
    free(build->keys);
    free(build);
}

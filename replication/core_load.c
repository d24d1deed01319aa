/* The core's state from a store.
 *
 * Meta rows: 'g' genesis bytes · 'h' hybrid clock u64 · 's' stream u64: {1 node id, 2 public
 * key, 3 seq, 4 hash of the last record, 5 refused, 6 context entries, 7 incarnation, 8 highest
 * record that is no longer in the log, 9 folded, 10 records in the log, 11 key id where nothing
 * of it counts, 12 its last record that removes a node, 13 {1 stream, 2 seq, 3 since which
 * record} what its author knew and was void here, 14 whom its first record revokes, 15 its
 * first record that revokes its own node} · 'd' {1
 * vector} what can never become void · 'p' node id: {1 its durable vector, 2 wall ms when it
 * was heard last} · 'r' see META_RETAINED. (The driver keeps its own: 'i' incarnation, 't' join
 * tokens.) */
#include "replication/core_internal.h"

#include "replication/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct loaded_change {
    uint64_t wall_ms;
    struct uuid id;
    struct dot dot;
};

struct loading {
    struct core *core;
    bool malformed;
    struct loaded_change *changes;
    size_t change_count, change_capacity;
    struct store_batch dead; /* rows of operations that may count again, ascending */
    size_t dead_next;
};

static void put_stream(const struct stream *stream, struct wire_writer *out)
{
    wire_put_bytes(out, 1, (struct bytes){stream->node_id.bytes, 16});
    wire_put_bytes(out, 2, (struct bytes){stream->public_key, SIGN_PUBLIC_KEY_SIZE});
    wire_put_varint(out, 3, stream->seq);
    wire_put_bytes(out, 4, (struct bytes){stream->last_hash, HASH_SIZE});
    wire_put_varint(out, 5, stream->refused);
    vv_put(out, 6, &stream->context);
    wire_put_varint(out, 7, stream->incarnation);
    wire_put_varint(out, 8, stream->truncated);
    wire_put_varint(out, 9, stream->folded);
    wire_put_varint(out, 10, stream->kept);
    if (stream->seq == 0)
        wire_put_bytes(out, 11, (struct bytes){stream->key_id, RECORD_KEY_ID_SIZE});
    if (stream->lifted > 0)
        wire_put_varint(out, 12, stream->lifted);
    for (size_t i = 0; i < stream->ahead_count; i++) {
        struct wire_writer ahead = {0};
        wire_put_fixed64(&ahead, 1, stream->ahead[i].known.stream);
        wire_put_varint(&ahead, 2, stream->ahead[i].known.seq);
        wire_put_varint(&ahead, 3, stream->ahead[i].since);
        wire_put_bytes(out, 13, wire_written(&ahead));
        wire_writer_free(&ahead);
    }
    if (!uuid_is_zero(&stream->revokes))
        wire_put_bytes(out, 14, (struct bytes){stream->revokes.bytes, 16});
    if (stream->disowned > 0)
        wire_put_varint(out, 15, stream->disowned);
}

static void take_ahead(struct core *core, struct stream *stream, struct bytes in)
{
    struct wire_reader reader = wire_reader_of(in);
    struct wire_field field;
    struct ahead ahead = {0};
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1: ahead.known.stream = field.integer; break;
        case 2: ahead.known.seq = field.integer; break;
        case 3: ahead.since = field.integer; break;
        }
    }
    stream->ahead =
        memory_grow(stream->ahead, stream->ahead_count, &stream->ahead_capacity, sizeof(ahead));
    stream->ahead[stream->ahead_count++] = ahead;
    core->ahead_count++;
}

void core_visit_streams(const struct core *core,
                        void (*visit)(void *context, uint64_t stream, struct bytes row),
                        void *context)
{
    for (size_t i = 0; i < core->stream_count; i++) {
        struct wire_writer row = {0};
        put_stream(core->streams[i], &row);
        visit(context, core->streams[i]->id, wire_written(&row));
        wire_writer_free(&row);
    }
}

void core_encode_stream(const struct stream *stream, struct store_batch *batch)
{
    uint8_t key[9] = {(uint8_t)META_STREAM};
    struct wire_writer writer = {0};
    store_be64(key + 1, stream->id);
    put_stream(stream, &writer);
    store_batch_put(batch, STORE_META, (struct bytes){key, sizeof(key)}, wire_written(&writer));
    wire_writer_free(&writer);
}

void core_put_record(struct store_batch *batch, const struct record *record)
{
    uint8_t key[16];
    store_be64(key, record->stream);
    store_be64(key + 8, record->seq);
    store_batch_put(batch, STORE_LOG, (struct bytes){key, sizeof(key)}, record->whole);
}

void core_put_change(const struct core *core,
                     struct store_batch *batch,
                     const struct record *record)
{
    uint8_t value[24];
    store_be64(value, record->stream);
    store_be64(value + 8, record->seq);
    store_be64(value + 16, core->now.wall_ms);
    if (!uuid_map_get(&core->changes, &record->change_id))
        store_batch_put(batch, STORE_CHANGE, (struct bytes){record->change_id.bytes, 16},
                        (struct bytes){value, sizeof(value)});
}

void core_put_clock(const struct core *core, struct store_batch *batch)
{
    uint8_t value[8];
    const uint8_t key = (uint8_t)META_HLC;
    store_be64(value, core->hlc);
    store_batch_put(batch, STORE_META, (struct bytes){&key, 1},
                    (struct bytes){value, sizeof(value)});
}

static bool copy_exactly(struct bytes in, void *out, size_t size)
{
    if (in.size != size)
        return false;
    memcpy(out, in.data, size);
    return true;
}

bool core_decode_stream(struct core *core, uint64_t id, struct bytes value)
{
    struct stream *stream = core_stream_add(core, id);
    struct wire_reader reader = wire_reader_of(value);
    struct wire_field field;
    bool valid = true;
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 1: valid &= copy_exactly(field.bytes, stream->node_id.bytes, 16); break;
        case 2: valid &= copy_exactly(field.bytes, stream->public_key, 32); break;
        case 3: stream->seq = field.integer; break;
        case 4: valid &= copy_exactly(field.bytes, stream->last_hash, HASH_SIZE); break;
        case 5: stream->refused = field.integer != 0; break;
        case 7: stream->incarnation = field.integer; break;
        case 8: stream->truncated = field.integer; break;
        case 9: stream->folded = field.integer != 0; break;
        case 11: valid &= copy_exactly(field.bytes, stream->key_id, RECORD_KEY_ID_SIZE); break;
        case 12: stream->lifted = field.integer; break;
        case 13: take_ahead(core, stream, field.bytes); break;
        case 14: valid &= copy_exactly(field.bytes, stream->revokes.bytes, 16); break;
        case 15: stream->disowned = field.integer; break;
        }
    }
    if (stream->seq > 0)
        record_key_id(stream->public_key, stream->key_id);
    vv_raise(&core->durable, id, stream->seq);
    core->position += stream->seq;
    return valid && wire_ended(&reader) && vv_parse(value, 6, &stream->context);
}

void core_know_void(struct core *core, uint64_t stream, struct bytes row)
{
    struct wire_reader reader = wire_reader_of(row);
    struct wire_field field;
    uint64_t seq = 0;
    while (wire_next(&reader, &field))
        seq = field.number == 3 ? field.integer : seq;
    if (seq == 0 && !core_stream(core, stream))
        core_decode_stream(core, stream, row);
}

static bool visit_meta(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    struct core *core = loading->core;
    char letter = (char)key.data[0];
    bool valid = true;
    if (letter == META_GENESIS) {
        valid = genesis_parse(value, &core->genesis);
        core->initialised = valid;
    } else if (letter == META_HLC) {
        valid = value.size == 8;
        core->hlc = valid ? load_be64(value.data) : 0;
    } else if (letter == META_SETTLED) {
        valid = vv_parse(value, 1, &core->settled);
    } else if (letter == META_STREAM) {
        valid = key.size == 9 && core_decode_stream(core, load_be64(key.data + 1), value);
    }
    loading->malformed |= !valid;
    return true;
}

/* Peers exist once the roster is known, so their rows are read last. */
static bool visit_peer(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    struct uuid id;
    if (key.data[0] != META_PEER || key.size != 17)
        return key.data[0] <= META_PEER;
    memcpy(id.bytes, key.data + 1, 16);
    struct peer *peer = core_peer(loading->core, &id);
    if (peer) {
        vv_free(&peer->durable);
        loading->malformed |= !vv_parse(value, 1, &peer->durable);
        struct wire_reader reader = wire_reader_of(value);
        struct wire_field field;
        while (wire_next(&reader, &field))
            if (field.number == 2 && field.type == WIRE_VARINT)
                peer->seen_wall_ms = field.integer;
    }
    return true;
}

static bool visit_facet(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    loading->malformed |= !facet_load(&loading->core->facets, key, value);
    return true;
}

/* Those that may count again: not for good, and nothing that replaced it is settled. */
static bool visit_dead(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    bool is_over = !facet_row_has_shadow(value);
    for (size_t at = 0; at + 16 <= value.size && !is_over; at += 16) {
        uint64_t stream = load_be64(value.data + at), seq = load_be64(value.data + at + 8);
        is_over = seq <= vv_get(&loading->core->settled, stream);
    }
    if (!is_over && key.size == FACET_DEAD_KEY_SIZE)
        store_batch_put(&loading->dead, STORE_DEAD, key, value);
    return true;
}

/* Rows come in the order of the log. */
static void load_shadows(struct loading *loading, struct bytes bytes, struct dot dot)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    struct record record;
    facet_dead_key(dot, 0, key);
    while (loading->dead_next < loading->dead.count &&
           memcmp(loading->dead.ops[loading->dead_next].key, key, sizeof(key)) < 0)
        loading->dead_next++;
    if (loading->dead_next == loading->dead.count ||
        memcmp(loading->dead.ops[loading->dead_next].key, key, 16) != 0 ||
        !record_parse(bytes, &record))
        return;
    const struct stream *stream = core_stream(loading->core, dot.stream);
    const struct facet_stamp stamp = {
        .dot = dot,
        .hlc = record.hlc,
        .wall_ms = record.wall_ms,
        .node_id = stream->node_id,
        .author = record.author,
    };
    struct record_op op;
    for (uint32_t index = 0; record_next_op(&record.ops, &op); index++) {
        const struct store_op *row = &loading->dead.ops[loading->dead_next];
        facet_dead_key(dot, index, key);
        if (loading->dead_next == loading->dead.count ||
            memcmp(row->key, key, sizeof(key)) != 0)
            continue;
        facet_restore_shadow(&loading->core->facets, &op, index, &stamp,
                             (struct bytes){row->value, row->value_size}, NULL);
        loading->dead_next++;
    }
}

static bool visit_log(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    struct stream *stream =
        key.size == 16 ? core_stream(loading->core, load_be64(key.data)) : NULL;
    uint64_t seq = stream ? load_be64(key.data + 8) : 0;
    if (!stream || seq == 0 || seq > stream->seq) {
        loading->malformed = true;
        return true;
    }
    uint8_t hash[HASH_SIZE];
    if (seq > stream->truncated) {
        record_hash(value, hash);
        core_stream_note_hash(stream, seq, hash);
    }
    load_shadows(loading, value, (struct dot){stream->id, seq});
    stream->kept++;
    loading->core->log_bytes += value.size;
    return true;
}

static bool visit_change(void *context, struct bytes key, struct bytes value)
{
    struct loading *loading = context;
    if (key.size != 16 || value.size != 24) {
        loading->malformed = true;
        return true;
    }
    struct loaded_change change = {
        .wall_ms = load_be64(value.data + 16),
        .dot = {load_be64(value.data), load_be64(value.data + 8)},
    };
    if (change.wall_ms + CHANGE_KEPT_MS < loading->core->now.wall_ms)
        return true;
    memcpy(change.id.bytes, key.data, 16);
    loading->changes = memory_grow(loading->changes, loading->change_count,
                                   &loading->change_capacity, sizeof(*loading->changes));
    loading->changes[loading->change_count++] = change;
    return true;
}

static int compare_changes(const void *left, const void *right)
{
    const struct loaded_change *a = left, *b = right;
    if (a->wall_ms != b->wall_ms)
        return a->wall_ms < b->wall_ms ? -1 : 1;
    return memcmp(a->id.bytes, b->id.bytes, sizeof(a->id.bytes));
}

/* Rows come by id; there may be more than memory keeps, and those are to be the newest. */
static void note_changes(struct loading *loading)
{
    if (loading->change_count > 0)
        qsort(loading->changes, loading->change_count, sizeof(*loading->changes),
              compare_changes);
    for (size_t i = 0; i < loading->change_count; i++)
        core_change_note(loading->core, &loading->changes[i].id, loading->changes[i].dot);
    free(loading->changes);
}

static int load_tables(struct core *core, struct store *store)
{
    struct loading loading = {.core = core};
    const struct bytes start = {0};
    const uint8_t peers = (uint8_t)META_PEER;
    int result = store_walk(store, STORE_META, start, visit_meta, &loading);
    if (!result)
        result = store_walk(store, STORE_FACET, start, visit_facet, &loading);
    if (!result)
        result = store_walk(store, STORE_DEAD, start, visit_dead, &loading);
    if (!result)
        result = store_walk(store, STORE_LOG, start, visit_log, &loading);
    store_batch_free(&loading.dead);
    if (!result)
        result = store_walk(store, STORE_CHANGE, start, visit_change, &loading);
    note_changes(&loading);
    core_refresh_roster(core, NULL);
    core_judge(core, &core->cleaning, NULL);
    if (!result)
        result = store_walk(store, STORE_META, (struct bytes){&peers, 1}, visit_peer, &loading);
    return result ? result : loading.malformed ? -EBADMSG : 0;
}

struct core *core_load(const struct core_settings *settings,
                       struct store *store,
                       struct core_now now,
                       struct error *error)
{
    struct core *core = memory_new(sizeof(*core));
    core->node_id = settings->node_id;
    core->key = settings->key;
    record_key_id(sign_key_public(settings->key), core->key_id);
    core->incarnation = settings->incarnation;
    random_sequence_init(&core->random, settings->random_seed);
    core->roster.version = settings->random_seed; /* none of an earlier core's */
    core->retention = settings->retention;
    core->snapshot_after = settings->snapshot_after ? settings->snapshot_after : SNAPSHOT_AFTER;
    core->now = now;
    core->own_pace.limit_us = COLLECT_OWN_US;
    core->received_pace.limit_us = COLLECT_RECEIVED_US;
    core->started_us = now.mono_us;
    int result = load_tables(core, store);
    if (result) {
        error_set(error, ERROR_REFUSED,
                  "the store is damaged (%s); move the state directory away and join again",
                  strerror(-result));
        core_free(core);
        return NULL;
    }
    vv_copy(&core->applied, &core->durable);
    core->durable_position = core->position;
    core_refresh_shown(core);
    core_sweep_init(core);
    core->peers_saved_us = now.mono_us;
    return core;
}

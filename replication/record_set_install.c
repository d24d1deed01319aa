/* Records of a truncated log cannot be applied one after the other: what they build on is gone.
 * But the rows about streams say how far each of them got, and of the operations that are left
 * each one either is dead or counts. */
#include "replication/record_set_install.h"

#include "replication/core_internal.h"
#include "replication/core_root.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNK = 256 /* records per transaction */
};

static const struct bytes genesis_key = {(const uint8_t *)"g", 1};

struct stream_facts {
    uint64_t seq, truncated, kept;
};

static struct stream_facts read_facts(struct bytes row)
{
    struct stream_facts facts = {0};
    struct wire_reader reader = wire_reader_of(row);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        switch (field.number) {
        case 3: facts.seq = field.integer; break;
        case 8: facts.truncated = field.integer; break;
        case 10: facts.kept = field.integer; break;
        }
    }
    return facts;
}

/* ---- collecting ------------------------------------------------------------------------- */

void record_set_add_stream(struct record_set *set, struct bytes key, struct bytes row)
{
    store_batch_put(&set->streams, STORE_META, key, row);
    set->truncated |= read_facts(row).truncated > 0;
}

void record_set_add_dead(struct record_set *set, struct bytes key, struct bytes row)
{
    if (key.size == FACET_DEAD_KEY_SIZE)
        store_batch_put(&set->dead, STORE_DEAD, key, row);
}

static int compare_op(const void *key, const void *op)
{
    return memcmp(key, ((const struct store_op *)op)->key, FACET_DEAD_KEY_SIZE);
}

/* NULL: it counts. */
static const struct store_op *
dead_row(const struct record_set *set, const struct record *record, uint32_t index)
{
    uint8_t key[FACET_DEAD_KEY_SIZE];
    facet_dead_key((struct dot){record->stream, record->seq}, index, key);
    return set->dead.count > 0 ? bsearch(key, set->dead.ops, set->dead.count,
                                         sizeof(struct store_op), compare_op)
                               : NULL;
}

bool record_set_is_complete(const struct record_set *set)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < set->streams.count; i++)
        kept += read_facts(
                    (struct bytes){set->streams.ops[i].value, set->streams.ops[i].value_size})
                    .kept;
    return kept == set->count;
}

/* ---- installing ------------------------------------------------------------------------- */

struct install {
    const struct record_set *set;
    struct core *core; /* knows the streams, and gets the entries */
    struct store_batch batch;
    size_t applied;
};

/* Signed by the stream's node, and following its predecessor where that is there. */
static bool is_valid(const struct core *core, const struct record *record)
{
    const struct stream *stream = core_stream(core, record->stream);
    uint8_t hash[HASH_SIZE];
    if (!stream || record->seq > stream->seq)
        return false;
    uint64_t before = core_stream_hash(stream, record->seq - 1);
    record_hash(record->whole, hash);
    return (!before || before == load_be64(record->previous_hash)) &&
           (record->seq < stream->seq || memcmp(hash, stream->last_hash, HASH_SIZE) == 0) &&
           record_verify(record, &core->genesis.cluster_id, stream->public_key);
}

static void put_rows(struct install *install, const struct record *record)
{
    uint8_t key[16], value[24];
    store_be64(key, record->stream);
    store_be64(key + 8, record->seq);
    store_batch_put(&install->batch, STORE_LOG, (struct bytes){key, sizeof(key)},
                    record->whole);
    memcpy(value, key, sizeof(key));
    store_be64(value + 16, record->wall_ms);
    store_batch_put(&install->batch, STORE_CHANGE, (struct bytes){record->change_id.bytes, 16},
                    (struct bytes){value, sizeof(value)});
}

static void install_record(struct install *install, const struct record *record)
{
    struct stream *stream = core_stream(install->core, record->stream);
    const struct facet_stamp stamp = {
        .dot = {record->stream, record->seq},
        .hlc = record->hlc,
        .wall_ms = record->wall_ms,
        .node_id = stream->node_id,
        .author = record->author,
    };
    struct wire_reader ops = record->ops;
    struct record_op op;
    uint8_t hash[HASH_SIZE], key[FACET_DEAD_KEY_SIZE];
    for (uint32_t index = 0; record_next_op(&ops, &op); index++) {
        facet_dead_key(stamp.dot, index, key);
        const struct store_op *row = dead_row(install->set, record, index);
        if (row)
            store_batch_put(&install->batch, STORE_DEAD, (struct bytes){key, sizeof(key)},
                            (struct bytes){row->value, row->value_size});
        else
            facet_restore(&install->core->facets, &op, index, &stamp, (struct bytes){0},
                          &install->batch);
    }
    put_rows(install, record);
    record_hash(record->whole, hash);
    if (record->seq > stream->truncated)
        core_stream_note_hash(stream, record->seq, hash);
    hlc_observe(&install->core->hlc, record->hlc, install->core->now.wall_ms);
    install->applied++;
}

static int flush(struct install *install, struct store *store)
{
    int result = store_commit(store, &install->batch);
    store_batch_free(&install->batch);
    return result;
}

static int install_all(struct install *install, struct store *store)
{
    const struct record_set *set = install->set;
    int result = 0;
    for (size_t i = 0; i < set->count && !result; i++) {
        if (is_valid(install->core, &set->items[i]))
            install_record(install, &set->items[i]);
        if (i % CHUNK == CHUNK - 1)
            result = flush(install, store);
    }
    return result ? result : flush(install, store);
}

/* Does a record of SET say that STREAM's key is that of its node, or was? The first node's is
 * in the genesis. */
static bool
is_key_told(const struct record_set *set, const struct core *core, const struct stream *stream)
{
    uint8_t key[SIGN_PUBLIC_KEY_SIZE];
    if (core_is_root(core, &stream->node_id))
        return memcmp(core->genesis.root_key, stream->public_key, sizeof(key)) == 0;
    if (memcmp(core->genesis.first_key, stream->public_key, sizeof(key)) == 0)
        return true;
    for (size_t i = 0; i < set->count; i++) {
        struct wire_reader ops = set->items[i].ops;
        struct record_op op;
        while (record_next_op(&ops, &op))
            if (op.type == RESOURCE_NODE && op.facet == FACET_NODE_KEY &&
                uuid_equal(&op.object_id, &stream->node_id) && roster_read_key(&op, key) &&
                memcmp(key, stream->public_key, sizeof(key)) == 0)
                return true;
    }
    return false;
}

/* A stream speaks for a node of the roster, with the key that it has or had. */
static bool streams_fit_roster(const struct record_set *set, struct core *core)
{
    core_refresh_roster(core, NULL);
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        const struct roster_node *node = roster_find(&core->roster, &stream->node_id);
        bool is_current =
            node && memcmp(node->public_key, stream->public_key, SIGN_PUBLIC_KEY_SIZE) == 0;
        if (stream->seq > 0 && stream->kept > 0 && !is_current &&
            !is_key_told(set, core, stream))
            return false;
    }
    return true;
}

static int put_head(const struct record_set *set, struct store *store)
{
    struct store_batch batch = {0};
    if (set->genesis)
        store_batch_put(&batch, STORE_META, genesis_key,
                        (struct bytes){set->genesis, set->genesis_size});
    store_batch_append(&batch, &set->streams);
    core_put_retained(&batch);
    int result = store_commit(store, &batch);
    store_batch_free(&batch);
    return result;
}

static int put_clock(const struct core *core, struct store *store)
{
    struct store_batch batch = {0};
    const uint8_t key = (uint8_t)META_HLC;
    uint8_t value[8];
    store_be64(value, core->hlc);
    store_batch_put(&batch, STORE_META, (struct bytes){&key, 1},
                    (struct bytes){value, sizeof(value)});
    int result = store_commit(store, &batch);
    store_batch_free(&batch);
    return result;
}

struct core *record_set_install(const struct record_set *set,
                                const struct core_settings *settings,
                                struct store *store,
                                struct core_now now,
                                size_t *out_applied,
                                struct error *error)
{
    struct install install = {.set = set};
    if (!set->genesis) {
        error_set(error, ERROR_NOT_FOUND, "it does not tell which cluster it is of");
        return NULL;
    }
    int result = put_head(set, store);
    install.core = result ? NULL : core_load(settings, store, now, error);
    if (install.core) {
        result = install_all(&install, store);
        bool fits = result || streams_fit_roster(set, install.core);
        result = result ? result : put_clock(install.core, store);
        core_free(install.core);
        install.core = NULL;
        *out_applied = install.applied;
        if (!fits)
            error_set(error, ERROR_INVALID, "a stream is of no node of the cluster");
        else if (!result)
            return core_load(settings, store, now, error);
    }
    if (result)
        error_set(error, ERROR_REFUSED, "the store cannot be written: %s", strerror(-result));
    return NULL;
}

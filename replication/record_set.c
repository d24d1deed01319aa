#include "replication/record_set.h"

#include "replication/genesis.h"
#include "replication/memory.h"
#include "replication/record_set_install.h"
#include "replication/store_pages.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHUNK = 256 /* records per transaction */
};

static const struct bytes genesis_key = {(const uint8_t *)"g", 1};

/* ---- collecting ------------------------------------------------------------------------- */

void record_set_add(struct record_set *set, struct bytes record)
{
    struct record parsed;
    if (set->bytes + record.size > RECORD_SET_BYTES || !record_parse(record, &parsed))
        return;
    struct bytes copy = {memory_copy(record.data, record.size), record.size};
    set->items = memory_grow(set->items, set->count, &set->capacity, sizeof(struct record));
    record_parse(copy, &set->items[set->count++]); /* the same bytes: cannot fail */
    set->bytes += record.size;
}

void record_set_add_genesis(struct record_set *set, struct bytes genesis)
{
    struct genesis parsed;
    if (set->genesis || !genesis_parse(genesis, &parsed))
        return;
    set->genesis = memory_copy(genesis.data, genesis.size);
    set->genesis_size = genesis.size;
}

static bool add_log_row(void *context, struct bytes key, struct bytes value)
{
    record_set_add(context, value);
    return true;
}

static bool add_genesis_row(void *context, struct bytes key, struct bytes value)
{
    if (bytes_equal(key, genesis_key))
        record_set_add_genesis(context, value);
    return true;
}

static bool add_meta_row(void *context, struct bytes key, struct bytes value)
{
    if (key.data[0] == 's' && key.size == 9)
        record_set_add_stream(context, key, value);
    if (key.data[0] == 'r' && key.size == 1)
        ((struct record_set *)context)->truncated = true;
    return add_genesis_row(context, key, value);
}

static bool add_dead_row(void *context, struct bytes key, struct bytes value)
{
    record_set_add_dead(context, key, value);
    return true;
}

int record_set_read(struct record_set *set, struct store *store)
{
    int result = store_walk(store, STORE_META, (struct bytes){0}, add_meta_row, set);
    if (!result)
        result = store_walk(store, STORE_LOG, (struct bytes){0}, add_log_row, set);
    if (!result && set->truncated)
        result = store_walk(store, STORE_DEAD, (struct bytes){0}, add_dead_row, set);
    return result;
}

void record_set_scrape(struct record_set *set, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    store_pages_scrape(fd, STORE_META, add_genesis_row, set);
    store_pages_scrape(fd, STORE_LOG, add_log_row, set);
    close(fd);
    record_set_sort(set);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_records(const void *left, const void *right)
{
    const struct record *a = left, *b = right;
    int order = compare_u64(a->hlc, b->hlc);
    if (!order)
        order = compare_u64(a->stream, b->stream);
    return order ? order : compare_u64(a->seq, b->seq);
}

static int compare_keys(const void *left, const void *right)
{
    const struct store_op *a = left, *b = right;
    return memcmp(a->key, b->key, FACET_DEAD_KEY_SIZE);
}

void record_set_sort(struct record_set *set)
{
    size_t kept = 0;
    if (set->dead.count > 0)
        qsort(set->dead.ops, set->dead.count, sizeof(struct store_op), compare_keys);
    if (set->count == 0)
        return;
    qsort(set->items, set->count, sizeof(struct record), compare_records);
    for (size_t i = 1; i < set->count; i++) {
        const struct record *last = &set->items[kept], *next = &set->items[i];
        if (last->stream == next->stream && last->seq == next->seq)
            free((void *)(uintptr_t)next->whole.data);
        else
            set->items[++kept] = *next;
    }
    set->count = kept + 1;
}

void record_set_free(struct record_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free((void *)(uintptr_t)set->items[i].whole.data);
    free(set->items);
    free(set->genesis);
    store_batch_free(&set->streams);
    store_batch_free(&set->dead);
    *set = (struct record_set){0};
}

/* ---- replaying -------------------------------------------------------------------------- */

struct replay {
    struct core *core;
    struct store *store;
    struct core_now now;
    int result;
};

static void step(struct replay *replay, const struct core_event *event)
{
    struct core_actions actions = {0};
    bool persisted = false;
    core_step(replay->core, event, replay->now, &actions);
    for (size_t i = 0; i < actions.count && !replay->result; i++) {
        if (actions.items[i].kind != CORE_PERSIST)
            continue;
        replay->result = store_commit(replay->store, &actions.items[i].batch);
        persisted = true;
    }
    core_actions_free(&actions);
    if (persisted)
        step(replay, &(struct core_event){.kind = CORE_PERSISTED, .result = replay->result});
}

/* The room for waiting records is per sender, so each stream is one. */
static void offer(struct replay *replay, const struct record *record)
{
    struct core_event event = {.kind = CORE_RECORD, .body = record->whole};
    store_be64(event.node.bytes, record->stream);
    step(replay, &event);
}

static void offer_all(struct replay *replay, const struct record_set *set)
{
    for (size_t i = 0; i < set->count && !replay->result; i++) {
        const struct record *record = &set->items[i];
        if (record->seq > vv_get(core_vector(replay->core), record->stream))
            offer(replay, record);
        if (i % CHUNK == CHUNK - 1 || i + 1 == set->count)
            step(replay, &(struct core_event){.kind = CORE_STAGE});
    }
}

static size_t applied_count(const struct core *core)
{
    const struct vv *vector = core_vector(core);
    size_t count = 0;
    for (size_t i = 0; i < vector->count; i++)
        count += vector->entries[i].seq;
    return count;
}

/* Records of a node count once its joining is applied: hence several passes. */
static void replay_all(struct replay *replay, const struct record_set *set)
{
    size_t before;
    do {
        before = applied_count(replay->core);
        offer_all(replay, set);
    } while (!replay->result && applied_count(replay->core) > before &&
             applied_count(replay->core) < set->count);
}

int record_set_merge(const struct record_set *set,
                     struct core *core,
                     struct store *store,
                     struct core_now now)
{
    struct replay replay = {.core = core, .store = store, .now = now};
    replay_all(&replay, set);
    return replay.result;
}

static bool put_genesis(const struct record_set *set,
                        struct store *store,
                        struct core *core,
                        struct error *error)
{
    struct genesis genesis;
    struct store_batch batch = {0};
    struct bytes bytes = {set->genesis, set->genesis_size};
    if (!set->genesis || !genesis_parse(bytes, &genesis))
        return error_set(error, ERROR_NOT_FOUND, "it does not tell which cluster it is of");
    core_found(core, &genesis);
    store_batch_put(&batch, STORE_META, genesis_key, bytes);
    int result = store_commit(store, &batch);
    store_batch_free(&batch);
    return result == 0 || error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                                    strerror(-result));
}

struct core *record_set_replay(const struct record_set *set,
                               const struct core_settings *settings,
                               struct store *store,
                               struct core_now now,
                               size_t *out_applied,
                               struct error *error)
{
    if (set->truncated)
        return record_set_install(set, settings, store, now, out_applied, error);
    struct replay replay = {
        .core = core_load(settings, store, now, error), .store = store, .now = now};
    if (!replay.core)
        return NULL;
    if (put_genesis(set, store, replay.core, error)) {
        for (size_t i = 0; i < set->streams.count; i++)
            core_know_void(
                replay.core, load_be64(set->streams.ops[i].key + 1),
                (struct bytes){set->streams.ops[i].value, set->streams.ops[i].value_size});
        replay_all(&replay, set);
        *out_applied = applied_count(replay.core);
        if (!replay.result)
            return replay.core;
        error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                  strerror(-replay.result));
    }
    core_free(replay.core);
    return NULL;
}

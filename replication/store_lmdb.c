/* The store on disk: LMDB (replication.md 13). The only file that knows it. One writer at a
 * time; readers take short transactions on other threads. Every value carries an 8-byte
 * checksum, since LMDB 0.9 has none. A full map is grown and the batch done again; growing
 * waits until no reader is inside. */
#include "lbnode/crypto/crypto.h"
#include "replication/memory.h"
#include "replication/store.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECKSUM_SIZE = 8
};

static const size_t maximum_map_size = (size_t)16 << 30;

struct store_lmdb {
    struct store store;
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT];
    size_t map_size;
    pthread_rwlock_t map_lock; /* shared: in a transaction; exclusive: resizing */
};

static const char *const table_names[STORE_TABLE_COUNT] = {
    [STORE_META] = "meta",
    [STORE_LOG] = "log",
    [STORE_FACET] = "facet",
    [STORE_CHANGE] = "change",
};

/* -errno of an LMDB result; positive results are errno values, negative its own. */
static int to_errno(int result)
{
    switch (result) {
    case MDB_SUCCESS: return 0;
    case MDB_NOTFOUND: return -ENOENT;
    case MDB_MAP_FULL: return -ENOSPC;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return -EBADMSG;
    default: return result > 0 ? -result : -EIO;
    }
}

static void checksum(enum store_table table,
                     struct bytes key,
                     struct bytes value,
                     uint8_t out[CHECKSUM_SIZE])
{
    const uint8_t number = (uint8_t)table;
    struct bytes parts[] = {{&number, 1}, key, value};
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), out, CHECKSUM_SIZE);
}

/* Strips the checksum; false when it is wrong. */
static bool
open_value(enum store_table table, struct bytes key, const MDB_val *stored, struct bytes *out)
{
    uint8_t expected[CHECKSUM_SIZE];
    if (stored->mv_size < CHECKSUM_SIZE)
        return false;
    *out = (struct bytes){stored->mv_data, stored->mv_size - CHECKSUM_SIZE};
    checksum(table, key, *out, expected);
    return memcmp(expected, out->data + out->size, CHECKSUM_SIZE) == 0;
}

static int put(MDB_txn *txn, MDB_dbi dbi, const struct store_op *op)
{
    struct bytes key_view = {op->key, op->key_size}, value = {op->value, op->value_size};
    MDB_val key = {op->key_size, (void *)(uintptr_t)op->key};
    MDB_val stored = {op->value_size + CHECKSUM_SIZE, NULL};
    int result = mdb_put(txn, dbi, &key, &stored, MDB_RESERVE);
    if (result)
        return result;
    if (value.size > 0)
        memcpy(stored.mv_data, value.data, value.size);
    checksum(op->table, key_view, value, (uint8_t *)stored.mv_data + value.size);
    return 0;
}

static int write_ops(struct store_lmdb *lmdb, MDB_txn *txn, const struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        MDB_dbi dbi = lmdb->tables[op->table];
        MDB_val key = {op->key_size, (void *)(uintptr_t)op->key};
        int result = op->remove ? mdb_del(txn, dbi, &key, NULL) : put(txn, dbi, op);
        if (result && !(op->remove && result == MDB_NOTFOUND))
            return result;
    }
    return 0;
}

static int write_transaction(struct store_lmdb *lmdb, const struct store_batch *batch)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
    if (result)
        return result;
    result = write_ops(lmdb, txn, batch);
    if (result) {
        mdb_txn_abort(txn);
        return result;
    }
    return mdb_txn_commit(txn);
}

static int grow_map(struct store_lmdb *lmdb)
{
    if (lmdb->map_size >= maximum_map_size)
        return MDB_MAP_FULL;
    pthread_rwlock_wrlock(&lmdb->map_lock);
    int result = mdb_env_set_mapsize(lmdb->env, lmdb->map_size * 2);
    if (!result)
        lmdb->map_size *= 2;
    pthread_rwlock_unlock(&lmdb->map_lock);
    return result;
}

static int commit(struct store *store, const struct store_batch *batch)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    for (;;) {
        pthread_rwlock_rdlock(&lmdb->map_lock);
        int result = write_transaction(lmdb, batch);
        pthread_rwlock_unlock(&lmdb->map_lock);
        if (result != MDB_MAP_FULL)
            return to_errno(result);
        result = grow_map(lmdb);
        if (result)
            return to_errno(result);
    }
}

static int
get(struct store *store, enum store_table table, struct bytes key, struct wire_writer *out)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    MDB_txn *txn;
    MDB_val wanted = {key.size, (void *)(uintptr_t)key.data}, stored;
    pthread_rwlock_rdlock(&lmdb->map_lock);
    int result = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (!result) {
        struct bytes value;
        result = mdb_get(txn, lmdb->tables[table], &wanted, &stored);
        if (!result && !open_value(table, key, &stored, &value))
            result = MDB_CORRUPTED;
        if (!result)
            wire_append(out, value.data, value.size);
        mdb_txn_abort(txn);
    }
    pthread_rwlock_unlock(&lmdb->map_lock);
    return result ? to_errno(result) : out->failed ? -ENOMEM : 0;
}

static int walk_cursor(MDB_cursor *cursor,
                       enum store_table table,
                       struct bytes first,
                       bool (*visit)(void *context, struct bytes key, struct bytes value),
                       void *context)
{
    MDB_val key = {first.size, (void *)(uintptr_t)first.data}, stored;
    MDB_cursor_op move = first.size ? MDB_SET_RANGE : MDB_FIRST;
    for (;; move = MDB_NEXT) {
        int result = mdb_cursor_get(cursor, &key, &stored, move);
        if (result)
            return result == MDB_NOTFOUND ? 0 : result;
        struct bytes key_view = {key.mv_data, key.mv_size}, value;
        if (!open_value(table, key_view, &stored, &value))
            return MDB_CORRUPTED;
        if (!visit(context, key_view, value))
            return 0;
    }
}

static int walk(struct store *store,
                enum store_table table,
                struct bytes first,
                bool (*visit)(void *context, struct bytes key, struct bytes value),
                void *context)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    MDB_txn *txn;
    MDB_cursor *cursor;
    pthread_rwlock_rdlock(&lmdb->map_lock);
    int result = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (!result) {
        result = mdb_cursor_open(txn, lmdb->tables[table], &cursor);
        if (!result) {
            result = walk_cursor(cursor, table, first, visit, context);
            mdb_cursor_close(cursor);
        }
        mdb_txn_abort(txn);
    }
    pthread_rwlock_unlock(&lmdb->map_lock);
    return to_errno(result);
}

static void close_lmdb(struct store *store)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    mdb_env_close(lmdb->env);
    pthread_rwlock_destroy(&lmdb->map_lock);
    free(lmdb);
}

static int open_tables(struct store_lmdb *lmdb)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
    if (result)
        return result;
    for (size_t i = 0; i < STORE_TABLE_COUNT && !result; i++)
        result = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &lmdb->tables[i]);
    if (result) {
        mdb_txn_abort(txn);
        return result;
    }
    return mdb_txn_commit(txn);
}

static int open_environment(struct store_lmdb *lmdb, const char *path)
{
    int dead = 0;
    int result = mdb_env_set_maxdbs(lmdb->env, STORE_TABLE_COUNT);
    if (!result)
        result = mdb_env_set_mapsize(lmdb->env, lmdb->map_size);
    if (!result)
        result = mdb_env_open(lmdb->env, path, MDB_NOTLS | MDB_NOSUBDIR, 0600);
    if (result)
        return result;
    mdb_reader_check(lmdb->env, &dead); /* slots of a process that was killed */
    MDB_envinfo info;
    mdb_env_info(lmdb->env, &info);
    lmdb->map_size = info.me_mapsize;
    return open_tables(lmdb);
}

struct store *store_lmdb_open(const char *path, size_t map_size, struct error *error)
{
    static const struct store_class class = {commit, get, walk, close_lmdb};
    struct store_lmdb *lmdb = memory_new(sizeof(*lmdb));
    lmdb->store.class = &class;
    lmdb->map_size = map_size;
    pthread_rwlock_init(&lmdb->map_lock, NULL);
    int result = mdb_env_create(&lmdb->env);
    if (!result)
        result = open_environment(lmdb, path);
    if (!result)
        return &lmdb->store;
    error_set(error, ERROR_REFUSED,
              "the store %s cannot be opened: %s; check the disk and that no other lbnode "
              "uses it",
              path, mdb_strerror(result));
    close_lmdb(&lmdb->store);
    return NULL;
}

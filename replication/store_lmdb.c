/* The store on disk: LMDB (replication.md 13). The only file that knows it. One writer at a
 * time; readers take short transactions on other threads.
 *
 * LMDB 0.9 has no checksums, so each value carries its own, and one row tells of how many
 * values each table consists, their sum, and which transaction wrote it: a page that is stale
 * or lost, or a root that points to an older tree, contradicts it. All of it is verified when
 * the store is opened.
 *
 * A full map is grown and the batch done again; growing waits until no reader is inside. After
 * a commit that failed the environment counts as dead: it is closed, opened, verified, and the
 * batch is done once more. */
#include "replication/memory.h"
#include "replication/store.h"
#include "replication/store_checksum.h"
#include "replication/store_file.h"
#include "replication/store_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SCHEMA = 1,
    CHECK_TABLE = 255, /* in the checksum of the totals row */
    CHECK_SIZE = 4 + 8 + STORE_TABLE_COUNT * 16
};

static const size_t maximum_map_size = (size_t)16 << 30;

/* The totals row: what every table must add up to. */
struct totals {
    uint64_t transaction;
    struct {
        uint64_t count, sum;
    } tables[STORE_TABLE_COUNT];
};

struct store_lmdb {
    struct store store;
    char *path;
    MDB_env *env; /* NULL: dead, the next commit tries to open it again */
    MDB_dbi tables[STORE_TABLE_COUNT], check;
    size_t map_size;
    bool is_known;             /* it was open until now: no need to verify it */
    pthread_rwlock_t map_lock; /* shared: in a transaction; exclusive: resizing, reopening */
};

static const char *const table_names[STORE_TABLE_COUNT] = {
    [STORE_META] = "meta",     [STORE_LOG] = "log",   [STORE_FACET] = "facet",
    [STORE_CHANGE] = "change", [STORE_DEAD] = "dead",
};
static const char check_name[] = "check", check_key[] = "totals";

/* -errno of an LMDB result; positive results are errno values, negative its own. */
static int to_errno(int result)
{
    switch (result) {
    case MDB_SUCCESS: return 0;
    case MDB_NOTFOUND: return -ENOENT;
    case MDB_MAP_FULL: return -ENOSPC;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID: return -EBADMSG;
    default: return result > 0 ? -result : -EIO;
    }
}

static struct bytes view(const MDB_val *value)
{
    return (struct bytes){value->mv_data, value->mv_size};
}

/* ---- totals ----------------------------------------------------------------------------- */

static uint64_t sum_of(struct bytes stored)
{
    return load_be64(stored.data + stored.size - STORE_CHECKSUM_SIZE);
}

static int read_totals(struct store_lmdb *lmdb, MDB_txn *txn, struct totals *out)
{
    MDB_val key = {sizeof(check_key), (void *)(uintptr_t)check_key}, stored;
    struct bytes value;
    int result = mdb_get(txn, lmdb->check, &key, &stored);
    if (result)
        return result == MDB_NOTFOUND ? MDB_CORRUPTED : result;
    if (stored.mv_size != CHECK_SIZE + STORE_CHECKSUM_SIZE ||
        !store_checksum_strip(CHECK_TABLE, view(&key), view(&stored), &value))
        return MDB_CORRUPTED;
    if (load_be32(value.data) != SCHEMA)
        return MDB_VERSION_MISMATCH;
    out->transaction = load_be64(value.data + 4);
    for (size_t i = 0; i < STORE_TABLE_COUNT; i++) {
        out->tables[i].count = load_be64(value.data + 12 + i * 16);
        out->tables[i].sum = load_be64(value.data + 20 + i * 16);
    }
    return 0;
}

static int write_totals(struct store_lmdb *lmdb, MDB_txn *txn, const struct totals *totals)
{
    uint8_t row[CHECK_SIZE + STORE_CHECKSUM_SIZE];
    MDB_val key = {sizeof(check_key), (void *)(uintptr_t)check_key};
    MDB_val value = {sizeof(row), row};
    store_be32(row, SCHEMA);
    store_be64(row + 4, mdb_txn_id(txn));
    for (size_t i = 0; i < STORE_TABLE_COUNT; i++) {
        store_be64(row + 12 + i * 16, totals->tables[i].count);
        store_be64(row + 20 + i * 16, totals->tables[i].sum);
    }
    store_checksum(CHECK_TABLE, view(&key), (struct bytes){row, CHECK_SIZE}, row + CHECK_SIZE);
    return mdb_put(txn, lmdb->check, &key, &value, 0);
}

/* ---- writing ---------------------------------------------------------------------------- */

/* What OP replaces no longer counts. */
static int discount(struct store_lmdb *lmdb,
                    MDB_txn *txn,
                    const struct store_op *op,
                    struct totals *totals)
{
    MDB_val key = {op->key_size, (void *)(uintptr_t)op->key}, stored;
    int result = mdb_get(txn, lmdb->tables[op->table], &key, &stored);
    if (result)
        return result == MDB_NOTFOUND ? 0 : result;
    if (stored.mv_size < STORE_CHECKSUM_SIZE)
        return MDB_CORRUPTED;
    totals->tables[op->table].count--;
    totals->tables[op->table].sum -= sum_of(view(&stored));
    return 0;
}

static int
put(struct store_lmdb *lmdb, MDB_txn *txn, const struct store_op *op, struct totals *totals)
{
    struct bytes key_view = {op->key, op->key_size}, value = {op->value, op->value_size};
    MDB_val key = {op->key_size, (void *)(uintptr_t)op->key};
    MDB_val stored = {op->value_size + STORE_CHECKSUM_SIZE, NULL};
    int result = mdb_put(txn, lmdb->tables[op->table], &key, &stored, MDB_RESERVE);
    if (result)
        return result;
    if (value.size > 0)
        memcpy(stored.mv_data, value.data, value.size);
    store_checksum((uint8_t)op->table, key_view, value, (uint8_t *)stored.mv_data + value.size);
    totals->tables[op->table].count++;
    totals->tables[op->table].sum += sum_of(view(&stored));
    return 0;
}

static int
clear(struct store_lmdb *lmdb, MDB_txn *txn, enum store_table table, struct totals *totals)
{
    totals->tables[table].count = totals->tables[table].sum = 0;
    return mdb_drop(txn, lmdb->tables[table], 0);
}

static int write_ops(struct store_lmdb *lmdb,
                     MDB_txn *txn,
                     const struct store_batch *batch,
                     struct totals *totals)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct store_op *op = &batch->ops[i];
        MDB_val key = {op->key_size, (void *)(uintptr_t)op->key};
        bool all = op->remove && op->key_size == 0;
        int result =
            all ? clear(lmdb, txn, op->table, totals) : discount(lmdb, txn, op, totals);
        if (all && !result)
            continue;
        if (!result && op->remove)
            result = mdb_del(txn, lmdb->tables[op->table], &key, NULL);
        else if (!result)
            result = put(lmdb, txn, op, totals);
        if (result && !(op->remove && result == MDB_NOTFOUND))
            return result;
    }
    return 0;
}

static int write_transaction(struct store_lmdb *lmdb, const struct store_batch *batch)
{
    MDB_txn *txn;
    struct totals totals;
    int result = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
    if (result)
        return result;
    result = read_totals(lmdb, txn, &totals);
    if (!result)
        result = write_ops(lmdb, txn, batch, &totals);
    if (!result)
        result = write_totals(lmdb, txn, &totals);
    if (!result)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return result;
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

/* Bytes of the file up to the last page that was ever used. */
static size_t used_size(struct store_lmdb *lmdb)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(lmdb->env, &info);
    mdb_env_stat(lmdb->env, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

static void reach_ahead(struct store_lmdb *lmdb)
{
    mdb_filehandle_t fd;
    if (mdb_env_get_fd(lmdb->env, &fd) == 0)
        store_file_reach_ahead(fd, used_size(lmdb));
}

/* In a full map even deletes fail, so it is grown before. */
static int write_growing(struct store_lmdb *lmdb, const struct store_batch *batch)
{
    const size_t grow_percent = 70;
    for (;;) {
        pthread_rwlock_rdlock(&lmdb->map_lock);
        int result = write_transaction(lmdb, batch);
        size_t used = used_size(lmdb);
        pthread_rwlock_unlock(&lmdb->map_lock);
        if (result == 0 && used > lmdb->map_size / 100 * grow_percent)
            grow_map(lmdb); /* should it fail, the next full map tries again */
        if (result != MDB_MAP_FULL)
            return result;
        result = grow_map(lmdb);
        if (result)
            return result;
    }
}

/* ---- reading ---------------------------------------------------------------------------- */

static int
get(struct store *store, enum store_table table, struct bytes key, struct wire_writer *out)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    MDB_txn *txn;
    MDB_val wanted = {key.size, (void *)(uintptr_t)key.data}, stored;
    pthread_rwlock_rdlock(&lmdb->map_lock);
    int result = lmdb->env ? mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn) : EIO;
    if (!result) {
        struct bytes value;
        result = mdb_get(txn, lmdb->tables[table], &wanted, &stored);
        if (!result && !store_checksum_strip((uint8_t)table, key, view(&stored), &value))
            result = MDB_CORRUPTED;
        if (!result)
            wire_append(out, value.data, value.size);
        mdb_txn_abort(txn);
    }
    pthread_rwlock_unlock(&lmdb->map_lock);
    return result ? to_errno(result) : out->failed ? -ENOMEM : 0;
}

struct walk {
    enum store_table table;
    struct bytes first;
    bool (*visit)(void *context, struct bytes key, struct bytes value); /* NULL: only check */
    void *context;
    uint64_t count, sum;
    bool complete;
};

static int walk_cursor(MDB_cursor *cursor, struct walk *walk)
{
    MDB_val key = {walk->first.size, (void *)(uintptr_t)walk->first.data}, stored;
    MDB_cursor_op move = walk->first.size ? MDB_SET_RANGE : MDB_FIRST;
    for (;; move = MDB_NEXT) {
        struct bytes value;
        int result = mdb_cursor_get(cursor, &key, &stored, move);
        if (result == MDB_NOTFOUND) {
            walk->complete = walk->first.size == 0;
            return 0;
        }
        if (result)
            return result;
        if (!store_checksum_strip((uint8_t)walk->table, view(&key), view(&stored), &value))
            return MDB_CORRUPTED;
        walk->count++;
        walk->sum += sum_of(view(&stored));
        if (walk->visit && !walk->visit(walk->context, view(&key), value))
            return 0;
    }
}

static int walk_table(struct store_lmdb *lmdb, MDB_txn *txn, struct walk *walk)
{
    MDB_cursor *cursor;
    struct totals totals;
    int result = read_totals(lmdb, txn, &totals);
    if (!result)
        result = mdb_cursor_open(txn, lmdb->tables[walk->table], &cursor);
    if (result)
        return result;
    result = walk_cursor(cursor, walk);
    mdb_cursor_close(cursor);
    if (!result && walk->complete &&
        (walk->count != totals.tables[walk->table].count ||
         walk->sum != totals.tables[walk->table].sum))
        return MDB_CORRUPTED;
    return result;
}

static int walk(struct store *store,
                enum store_table table,
                struct bytes first,
                bool (*visit)(void *context, struct bytes key, struct bytes value),
                void *context)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    struct walk walk = {.table = table, .first = first, .visit = visit, .context = context};
    MDB_txn *txn;
    pthread_rwlock_rdlock(&lmdb->map_lock);
    int result = lmdb->env ? mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn) : EIO;
    if (!result) {
        result = walk_table(lmdb, txn, &walk);
        mdb_txn_abort(txn);
    }
    pthread_rwlock_unlock(&lmdb->map_lock);
    return to_errno(result);
}

/* ---- opening ---------------------------------------------------------------------------- */

static int open_tables(struct store_lmdb *lmdb, MDB_txn *txn, unsigned flags)
{
    int result = mdb_dbi_open(txn, check_name, flags, &lmdb->check);
    for (size_t i = 0; i < STORE_TABLE_COUNT && !result; i++)
        result = mdb_dbi_open(txn, table_names[i], flags, &lmdb->tables[i]);
    return result == MDB_NOTFOUND || result == MDB_INCOMPATIBLE ? MDB_CORRUPTED : result;
}

static int make_tables(struct store_lmdb *lmdb)
{
    const struct totals none = {0};
    MDB_txn *txn;
    int result = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
    if (result)
        return result;
    result = open_tables(lmdb, txn, MDB_CREATE);
    if (!result)
        result = write_totals(lmdb, txn, &none);
    if (!result)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return result;
}

/* Every value of every table, and that nothing is missing, doubled or older. */
static int verify(struct store_lmdb *lmdb, MDB_txn *txn)
{
    struct totals totals;
    int result = read_totals(lmdb, txn, &totals);
    if (!result && totals.transaction != mdb_txn_id(txn))
        return MDB_CORRUPTED;
    for (size_t i = 0; i < STORE_TABLE_COUNT && !result; i++) {
        struct walk walk = {.table = (enum store_table)i};
        result = walk_table(lmdb, txn, &walk);
    }
    return result;
}

static int verify_tables(struct store_lmdb *lmdb)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (result)
        return result;
    result = open_tables(lmdb, txn, 0);
    if (!result && !lmdb->is_known)
        result = verify(lmdb, txn);
    if (!result)
        return mdb_txn_commit(txn); /* keeps the table handles */
    mdb_txn_abort(txn);
    return result;
}

static int open_environment(struct store_lmdb *lmdb)
{
    MDB_envinfo info;
    int dead = 0;
    int result = mdb_env_create(&lmdb->env);
    if (!result)
        result = mdb_env_set_maxdbs(lmdb->env, STORE_TABLE_COUNT + 1);
    if (!result)
        result = mdb_env_set_mapsize(lmdb->env, lmdb->map_size);
    if (!result)
        result = mdb_env_open(lmdb->env, lmdb->path, MDB_NOTLS | MDB_NOSUBDIR, 0600);
    if (result)
        return result;
    mdb_reader_check(lmdb->env, &dead); /* slots of a process that was killed */
    mdb_env_info(lmdb->env, &info);
    lmdb->map_size = info.me_mapsize;
    if (info.me_last_txnid > 0)
        return verify_tables(lmdb);
    /* New: its first pages are on disk before its length says that they should be. */
    result = mdb_env_sync(lmdb->env, 1);
    return result ? result : make_tables(lmdb);
}

static bool refused(const struct store_lmdb *lmdb, int result, struct error *error)
{
    if (to_errno(result) == -EBADMSG)
        return error_set(error, ERROR_INVALID, "the store %s is damaged: %s", lmdb->path,
                         mdb_strerror(result));
    if (result == MDB_VERSION_MISMATCH)
        return error_set(error, ERROR_REFUSED,
                         "the store %s was written by another version of lbnode", lmdb->path);
    return error_set(error, ERROR_REFUSED,
                     "the store %s cannot be opened: %s; check the disk and that no other "
                     "lbnode uses it",
                     lmdb->path, mdb_strerror(result));
}

/* LMDB maps what it finds; this looks before. */
static bool file_is_whole(const struct store_lmdb *lmdb, struct error *error)
{
    int fd = open(lmdb->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || refused(lmdb, errno, error);
    bool whole = store_pages_are_whole(fd, error);
    close(fd);
    return whole;
}

static bool open_checked(struct store_lmdb *lmdb, struct error *error)
{
    if (!file_is_whole(lmdb, error))
        return false;
    int result = open_environment(lmdb);
    if (result) {
        mdb_env_close(lmdb->env);
        lmdb->env = NULL;
        return refused(lmdb, result, error);
    }
    reach_ahead(lmdb);
    return true;
}

static void close_lmdb(struct store *store)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    if (lmdb->env)
        mdb_env_close(lmdb->env);
    pthread_rwlock_destroy(&lmdb->map_lock);
    free(lmdb->path);
    free(lmdb);
}

/* ---- committing ------------------------------------------------------------------------- */

/* 0 or -errno; LMDB's own state is not trusted after a failure. */
static int reopen(struct store_lmdb *lmdb)
{
    struct error error = {0};
    pthread_rwlock_wrlock(&lmdb->map_lock);
    if (lmdb->env)
        mdb_env_close(lmdb->env);
    lmdb->env = NULL;
    bool opened = open_checked(lmdb, &error);
    pthread_rwlock_unlock(&lmdb->map_lock);
    return opened ? 0 : error.kind == ERROR_INVALID ? -EBADMSG : -EIO;
}

/* A write that stopped half-way on a full disk is EIO to LMDB. */
static int name_failure(struct store_lmdb *lmdb, int result)
{
    mdb_filehandle_t fd;
    bool full = result == EIO && mdb_env_get_fd(lmdb->env, &fd) == 0 && store_file_is_full(fd);
    return to_errno(full ? ENOSPC : result);
}

/* LMDB keeps the memory of the largest transaction for ever: tens of MiB after a snapshot. */
static void shed_memory(struct store_lmdb *lmdb, const struct store_batch *batch)
{
    const size_t large = 20000;
    if (batch->count < large)
        return;
    lmdb->is_known = true;
    reopen(lmdb); /* should it fail, the next commit tries again */
    lmdb->is_known = false;
}

static int commit(struct store *store, const struct store_batch *batch)
{
    struct store_lmdb *lmdb = CONTAINER_OF(store, struct store_lmdb, store);
    int result = lmdb->env ? write_growing(lmdb, batch) : EIO;
    if (result && result != MDB_MAP_FULL && to_errno(result) != -EBADMSG) {
        int reopened = reopen(lmdb);
        if (reopened)
            return result == ENOSPC && reopened == -EIO ? -ENOSPC : reopened;
        result = write_growing(lmdb, batch);
    }
    if (result == 0) {
        reach_ahead(lmdb);
        shed_memory(lmdb, batch);
        return 0;
    }
    return name_failure(lmdb, result);
}

struct store *store_lmdb_open(const char *path, size_t map_size, struct error *error)
{
    static const struct store_class class = {commit, get, walk, close_lmdb};
    if (!store_file_place_is_fit(path, error))
        return NULL;
    struct store_lmdb *lmdb = memory_new(sizeof(*lmdb));
    lmdb->store.class = &class;
    lmdb->path = memory_text(path, strlen(path));
    lmdb->map_size = map_size;
    pthread_rwlock_init(&lmdb->map_lock, NULL);
    if (open_checked(lmdb, error))
        return &lmdb->store;
    close_lmdb(&lmdb->store);
    return NULL;
}

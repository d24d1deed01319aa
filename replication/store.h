/* Where the state lives: five ordered tables of bytes with atomic, durable batches. The pure
 * core only describes what to write (struct store_batch); store_lmdb.c and store_mem.c do it.
 *
 * Tables and keys (integers big-endian, so that order is numeric order):
 *   meta    one letter and a name or id; see core_load.c
 *   log     stream u64, seq u64                     -> record bytes
 *   facet   object 16, facet u16, stream u64, seq u64 -> entry, see facet.c
 *   change  change_id 16                            -> stream u64, seq u64, wall ms u64
 *   dead    stream u64, seq u64, operation index u32 -> stream u64, seq u64 of the record that
 * replaced it, or nothing: the operation of a record of the log whose value was replaced or
 * purged. Each operation of each record of the log has either a row here or one in facet. */
#ifndef REPLICATION_STORE_H
#define REPLICATION_STORE_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/error.h"
#include "lbnode/base/wire.h"

enum store_table {
    STORE_META,
    STORE_LOG,
    STORE_FACET,
    STORE_CHANGE,
    STORE_DEAD,
    STORE_TABLE_COUNT
};

enum {
    STORE_KEY_MAXIMUM = 64
};

struct store_op {
    enum store_table table;
    bool remove; /* with an empty key: every row of the table */
    uint8_t key[STORE_KEY_MAXIMUM];
    size_t key_size;
    uint8_t *value; /* owned by the batch */
    size_t value_size;
};

struct store_block;

/* Operations of one transaction, done in order. Values lie together in a few blocks: a large
 * batch would else leave holes all over the memory of whatever it was made from. */
struct store_batch {
    struct store_op *ops;
    size_t count, capacity;
    size_t bytes; /* of all values */
    struct store_block *blocks;
};

void store_batch_put(struct store_batch *batch,
                     enum store_table table,
                     struct bytes key,
                     struct bytes value);
/* Removing what is not there is no error. */
void store_batch_remove(struct store_batch *batch, enum store_table table, struct bytes key);
/* Removes all that is in TABLE before this. */
void store_batch_clear(struct store_batch *batch, enum store_table table);
/* Appends copies of FROM's operations. */
void store_batch_append(struct store_batch *batch, const struct store_batch *from);
void store_batch_free(struct store_batch *batch);

struct store;

struct store_class {
    /* All of BATCH, durably, or nothing. 0 or -errno (-ENOSPC, -EIO, ...). May run in a thread
     * of its own while others read. */
    int (*commit)(struct store *store, const struct store_batch *batch);
    /* Appends the value to OUT. 0, -ENOENT, -EBADMSG (checksum), -errno. */
    int (*get)(struct store *store,
               enum store_table table,
               struct bytes key,
               struct wire_writer *out);
    /* Entries from FIRST (included) in key order, one consistent view, until VISIT returns
     * false. 0 or -errno. VISIT must not call the store. */
    int (*walk)(struct store *store,
                enum store_table table,
                struct bytes first,
                bool (*visit)(void *context, struct bytes key, struct bytes value),
                void *context);
    void (*close)(struct store *store);
};

struct store {
    const struct store_class *class;
};

int store_commit(struct store *store, const struct store_batch *batch);
int store_get(struct store *store,
              enum store_table table,
              struct bytes key,
              struct wire_writer *out);
int store_walk(struct store *store,
               enum store_table table,
               struct bytes first,
               bool (*visit)(void *context, struct bytes key, struct bytes value),
               void *context);
void store_close(struct store *store); /* NULL-safe */

/* In memory, for tests and simulations. */
struct store *store_mem_open(void);
/* Makes the next commits fail with ERROR_NUMBER (positive; 0: work again). */
void store_mem_fail(struct store *store, int error_number);
/* Row number PLACE of TABLE (modulo its rows) can no longer be read: get and walk give -EBADMSG
 * there until it is written again. False when the table is empty. */
bool store_mem_rot(struct store *store, enum store_table table, size_t place);

/* The file PATH (with -lock beside it), created if missing, 0600. MAP_SIZE is the first size of
 * the map, doubled on demand. Verifies all of it. NULL with ERROR: of kind INVALID when the
 * content is damaged, REFUSED when it cannot be got at. Never open one twice in a process. A
 * damaged file can crash the library: see store_check.h. */
struct store *store_lmdb_open(const char *path, size_t map_size, struct error *error);

#endif

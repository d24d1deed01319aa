/* The store in memory: a sorted array per table. Commits are as atomic as those of the real
 * one; a simulation "crashes" a node by keeping its store and dropping everything else. */
#include "replication/memory.h"
#include "replication/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct row {
    uint8_t key[STORE_KEY_MAXIMUM];
    size_t key_size;
    uint8_t *value;
    size_t value_size;
    bool rotten;
};

struct table {
    struct row *rows;
    size_t count, capacity;
};

struct store_mem {
    struct store store;
    struct table tables[STORE_TABLE_COUNT];
    int failure;
};

static int compare(const struct row *row, struct bytes key)
{
    size_t common = row->key_size < key.size ? row->key_size : key.size;
    int order = common ? memcmp(row->key, key.data, common) : 0;
    return order ? order : (row->key_size > key.size) - (row->key_size < key.size);
}

static size_t position_of(const struct table *table, struct bytes key)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&table->rows[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void clear(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->rows[i].value);
    table->count = 0;
}

static void apply(struct table *table, const struct store_op *op)
{
    if (op->remove && op->key_size == 0) {
        clear(table);
        return;
    }
    struct bytes key = {op->key, op->key_size};
    size_t at = position_of(table, key);
    bool present = at < table->count && compare(&table->rows[at], key) == 0;
    if (present)
        free(table->rows[at].value);
    if (op->remove) {
        if (present)
            memmove(table->rows + at, table->rows + at + 1,
                    (--table->count - at) * sizeof(*table->rows));
        return;
    }
    if (!present) {
        table->rows =
            memory_grow(table->rows, table->count, &table->capacity, sizeof(*table->rows));
        memmove(table->rows + at + 1, table->rows + at,
                (table->count++ - at) * sizeof(*table->rows));
    }
    struct row *row = &table->rows[at];
    *row = (struct row){.key_size = op->key_size, .value_size = op->value_size};
    memcpy(row->key, op->key, op->key_size);
    row->value = memory_copy(op->value, op->value_size);
}

static int commit(struct store *store, const struct store_batch *batch)
{
    struct store_mem *mem = CONTAINER_OF(store, struct store_mem, store);
    if (mem->failure)
        return -mem->failure;
    for (size_t i = 0; i < batch->count; i++)
        apply(&mem->tables[batch->ops[i].table], &batch->ops[i]);
    return 0;
}

static int
get(struct store *store, enum store_table which, struct bytes key, struct wire_writer *out)
{
    struct table *table = &CONTAINER_OF(store, struct store_mem, store)->tables[which];
    size_t at = position_of(table, key);
    if (at == table->count || compare(&table->rows[at], key) != 0)
        return -ENOENT;
    if (table->rows[at].rotten)
        return -EBADMSG;
    wire_append(out, table->rows[at].value, table->rows[at].value_size);
    return out->failed ? -ENOMEM : 0;
}

static int walk(struct store *store,
                enum store_table which,
                struct bytes first,
                bool (*visit)(void *context, struct bytes key, struct bytes value),
                void *context)
{
    struct table *table = &CONTAINER_OF(store, struct store_mem, store)->tables[which];
    for (size_t i = position_of(table, first); i < table->count; i++) {
        const struct row *row = &table->rows[i];
        if (row->rotten)
            return -EBADMSG;
        if (!visit(context, (struct bytes){row->key, row->key_size},
                   (struct bytes){row->value, row->value_size}))
            break;
    }
    return 0;
}

static void close_mem(struct store *store)
{
    struct store_mem *mem = CONTAINER_OF(store, struct store_mem, store);
    for (size_t t = 0; t < STORE_TABLE_COUNT; t++) {
        clear(&mem->tables[t]);
        free(mem->tables[t].rows);
    }
    free(mem);
}

struct store *store_mem_open(void)
{
    static const struct store_class class = {commit, get, walk, close_mem};
    struct store_mem *mem = memory_new(sizeof(*mem));
    mem->store.class = &class;
    return &mem->store;
}

void store_mem_fail(struct store *store, int error_number)
{
    CONTAINER_OF(store, struct store_mem, store)->failure = error_number;
}

bool store_mem_rot(struct store *store, enum store_table which, size_t place)
{
    struct table *table = &CONTAINER_OF(store, struct store_mem, store)->tables[which];
    if (table->count == 0)
        return false;
    table->rows[place % table->count].rotten = true;
    return true;
}

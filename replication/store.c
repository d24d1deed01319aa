#include "replication/store.h"

#include "replication/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct store_op *add(struct store_batch *batch, enum store_table table, struct bytes key)
{
    assert(key.size <= STORE_KEY_MAXIMUM);
    batch->ops = memory_grow(batch->ops, batch->count, &batch->capacity, sizeof(*batch->ops));
    struct store_op *op = &batch->ops[batch->count++];
    *op = (struct store_op){.table = table, .key_size = key.size};
    memcpy(op->key, key.data, key.size);
    return op;
}

void store_batch_put(struct store_batch *batch,
                     enum store_table table,
                     struct bytes key,
                     struct bytes value)
{
    struct store_op *op = add(batch, table, key);
    op->value = memory_copy(value.data, value.size);
    op->value_size = value.size;
    batch->bytes += value.size;
}

void store_batch_remove(struct store_batch *batch, enum store_table table, struct bytes key)
{
    add(batch, table, key)->remove = true;
}

void store_batch_append(struct store_batch *batch, const struct store_batch *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct store_op *op = &from->ops[i];
        struct bytes key = {op->key, op->key_size};
        if (op->remove)
            store_batch_remove(batch, op->table, key);
        else
            store_batch_put(batch, op->table, key, (struct bytes){op->value, op->value_size});
    }
}

void store_batch_free(struct store_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->ops[i].value);
    free(batch->ops);
    *batch = (struct store_batch){0};
}

int store_commit(struct store *store, const struct store_batch *batch)
{
    return store->class->commit(store, batch);
}

int store_get(struct store *store,
              enum store_table table,
              struct bytes key,
              struct wire_writer *out)
{
    return store->class->get(store, table, key, out);
}

int store_walk(struct store *store,
               enum store_table table,
               struct bytes first,
               bool (*visit)(void *context, struct bytes key, struct bytes value),
               void *context)
{
    return store->class->walk(store, table, first, visit, context);
}

void store_close(struct store *store)
{
    if (store)
        store->class->close(store);
}

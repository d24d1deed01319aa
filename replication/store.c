#include "replication/store.h"

#include "replication/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BLOCK = 2048,
    LARGEST_BLOCK = 1 << 20
};

struct store_block {
    struct store_block *next; /* older */
    size_t used, size;
    uint8_t data[];
};

/* Room for SIZE bytes in the newest block, or in a new one of twice its size. */
static uint8_t *room_for(struct store_batch *batch, size_t size)
{
    struct store_block *block = batch->blocks;
    if (!block || block->size - block->used < size) {
        size_t wanted = block ? 2 * block->size : FIRST_BLOCK;
        if (wanted > LARGEST_BLOCK)
            wanted = LARGEST_BLOCK;
        if (wanted < size)
            wanted = size;
        block = memory_resize(NULL, sizeof(*block) + wanted);
        *block = (struct store_block){.next = batch->blocks, .size = wanted};
        batch->blocks = block;
    }
    block->used += size;
    return block->data + block->used - size;
}

static struct store_op *add(struct store_batch *batch, enum store_table table, struct bytes key)
{
    assert(key.size <= STORE_KEY_MAXIMUM);
    batch->ops = memory_grow(batch->ops, batch->count, &batch->capacity, sizeof(*batch->ops));
    struct store_op *op = &batch->ops[batch->count++];
    *op = (struct store_op){.table = table, .key_size = key.size};
    if (key.size > 0)
        memcpy(op->key, key.data, key.size);
    return op;
}

void store_batch_put(struct store_batch *batch,
                     enum store_table table,
                     struct bytes key,
                     struct bytes value)
{
    struct store_op *op = add(batch, table, key);
    op->value = room_for(batch, value.size);
    op->value_size = value.size;
    if (value.size > 0)
        memcpy(op->value, value.data, value.size);
    batch->bytes += value.size;
}

void store_batch_remove(struct store_batch *batch, enum store_table table, struct bytes key)
{
    add(batch, table, key)->remove = true;
}

void store_batch_clear(struct store_batch *batch, enum store_table table)
{
    add(batch, table, (struct bytes){0})->remove = true;
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
    for (struct store_block *block = batch->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
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

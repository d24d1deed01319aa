#include "proxy/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t capacities[BUFFER_CLASS_COUNT] = {BUFFER_SMALL_SIZE, 80 << 10};

static bool take_budget(struct buffer_pool *pool, size_t size)
{
    struct buffer_budget *budget = pool->budget;
    if (budget && atomic_fetch_add(&budget->taken, size) + size > budget->limit) {
        atomic_fetch_sub(&budget->taken, size);
        return false;
    }
    pool->bytes += size;
    return true;
}

static void give_budget_back(struct buffer_pool *pool, size_t size)
{
    pool->bytes -= size;
    if (pool->budget)
        atomic_fetch_sub(&pool->budget->taken, size);
}

bool buffer_budget_is_scarce(const struct buffer_budget *budget)
{
    return atomic_load_explicit(&budget->taken, memory_order_relaxed) > budget->limit / 4 * 3;
}

static struct buffer *buffer_new(struct buffer_pool *pool, enum buffer_class size_class)
{
    size_t size = sizeof(struct buffer) + capacities[size_class];
    if (!take_budget(pool, size))
        return NULL;
    struct buffer *buffer = malloc(size);
    if (!buffer) {
        give_budget_back(pool, size);
        return NULL;
    }
    buffer->capacity = capacities[size_class];
    buffer->size_class = size_class;
    return buffer;
}

static void buffer_free(struct buffer_pool *pool, struct buffer *buffer)
{
    give_budget_back(pool, sizeof(*buffer) + buffer->capacity);
    free(buffer);
}

struct buffer *buffer_get_early(struct buffer_pool *pool, enum buffer_class size_class)
{
    bool is_new = !pool->free[size_class];
    return is_new && pool->budget && buffer_budget_is_scarce(pool->budget)
               ? NULL
               : buffer_get(pool, size_class);
}

struct buffer *buffer_get(struct buffer_pool *pool, enum buffer_class size_class)
{
    struct buffer *buffer = pool->free[size_class];
    if (buffer) {
        pool->free[size_class] = buffer->next;
        pool->free_count[size_class]--;
    } else {
        buffer = buffer_new(pool, size_class);
        if (!buffer)
            return NULL;
    }
    buffer->start = buffer->end = 0;
    return buffer;
}

void buffer_put(struct buffer_pool *pool, struct buffer **buffer)
{
    struct buffer *old = *buffer;
    *buffer = NULL;
    if (!old)
        return;
    bool is_scarce = pool->budget && buffer_budget_is_scarce(pool->budget);
    if (is_scarce || pool->free_count[old->size_class] >= BUFFER_POOL_KEPT) {
        buffer_free(pool, old);
        return;
    }
    old->next = pool->free[old->size_class];
    pool->free[old->size_class] = old;
    pool->free_count[old->size_class]++;
}

void buffer_put_empty(struct buffer_pool *pool, struct buffer **buffer)
{
    if (buffer_size(*buffer) == 0)
        buffer_put(pool, buffer);
}

void buffer_pool_clear(struct buffer_pool *pool)
{
    for (int i = 0; i < BUFFER_CLASS_COUNT; i++) {
        while (pool->free[i]) {
            struct buffer *first = pool->free[i];
            pool->free[i] = first->next;
            buffer_free(pool, first);
        }
        pool->free_count[i] = 0;
    }
}

bool buffer_grow(struct buffer_pool *pool, struct buffer **buffer)
{
    if ((*buffer)->size_class == BUFFER_LARGE)
        return false;
    struct buffer *large = buffer_get(pool, BUFFER_LARGE);
    if (!large)
        return false;
    buffer_append(large, buffer_begin(*buffer), buffer_size(*buffer));
    buffer_put(pool, buffer);
    *buffer = large;
    return true;
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer_size(buffer));
    buffer->start += (uint32_t)size;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_compact(struct buffer *buffer)
{
    size_t size = buffer_size(buffer);
    if (buffer->start == 0)
        return;
    memmove(buffer->data, buffer_begin(buffer), size);
    buffer->start = 0;
    buffer->end = (uint32_t)size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    assert(size <= buffer_room(buffer));
    if (size > 0)
        memcpy(buffer->data + buffer->end, data, size);
    buffer->end += (uint32_t)size;
}

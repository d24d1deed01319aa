#include "proxy/object_pool.h"

#include <stdlib.h>
#include <string.h>

void *object_get(struct object_pool *pool)
{
    void *object = pool->free;
    if (!object)
        return malloc(pool->object_size);
    memcpy(&pool->free, object, sizeof(void *));
    return object;
}

void object_put(struct object_pool *pool, void *object)
{
    if (!object)
        return;
    memcpy(object, &pool->free, sizeof(void *));
    pool->free = object;
}

static void *buried_link(const struct object_pool *pool, void *object)
{
    return (char *)object + pool->object_size - sizeof(void *);
}

void object_bury(struct object_pool *pool, void *object)
{
    memcpy(buried_link(pool, object), &pool->buried, sizeof(void *));
    pool->buried = object;
}

void object_pool_settle(struct object_pool *pool)
{
    while (pool->buried) {
        void *object = pool->buried;
        memcpy(&pool->buried, buried_link(pool, object), sizeof(void *));
        object_put(pool, object);
    }
}

void object_pool_clear(struct object_pool *pool)
{
    object_pool_settle(pool);
    while (pool->free) {
        void *first = pool->free;
        memcpy(&pool->free, first, sizeof(void *));
        free(first);
    }
}

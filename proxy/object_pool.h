/* Objects of one size from a per-worker free list, so that steady traffic allocates nothing. A
 * pool never shrinks before it is cleared; its size is bounded by the open files. */
#ifndef PROXY_OBJECT_POOL_H
#define PROXY_OBJECT_POOL_H

#include <stddef.h>

struct object_pool {
    size_t object_size; /* at least a pointer */
    void *free;
    void *buried; /* given back, but perhaps still looked at in this turn of the loop */
};

/* Not cleared. NULL when out of memory. */
void *object_get(struct object_pool *pool);
void object_put(struct object_pool *pool, void *object); /* NULL-safe */
/* Gives OBJECT back with the next object_pool_settle, so that the functions that are still on
 * the stack may find out that it is closed. Its last bytes are used as a link. */
void object_bury(struct object_pool *pool, void *object);
void object_pool_settle(struct object_pool *pool);
void object_pool_clear(struct object_pool *pool);

#endif

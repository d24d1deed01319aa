/* Byte buffers of two sizes from a per-worker pool. A connection holds one only while bytes are
 * in it, so that idle connections cost none. Bytes live in [start, end) of data. */
#ifndef PROXY_BUFFER_H
#define PROXY_BUFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum buffer_class {
    BUFFER_SMALL, /* 20 KiB: an answer of 16 KiB with its head comes, and goes, in one piece */
    BUFFER_LARGE, /* 80 KiB: any head that the parser accepts, with what we add */
    BUFFER_CLASS_COUNT
};

struct buffer {
    struct buffer *next; /* in the pool */
    uint32_t start, end, capacity;
    uint32_t size_class;
    char data[];
};

enum {
    BUFFER_SMALL_SIZE = 20 << 10,
    BUFFER_POOL_KEPT = 256 /* free buffers kept per class; more go back to the system */
};

/* What the buffers of all workers may take together. While more than three quarters of it are
 * taken, nothing new is to be begun: the rest is for what is under way. */
struct buffer_budget {
    _Atomic uint64_t taken;
    uint64_t limit; /* bytes */
};

struct buffer_pool {
    struct buffer *free[BUFFER_CLASS_COUNT];
    uint32_t free_count[BUFFER_CLASS_COUNT];
    uint64_t bytes;               /* of its buffers, free ones included */
    struct buffer_budget *budget; /* NULL: no bound */
};

/* NULL when out of memory, or of budget. */
struct buffer *buffer_get(struct buffer_pool *pool, enum buffer_class size_class);
/* As buffer_get, for what is only about to begin: NULL also when the budget is scarce. */
struct buffer *buffer_get_early(struct buffer_pool *pool, enum buffer_class size_class);
bool buffer_budget_is_scarce(const struct buffer_budget *budget);
/* Gives *BUFFER back and clears the pointer; NULL-safe. */
void buffer_put(struct buffer_pool *pool, struct buffer **buffer);
/* Gives it back when nothing is in it. */
void buffer_put_empty(struct buffer_pool *pool, struct buffer **buffer);
void buffer_pool_clear(struct buffer_pool *pool);
/* Replaces a small buffer by a large one with the same bytes. False: out of memory, or it is
 * large already. */
bool buffer_grow(struct buffer_pool *pool, struct buffer **buffer);

static inline size_t buffer_size(const struct buffer *buffer)
{
    return buffer ? buffer->end - buffer->start : 0;
}

static inline size_t buffer_room(const struct buffer *buffer)
{
    return buffer->capacity - buffer->end;
}

static inline char *buffer_begin(struct buffer *buffer)
{
    return buffer->data + buffer->start;
}

/* Forgets the first SIZE bytes; an empty buffer starts over. */
void buffer_consume(struct buffer *buffer, size_t size);
/* Moves the bytes to the front. */
void buffer_compact(struct buffer *buffer);
/* The caller made sure that there is room. */
void buffer_append(struct buffer *buffer, const void *data, size_t size);

#endif

/* Pipes through which bulk passes from socket to socket inside the kernel. A connection holds
 * one only while bytes are in it; a worker has few, and who gets none copies. */
#ifndef PROXY_PIPE_POOL_H
#define PROXY_PIPE_POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    PIPE_SIZE = 1 << 20,   /* wanted; the kernel may grant less */
    PIPES_PER_WORKER = 32, /* two descriptors each */
    /* When it pays: bytes that come at once. */
    PIPE_BULK = 64 << 10,    /* from here on splicing is cheaper */
    PIPE_TRICKLE = 16 << 10, /* below, copying is */
};

struct pipe {
    struct pipe *next; /* in the pool */
    int read_fd, write_fd;
    size_t size; /* bytes in it */
};

struct pipe_pool {
    struct pipe *free;
    uint32_t count; /* with those in use */
};

/* NULL when there are enough, or no more descriptors. */
struct pipe *pipe_get(struct pipe_pool *pool);
/* Gives *PIPE back and clears the pointer; one with bytes in it is closed. NULL-safe. */
void pipe_put(struct pipe_pool *pool, struct pipe **pipe);
void pipe_pool_clear(struct pipe_pool *pool);

#endif

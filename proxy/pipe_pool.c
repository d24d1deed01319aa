#include "proxy/pipe_pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct pipe *open_pipe(void)
{
    int fds[2];
    struct pipe *pipe = calloc(1, sizeof(*pipe));
    if (!pipe || pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
        free(pipe);
        return NULL;
    }
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one will do as well */
    pipe->read_fd = fds[0];
    pipe->write_fd = fds[1];
    return pipe;
}

static void close_pipe(struct pipe *pipe)
{
    close(pipe->read_fd);
    close(pipe->write_fd);
    free(pipe);
}

struct pipe *pipe_get(struct pipe_pool *pool)
{
    struct pipe *pipe = pool->free;
    if (pipe) {
        pool->free = pipe->next;
        return pipe;
    }
    if (pool->count >= PIPES_PER_WORKER)
        return NULL;
    pipe = open_pipe();
    pool->count += pipe != NULL;
    return pipe;
}

void pipe_put(struct pipe_pool *pool, struct pipe **pipe)
{
    struct pipe *given = *pipe;
    *pipe = NULL;
    if (!given)
        return;
    if (given->size > 0) {
        close_pipe(given);
        pool->count--;
        return;
    }
    given->next = pool->free;
    pool->free = given;
}

void pipe_pool_clear(struct pipe_pool *pool)
{
    while (pool->free) {
        struct pipe *next = pool->free->next;
        close_pipe(pool->free);
        pool->free = next;
        pool->count--;
    }
}

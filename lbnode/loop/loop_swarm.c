#include "lbnode/loop/loop_swarm.h"

#include "lbnode/base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BATCH = 64 /* reports at a time; the loop comes back for more */
};

struct loop_swarm {
    struct loop_io watch;
    int epoll;
    int at, count; /* of the batch that is being handled */
    struct epoll_event batch[BATCH];
};

static unsigned readiness_of(uint32_t events)
{
    unsigned readiness = 0;
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        readiness |= LOOP_READABLE;
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
        readiness |= LOOP_WRITABLE;
    return readiness;
}

static void on_readable(struct loop_io *watch, unsigned readiness)
{
    struct loop_swarm *swarm = CONTAINER_OF(watch, struct loop_swarm, watch);
    swarm->count = epoll_wait(swarm->epoll, swarm->batch, BATCH, 0);
    for (swarm->at = 0; swarm->at < swarm->count; swarm->at++) {
        const struct epoll_event *event = &swarm->batch[swarm->at];
        struct swarm_io *io = event->data.ptr;
        if (io)
            io->on_ready(io, readiness_of(event->events));
    }
    swarm->count = 0;
}

struct loop_swarm *loop_swarm_new(struct loop *loop)
{
    struct loop_swarm *swarm = calloc(1, sizeof(*swarm));
    if (!swarm)
        return NULL;
    swarm->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (swarm->epoll >= 0 &&
        loop_io_start(loop, &swarm->watch, swarm->epoll, LOOP_READABLE, on_readable) == 0)
        return swarm;
    loop_swarm_free(swarm);
    return NULL;
}

void loop_swarm_free(struct loop_swarm *swarm)
{
    if (!swarm)
        return;
    loop_io_stop(&swarm->watch);
    if (swarm->epoll >= 0)
        close(swarm->epoll);
    free(swarm);
}

int loop_swarm_join(struct loop_swarm *swarm,
                    struct swarm_io *io,
                    int fd,
                    void (*on_ready)(struct swarm_io *, unsigned))
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = io};
    io->on_ready = on_ready;
    return epoll_ctl(swarm->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* The kernel forgets the descriptor with its close; what it has said already is dropped here.
 */
void loop_swarm_leave(struct loop_swarm *swarm, const struct swarm_io *io)
{
    for (int i = swarm->at; i < swarm->count; i++) {
        if (swarm->batch[i].data.ptr == io)
            swarm->batch[i].data.ptr = NULL;
    }
}

#include "lbnode/loop/acceptor.h"

#include "lbnode/base/bytes.h"

#include <errno.h>

static void on_ready(struct loop_io *io, unsigned readiness);

bool acceptor_is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_pause_over(struct loop_timer *timer)
{
    struct acceptor *acceptor = CONTAINER_OF(timer, struct acceptor, pause);
    loop_io_start(acceptor->loop, &acceptor->io, acceptor->io.fd, LOOP_READABLE, on_ready);
}

static void pause(struct acceptor *acceptor)
{
    uint64_t delay_ms = acceptor->pause_ms ? acceptor->pause_ms : ACCEPTOR_PAUSE_MS;
    acceptor->pause_ms =
        delay_ms * 2 < ACCEPTOR_LONGEST_PAUSE_MS ? delay_ms * 2 : ACCEPTOR_LONGEST_PAUSE_MS;
    loop_io_stop(&acceptor->io);
    loop_timer_start(acceptor->loop, &acceptor->pause, delay_ms, on_pause_over);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct acceptor *acceptor = CONTAINER_OF(io, struct acceptor, io);
    /* A client may make the owner stop. */
    for (int i = 0; i < ACCEPTOR_PER_TURN && acceptor->io.active; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof(from);
        int fd = accept4(io->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            acceptor->pause_ms = 0;
            acceptor->on_client(acceptor, fd, &from);
        } else if (acceptor_is_exhausted(errno)) {
            pause(acceptor);
        } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
            return;
        }
    }
}

int acceptor_start(struct loop *loop,
                   struct acceptor *acceptor,
                   int fd,
                   void (*on_client)(struct acceptor *, int, const struct sockaddr_storage *))
{
    acceptor->loop = loop;
    acceptor->on_client = on_client;
    acceptor->pause_ms = 0;
    return loop_io_start(loop, &acceptor->io, fd, LOOP_READABLE, on_ready);
}

void acceptor_stop(struct acceptor *acceptor)
{
    loop_io_stop(&acceptor->io);
    loop_timer_stop(&acceptor->pause);
}

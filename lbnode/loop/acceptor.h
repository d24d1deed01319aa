/* A listening socket whose connections are taken as they come. When the host has no descriptor
 * or memory for one, it looks away for a while, and longer each time: the kernel's queue keeps
 * what comes, and nothing spins on a socket that stays readable. */
#ifndef LBNODE_LOOP_ACCEPTOR_H
#define LBNODE_LOOP_ACCEPTOR_H

#include "lbnode/loop/loop.h"

#include <sys/socket.h>

enum {
    ACCEPTOR_PER_TURN = 32, /* then others come first */
    ACCEPTOR_PAUSE_MS = 100,
    ACCEPTOR_LONGEST_PAUSE_MS = 1000
};

/* Embedded by its owner; zero before the first use. */
struct acceptor {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer pause;
    uint64_t pause_ms; /* of the next pause; 0: the shortest */
    /* FD, without blocking and closed on exec, is the callee's. */
    void (*on_client)(struct acceptor *acceptor, int fd, const struct sockaddr_storage *from);
};

/* FD stays the caller's, who stops the acceptor before closing it. 0 or -errno. */
int acceptor_start(struct loop *loop,
                   struct acceptor *acceptor,
                   int fd,
                   void (*on_client)(struct acceptor *, int, const struct sockaddr_storage *));
void acceptor_stop(struct acceptor *acceptor); /* idempotent */
/* Whether ERROR of accept says that the host has nothing left to accept with. */
bool acceptor_is_exhausted(int error);

#endif

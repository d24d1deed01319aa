/* Fixed-size messages between the supervisor and one child, over a SOCK_SEQPACKET socketpair.
 * A message may carry file descriptors. What does not fit into the socket now is queued here,
 * at most CHANNEL_QUEUE_MESSAGES; beyond that the send is refused. */
#ifndef LBNODE_LOOP_CHANNEL_H
#define LBNODE_LOOP_CHANNEL_H

#include "lbnode/loop/loop.h"
#include "lbnode/model/message.h"

#include <stddef.h>

enum {
    CHANNEL_MAXIMUM_FDS = 64,
    CHANNEL_QUEUE_MESSAGES = 65536
};

struct channel;

struct channel_handler {
    /* One message of a known type and exactly its size. The FDS belong to the callee. */
    void (*on_message)(void *context,
                       const struct message *message,
                       const int *fds,
                       size_t fd_count);
    /* The other end is gone or sent something malformed; the channel stays until freed. */
    void (*on_closed)(void *context);
    void *context;
};

/* Makes both ends, CLOEXEC and non-blocking. 0 or -errno. */
int channel_pair(int out_fds[2]);
/* Takes FD over. NULL when out of memory or descriptors. */
struct channel *channel_new(struct loop *loop, int fd, const struct channel_handler *handler);
/* Copies the message; duplicates queued FDS (the caller keeps its own). 0, -EPIPE, -ENOBUFS. */
int channel_send(struct channel *channel,
                 const struct message *message,
                 const int *fds,
                 size_t fd_count);
/* Handles everything that is there to read, up to the end: what a process said last is not lost
 * with it. Not to be called from a handler. */
void channel_drain(struct channel *channel);
void channel_free(struct channel *channel); /* NULL-safe; may be called from a handler */

#endif

/* Listening sockets of one worker: accepting, and not accepting when there is no room. The
 * sockets are bound elsewhere and arrive as descriptors. */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

#include "proxy/worker.h"

struct listener_socket {
    struct loop_io io;
    struct loop_timer pause;
    struct listener_socket *next;
    struct worker *worker;
    struct ip_endpoint endpoint;
    uint32_t listener; /* index in the worker's generation, or SNAPSHOT_NONE: not served */
    int fd;
    bool is_full;      /* paused until a client leaves */
    bool is_throttled; /* has not accepted anything since it last paused */
    uint64_t pause_ms; /* of the next pause for want of descriptors; 0: the shortest */
};

enum {
    LISTENER_PAUSE_MS = 100, /* after the kernel refused a descriptor; doubles up to */
    LISTENER_LONGEST_PAUSE_MS = 1000,
    LISTENER_FULL_PAUSE_MS = 20, /* at the connection limit; others may free a place */
    LISTENER_EVICTIONS = 8,      /* kept connections to members closed for a descriptor */
    LISTENER_TURN_AWAY_MS = 100, /* the whole proxy resets no more often for want of one */
    LISTENER_ACCEPTS_PER_TURN = 32
};

/* Takes FD over. */
void listener_add(struct worker *worker, int fd, const struct ip_endpoint *endpoint);
/* Takes what has already been connected, then closes the sockets of ENDPOINT. */
void listener_remove(struct worker *worker, const struct ip_endpoint *endpoint);
void listener_remove_all(struct worker *worker);
/* Finds out anew which listener each socket serves. */
void listener_adopt(struct worker *worker);
/* There may be room again. */
void listener_client_closed(struct worker *worker);

#endif

/* A TCP connection that carries messages, each after its length (u32 big-endian). Owned by its
 * maker, who frees it, also from inside a callback. */
#ifndef REPLICATION_CONNECTION_H
#define REPLICATION_CONNECTION_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/loop/loop.h"

enum {
    CONNECTION_OUT_MAXIMUM = 64 << 20,
    CONNECTION_OUT_LOW = 64 << 10,     /* on_room when less waits */
    CONNECTION_STRANGER_MAXIMUM = 2048 /* bytes of a message of an unknown sender */
};

struct connection;

struct connection_handler {
    /* A whole message, valid during the call. */
    void (*on_message)(struct connection *connection, void *context, struct bytes message);
    /* The other end is gone, broke the framing, or was silent too long; WHY is a phrase. */
    void (*on_closed)(struct connection *connection, void *context, const char *why);
    /* Optional: something was written and little is left, so more can be sent. Must not free
     * the connection. */
    void (*on_room)(struct connection *connection, void *context);
};

/* Takes FD over. NULL when out of descriptors. */
struct connection *connection_accept(struct loop *loop,
                                     int fd,
                                     const struct connection_handler *handler,
                                     void *context);
/* Starts to connect; what is sent meanwhile waits. NULL when the kernel refuses at once. */
struct connection *connection_open(struct loop *loop,
                                   const struct ip_endpoint *endpoint,
                                   const struct connection_handler *handler,
                                   void *context);
/* Another owner takes over. */
void connection_set_handler(struct connection *connection,
                            const struct connection_handler *handler,
                            void *context);
void connection_set_limits(struct connection *connection,
                           size_t message_maximum,
                           uint64_t silence_ms);
/* False when too much is queued already; nothing is queued then. */
bool connection_send(struct connection *connection, struct bytes message);
size_t connection_queued(const struct connection *connection); /* bytes not yet written */
/* Frees it when everything queued is written (or its time is up); no callbacks any more. */
void connection_finish(struct connection *connection);
void connection_free(struct connection *connection); /* NULL-safe */

#endif

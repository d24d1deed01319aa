/* A TCP connection that carries messages, each after its length (u32 big-endian); all of that
 * encrypted when it has a session (stream_session.h). Owned by its maker, who frees it, also
 * from inside a callback.
 *
 * Who connected to us is a stranger until connection_set_limits is called, or until it has
 * proved to be there in a session: then it has three seconds for everything, however it spreads
 * its bytes, and no more of these are read than it needs. */
#ifndef REPLICATION_CONNECTION_H
#define REPLICATION_CONNECTION_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/loop/loop.h"
#include "replication/stream_session.h"

enum {
    CONNECTION_OUT_MAXIMUM = 64 << 20,
    CONNECTION_OUT_LOW = 64 << 10,      /* on_room when less waits */
    CONNECTION_STRANGER_MAXIMUM = 2048, /* bytes of a message of an unknown sender */
    CONNECTION_STRANGER_MS = 3000,
    CONNECTION_HANDSHAKE_MS = 10000 /* of ours, from the start of connecting */
};

/* How a connection ended, for who counts. */
enum connection_fate {
    CONNECTION_OPEN,
    CONNECTION_CLOSED, /* by the other end, or nobody answered at all */
    CONNECTION_CUT,    /* without the end of its session */
    CONNECTION_SILENT,
    CONNECTION_MALFORMED,
    CONNECTION_FORGED,
    CONNECTION_INCOMPATIBLE
};

struct connection;

struct connection_handler {
    /* A whole message, valid during the call. */
    void (*on_message)(struct connection *connection, void *context, struct bytes message);
    /* The other end is gone, broke the framing, or was silent too long; WHY is a phrase. */
    void (*on_closed)(struct connection *connection, void *context, const char *why);
    /* Optional: something was written and little is left, so more can be sent. */
    void (*on_room)(struct connection *connection, void *context);
    /* Optional: FRAME, whole, would begin a session. Calls connection_answer_session or frees
     * the connection. Without it such a beginning is a message that is too large. */
    void (*on_init)(struct connection *connection, void *context, struct bytes frame);
};

/* Takes FD over; the first message has at most FIRST_MAXIMUM bytes. NULL when out of
 * descriptors. */
struct connection *connection_accept(struct loop *loop,
                                     int fd,
                                     size_t first_maximum,
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
/* From now on all goes through SESSION, which the connection takes over: INIT first, messages
 * when the other end has answered. The limit of silence holds from then on. */
void connection_begin_session(struct connection *connection,
                              struct stream_session *session,
                              struct bytes init,
                              uint64_t silence_ms);
/* Within on_init: the same with RESPONSE. The limits hold from when the other end has proved to
 * be there; before that it is not read further. */
void connection_answer_session(struct connection *connection,
                               struct stream_session *session,
                               struct bytes response,
                               size_t message_maximum,
                               uint64_t silence_ms);
/* Nobody who connected, or one who is known meanwhile. */
bool connection_is_stranger(const struct connection *connection);
enum connection_fate connection_fate(const struct connection *connection);
/* False when too much is queued already; nothing is queued then. */
bool connection_send(struct connection *connection, struct bytes message);
size_t connection_queued(const struct connection *connection); /* bytes not yet written */
bool connection_is_open(const struct connection *connection);  /* the other end answered once */
/* Frees it when everything queued, and the end of the session, is written (or its time is up);
 * no callbacks any more. */
void connection_finish(struct connection *connection);
void connection_free(struct connection *connection); /* NULL-safe */

#endif

/* A connection to a member: opening it, telling whether that worked, closing it. Who uses it
 * sets `owner` and `on_event`. */
#ifndef PROXY_MEMBER_CONNECTION_H
#define PROXY_MEMBER_CONNECTION_H

#include "proxy/stream.h"
#include "proxy/worker.h"

/* What becomes of a connection, as the member's verdict and its pool's on_down say. */
enum member_news {
    MEMBER_STAYS, /* it goes on; as before any verdict */
    MEMBER_DRAINS,
    MEMBER_RESETS,
};

struct member_connection {
    struct stream stream;
    struct timed timed; /* while idle */
    struct worker *worker;
    uint32_t slot, incarnation; /* of the member */
    int connect_error;          /* errno when connecting failed */
    uint32_t idle_ms;           /* how long the member keeps it, if it said so; else 0 */
    bool connecting;
    bool reused; /* carried a request before */
    bool closed;
    struct buffer *in;
    void (*on_event)(struct member_connection *connection);
    /* While it has an owner. With MEMBER_RESETS the owner gives the connection up. */
    void (*on_news)(struct member_connection *connection, enum member_news news);
    void *owner;
    struct member_connection *open_next, **open_link; /* of all open ones to the member */
    struct member_connection *idle_next, **idle_link; /* link NULL: not idle */
    struct member_connection *older, *newer;          /* of all idle ones of the worker */
    void *reserved;                                   /* link of buried objects */
};

/* NULL with errno set when it fails at once. */
struct member_connection *member_connection_open(struct worker *worker,
                                                 const struct ip_endpoint *endpoint,
                                                 uint32_t slot,
                                                 uint32_t incarnation);
void member_connection_close(struct member_connection *connection); /* NULL-safe */
void member_connection_abort(struct member_connection *connection); /* with RST; NULL-safe */

#endif

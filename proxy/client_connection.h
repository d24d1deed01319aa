/* A client's connection, from accept to close. Between requests it holds no buffer. What the
 * bytes mean is the business of http_exchange.c or relay_tcp.c. */
#ifndef PROXY_CLIENT_CONNECTION_H
#define PROXY_CLIENT_CONNECTION_H

#include "proxy/stream.h"
#include "proxy/worker.h"

struct exchange;
struct relay;

enum {
    CLIENT_HEAD_TIMEOUT_MS = 10000,
    CLIENT_KEEP_ALIVE_MS = 60000,
    CLIENT_KEEP_ALIVE_FULL_MS =
        5000, /* while more than 80 % of the worker's clients are there */
    CLIENT_LINGER_MS = 1000,
    CLIENT_LINGER_BYTES = 64 << 10
};

struct client {
    struct stream stream;
    struct timed timed;
    struct worker *worker;
    struct client *next, **link; /* of the worker's clients */
    struct client *run_next;     /* of its run list */
    bool will_run, closed;
    bool limited;    /* takes a place of its listener's limit */
    bool counted;    /* and one of its address's */
    bool is_starved; /* waits for a buffer */
    uint32_t listener_slot, listener_incarnation;
    struct ip_endpoint peer, local;
    struct buffer *in;
    struct exchange *exchange; /* HTTP: the request at hand */
    struct relay *relay;       /* TCP, and HTTP after an upgrade */
    uint32_t requests;
    uint32_t linger_left;             /* bytes */
    void (*run)(struct client *self); /* continues with what is ready */
    void *reserved;                   /* link of buried objects */
};

/* Takes FD over, also when it fails (NULL). The caller sets `run`. */
struct client *client_new(struct worker *worker,
                          const struct snapshot_listener *listener,
                          int fd,
                          const struct ip_endpoint *peer,
                          const struct ip_endpoint *local);
/* Ends the connection and what it was doing; the object stays readable for this turn. */
void client_close(struct client *client);
void client_abort(struct client *client); /* with RST */
/* Closes when the peer has closed: what it still sends is thrown away for a while, so that our
 * last bytes are not lost to a reset (RFC 9112 9.6). */
void client_linger(struct client *client);
struct listener_counters *client_counters(const struct client *client);
/* The client's listener in the worker's current configuration, NULL when it is gone. */
const struct snapshot_listener *client_listener(const struct client *client);

#endif

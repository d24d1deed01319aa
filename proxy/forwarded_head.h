/* Builds the heads that go on to the other side (RFC 9110 7.6): fields that belong to one hop
 * are dropped, what was asked for is added, everything else passes as it came. Pure. */
#ifndef PROXY_FORWARDED_HEAD_H
#define PROXY_FORWARDED_HEAD_H

#include "lbnode/base/ip_address.h"
#include "lbnode/http/http_head.h"

struct forwarded_request {
    const struct http_head *head; /* complete */
    const char *buffer;           /* of the head */
    uint32_t insert_headers;      /* set of snapshot_insert_header */
    struct ip_address client;
    struct ip_endpoint local; /* where the client came in */
    bool upgrade;             /* pass Upgrade on */
    bool is_last;             /* no other request will follow on the connection */
    bool hop_counted;         /* Max-Forwards becomes `hops_left` (RFC 9110 7.6.2) */
    uint32_t hops_left;
};

/* What Max-Forwards of an OPTIONS request says; -1: it is not there, or no number. */
int64_t forwarded_hops(const struct http_head *head, const char *buffer);

/* Bytes written to OUT, or -400 when Connection names a field that must not be dropped, -431
 * when OUT is too small. */
int forwarded_request_build(const struct forwarded_request *request,
                            char *out,
                            size_t capacity);

enum forwarded_connection {
    FORWARDED_KEEP_DEFAULT, /* HTTP/1.1: say nothing */
    FORWARDED_KEEP_ALIVE,   /* tell an HTTP/1.0 client */
    FORWARDED_CLOSE,
    FORWARDED_UPGRADE,
};

struct forwarded_response {
    const struct http_head *head;
    const char *buffer;
    const char *date; /* added if the response has none; NULL: never */
    bool chunked;     /* the body will be sent in chunks */
    enum forwarded_connection connection;
};

/* Bytes written, or -502. */
int forwarded_response_build(const struct forwarded_response *response,
                             char *out,
                             size_t capacity);

#endif

/* A whole bounded message in memory: what admin, cli and health need (the proxy streams
 * instead). */
#ifndef LBNODE_HTTP_HTTP_MESSAGE_H
#define LBNODE_HTTP_HTTP_MESSAGE_H

#include "lbnode/base/text.h"
#include "lbnode/http/http_chunked.h"
#include "lbnode/http/http_head.h"

struct http_message {
    struct text input; /* from the first byte of the head */
    struct http_head head;
    struct http_chunked chunked;
    struct text body; /* decoded */
    size_t body_limit;
    size_t body_used; /* input consumed behind the head */
    bool is_response, head_done, complete;
    char request_method[16]; /* of the request that a response answers */
    int error_status;        /* 413 when the body exceeds the limit; else as in http_head */
    const char *error;
};

/* REQUEST_METHOD NULL: read a request. */
void http_message_init(struct http_message *message,
                       const char *request_method,
                       size_t body_limit);
/* Whatever of the message is given up is overwritten. Right after http_message_init. */
void http_message_wipe(struct http_message *message);
/* Feeds received bytes. HTTP_COMPLETE: head and body are there; further bytes stay in input and
 * count for the next message after http_message_next. */
enum http_parse_result
http_message_feed(struct http_message *message, const char *data, size_t size);
/* The sender closed: completes a body that lasts until close; else HTTP_BAD. */
enum http_parse_result http_message_end(struct http_message *message);
/* Forgets the finished message, keeps pipelined bytes and parses them. */
enum http_parse_result http_message_next(struct http_message *message);
void http_message_free(struct http_message *message);

#endif

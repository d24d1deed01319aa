/* HTTP/1.x between a client and a member: one request and its response at a time. */
#ifndef PROXY_HTTP_EXCHANGE_H
#define PROXY_HTTP_EXCHANGE_H

#include "proxy/body_transfer.h"
#include "proxy/client_connection.h"
#include "proxy/dispatch.h"

enum exchange_stage {
    EXCHANGE_HEAD,    /* the request's head is coming in */
    EXCHANGE_QUEUE,   /* waiting for a place at a member */
    EXCHANGE_PAUSE,   /* waiting to try the member again */
    EXCHANGE_CONNECT, /* to a member */
    EXCHANGE_RUN,     /* request and response flow */
    EXCHANGE_FLUSH,   /* only what is in `down` is left to be sent */
};

enum {
    /* A body that comes in more slowly than this, on average over the time, is a slow attack.
     */
    EXCHANGE_BODY_RATE = 500, /* bytes a second */
    EXCHANGE_BODY_RATE_MS = 20000,
    /* Bodies up to here are kept whole until there is an answer, to be sent again. */
    EXCHANGE_REPLAY_BODY = 64 << 10
};

enum {
    EXCHANGE_MAXIMUM_INTERIM = 16 /* 1xx responses to one request */
};

struct exchange {
    struct client *client;
    struct worker *worker;
    enum exchange_stage stage;
    struct dispatch dispatch;
    struct http_head request, response;
    struct body_transfer request_body, response_body;
    struct buffer *up;    /* to the member: head and body; kept from its start for a replay */
    struct buffer *down;  /* to the client */
    struct pipe *pipe;    /* to the client, behind `down`: a long body, while bytes are in it */
    struct pipe *up_pipe; /* to the member, behind `up`: likewise */
    uint32_t up_sent;     /* offset in up */
    bool up_kept;         /* up still begins with the head */
    bool request_failed;  /* its body will never be complete */
    bool request_is_bulk; /* its body comes in large pieces */
    bool is_head, is_replayable, is_upgrade;
    bool is_private;         /* what it is sent over may be another's connection no more */
    bool response_begun;     /* bytes of it came from the current connection */
    bool response_head_done; /* its final head is in down or sent */
    bool response_done;      /* all of it is in down or sent */
    bool client_keep;        /* the client's connection goes on afterwards */
    bool response_is_bulk;   /* its body comes in large pieces */
    bool response_was_piped; /* a large piece of it went through a pipe */
    uint8_t interim_count;
    uint64_t body_since_ms; /* of the average rate of the request's body */
    uint32_t body_bytes;    /* since then */
    struct request_record record;
    uint64_t client_data_ms, member_connect_ms, member_data_ms;
    void *reserved; /* link of buried objects */
};

/* A fresh connection: waits for its first request. */
void http_client_start(struct client *client);
/* Continues the request at hand with whatever is ready. */
void exchange_run(struct exchange *exchange);
/* Gives everything back; NULL-safe. The client's connection stays. */
void exchange_free(struct exchange *exchange);

/* Answers with an error page and closes the client's connection after it: that is how the
 * request ends, because of WHY. When the head of a final response is on its way already, aborts
 * instead. (exchange_request.c) */
void exchange_answer(struct exchange *exchange, int status, enum termination why);
/* Ends it without an answer, by a reset. (exchange_request.c) */
void exchange_abort(struct exchange *exchange, enum termination why);
/* The request's head is complete at the start of client->in: builds what goes to the member and
 * dispatches it. (exchange_request.c) */
void exchange_begin(struct exchange *exchange);
/* Whether FIELD begins a challenge, or an answer to one, that vouches for the connection and
 * not for the request (RFC 4559 6). (exchange_request.c) */
bool exchange_binds_connection(const char *buffer, const struct http_field *field);
/* What a dispatch attempt led to. (exchange_request.c) */
void exchange_dispatched(struct exchange *exchange, enum dispatch_result result);
/* Moves the request's body along. True if anything moved. (exchange_request.c) */
bool exchange_move_request(struct exchange *exchange);
/* Moves the response along. True if anything moved. (exchange_response.c) */
bool exchange_move_response(struct exchange *exchange);
/* The events of the member's connection. (http_exchange.c) */
void exchange_on_member_event(struct member_connection *connection);
/* What becomes of the member's connection. (exchange_response.c) */
void exchange_on_member_news(struct member_connection *connection, enum member_news news);
/* Its turn in the queue has come. (exchange_request.c) */
void exchange_on_turn(struct dispatch *dispatch);

#endif

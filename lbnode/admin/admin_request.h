/* One exchange: what the client asked, who it is, and the answer. Made by the connection,
 * handed to exactly one handler of the route table, which ends it with exactly one
 * admin_answer_... call, at once or later. After that call the request is gone. While somebody
 * else holds a pointer to it (`held`), a client that hangs up only detaches it. */
#ifndef LBNODE_ADMIN_ADMIN_REQUEST_H
#define LBNODE_ADMIN_ADMIN_REQUEST_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"
#include "lbnode/base/text.h"
#include "lbnode/http/http_url.h"
#include "lbnode/loop/loop.h"

struct admin_connection;
struct admin_route;

enum {
    ADMIN_ROUTE_PARAMETERS = 2,
    ADMIN_ANSWER_LIMIT = 32 << 20, /* bytes; a longer answer becomes a 500 */
    ADMIN_AUTHOR_SIZE = 64,
    ADMIN_HOST_SIZE = 256,
};

struct admin_request {
    struct admin_connection *connection; /* NULL: the client is gone */
    const struct node_state *state;
    struct loop *loop;

    /* the question */
    const struct admin_route *route;
    struct http_url url;
    const char *parameters[ADMIN_ROUTE_PARAMETERS]; /* what stands for % in the pattern */
    const struct json_value *body;                  /* NULL unless the client sent one */
    struct json_value *owned_body;
    char author[ADMIN_AUTHOR_SIZE]; /* principal: "root", "uid:1000", "tcp:127.0.0.1" */
    const char *via;                /* "cli" or "api" */
    char host[ADMIN_HOST_SIZE];     /* Host as the client named us, for links */
    bool require_replica;
    struct uuid change_id; /* zero: not given */
    bool has_revision;     /* X-Lbnode-If-Rev: what the client read had this revision */
    uint64_t revision;

    /* work that is not finished yet */
    bool held; /* a callback of replication will come */
    struct loop_timer timer;
    uint64_t deadline_ms;
    void (*on_event)(struct admin_request *request); /* a new event is in the ring */
    struct admin_change *change;                     /* admin_change.c */
    const char *obstacle;                            /* node_removal.c: what it waits for */
    bool was_drained; /* the node, before it was asked to leave */

    /* the answer */
    int status;
    struct text headers, answer; /* answer.wipes: it has something secret */
    const char *content_type;
};

struct admin_request *admin_request_new(struct admin_connection *connection,
                                        const struct node_state *state,
                                        struct loop *loop);
/* The client is gone or the server stops: frees the request now, or when nobody holds it. */
void admin_request_abandon(struct admin_request *request);
/* After a callback of whoever held it: false when the request was abandoned (and is freed). */
bool admin_request_resume(struct admin_request *request);

/* Adds a field to the answer's head; bytes that may not stand there become '?'. */
void admin_request_header(struct admin_request *request, const char *name, const char *value);
/* The object inside the root tag TAG of the body; NULL with ERROR when it is not there. */
const struct json_value *
admin_request_root(const struct admin_request *request, const char *tag, struct error *error);
/* "true", "True", "1", "yes", "on": as Octavia's clients spell a query flag. */
bool admin_request_flag(const struct admin_request *request, const char *name);

/* Each ends the request. VALUE and TEXT are taken over. */
void admin_answer_json(struct admin_request *request, int status, struct json_value *value);
/* {TAG: VALUE} */
void admin_answer_wrapped(struct admin_request *request,
                          int status,
                          const char *tag,
                          struct json_value *value);
void admin_answer_text(struct admin_request *request,
                       int status,
                       const char *content_type,
                       struct text *text);
void admin_answer_empty(struct admin_request *request, int status);
/* Octavia's error body {"faultcode","faultstring","debuginfo"} and X-Lbnode-Error. */
void admin_answer_error(struct admin_request *request, const struct error *error);
/* As above with a status that no error kind stands for (405, 501). */
void admin_answer_fault(struct admin_request *request,
                        int status,
                        enum error_kind kind,
                        const char *sentence);

/* The word in X-Lbnode-Error: "INVALID", "NOT_FOUND", ... */
const char *admin_error_name(enum error_kind kind);
/* Octavia's error body. */
struct json_value *admin_error_body(int status, const char *sentence);

#endif

/* One client of the API: reads bounded HTTP/1.1 requests one after the other, hands each to the
 * route table, writes the answer. Nothing is read while a request is being worked on, so a
 * client cannot pile up work; what it pipelined waits in the socket. */
#ifndef LBNODE_ADMIN_ADMIN_CONNECTION_H
#define LBNODE_ADMIN_ADMIN_CONNECTION_H

#include "lbnode/admin/admin_request.h"

enum {
    ADMIN_BODY_LIMIT = 4 << 20,
    ADMIN_HEAD_TIMEOUT_MS = 10000,  /* first byte to end of head */
    ADMIN_BODY_TIMEOUT_MS = 60000,  /* end of head to end of body */
    ADMIN_IDLE_TIMEOUT_MS = 120000, /* between requests */
    ADMIN_WRITE_TIMEOUT_MS = 30000, /* without any progress */
    ADMIN_LINGER_MS = 2000,         /* after a refusal, so that the client can read it */
};

struct admin_connection_owner {
    struct loop *loop;
    const struct node_state *state;
    /* The connection ended and is freed after this call. */
    void (*closed)(void *context, struct admin_connection *connection);
    void *context;
};

/* Takes FD over. AUTHOR is who speaks. NULL when out of memory (FD is closed). */
struct admin_connection *
admin_connection_new(const struct admin_connection_owner *owner, int fd, const char *author);
/* Does not call closed(). */
void admin_connection_free(struct admin_connection *connection);
/* A new event is in the ring: wakes a waiting request. */
void admin_connection_event(struct admin_connection *connection);
/* True when the client has no whole request here (it is silent, slow, or was refused), with
 * OUT_SINCE_US when it last had one, or came: such a client may be closed for another. */
bool admin_connection_is_idle(const struct admin_connection *connection,
                              uint64_t *out_since_us);
/* For admin_request.c: the answer is complete; REQUEST is freed by the caller. */
void admin_connection_answered(struct admin_connection *connection,
                               struct admin_request *request);

#endif

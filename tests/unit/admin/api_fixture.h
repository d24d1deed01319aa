/* A node's API on a socket in a temporary directory, and a small client for it. Everything runs
 * on one thread: the client turns the loop until its answer is there. */
#ifndef TESTS_UNIT_ADMIN_API_FIXTURE_H
#define TESTS_UNIT_ADMIN_API_FIXTURE_H

#include "lbnode/admin/admin_server.h"
#include "lbnode/base/json_value.h"
#include "lbnode/base/text.h"

enum {
    ANSWER_DEADLINE_MS = 5000
};

struct api_fixture {
    struct loop *loop;
    struct node_state state;
    struct configuration *configuration;
    struct admin_server *server;
    char directory[64], socket_path[96];
    struct ip_endpoint tcp_listen; /* family 0: none */
};

struct api_answer {
    int status;
    struct text head, body;
    struct json_value *json; /* NULL when the body is none */
};

/* For replication_handler.applied with the fixture as context: projects the facets anew. */
void api_fixture_applied(void *context, uint64_t position);
/* Makes the directory, the state and the loop; then the caller sets state.replication. */
void api_fixture_prepare(struct api_fixture *fixture);
void api_fixture_serve(struct api_fixture *fixture);
/* Ends everything but the replication, which the caller owns. */
void api_fixture_stop(struct api_fixture *fixture);

int api_connect(struct api_fixture *fixture);
void api_send(struct api_fixture *fixture, int fd, const char *data, size_t size);
/* Turns the loop until one whole answer arrived. */
struct api_answer api_receive(struct api_fixture *fixture, int fd);
/* True when the server closed the connection within the deadline. */
bool api_is_closed(struct api_fixture *fixture, int fd);

/* One exchange on its own connection. FIELDS are further lines of the head, each with CRLF;
 * BODY may be NULL. */
struct api_answer api_call_with(struct api_fixture *fixture,
                                const char *method,
                                const char *target,
                                const char *fields,
                                const char *body);
struct api_answer
api_call(struct api_fixture *fixture, const char *method, const char *target, const char *body);
/* The value of field NAME, or NULL; valid until the next call. */
const char *api_field(const struct api_answer *answer, const char *name);
/* faultstring of an error answer. */
const char *api_fault(const struct api_answer *answer);
void api_answer_free(struct api_answer *answer);

#endif

/* What clients of the control socket say, from the first byte of a request to the change set
 * and the answer, without sockets, on a node that has one object of each kind.
 *
 * An input that starts with '!' is the bytes of a connection. Any other is requests, separated
 * by lines of "---": a line "METHOD TARGET", more lines of the head up to an empty one, the
 * body; its length is added. In these "$1" to "$9" stand for the ids of the objects that are
 * there. */
#include "lbnode/admin/admin_connection.h"
#include "lbnode/admin/admin_dispatch.h"
#include "lbnode/http/http_message.h"
#include "tests/unit/admin/fake_replication.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    REQUESTS = 16, /* of one input */
    OBJECTS = 9,
    INPUT_MAXIMUM = 64 << 10 /* the replication of the test has room for so much */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes the place of admin's own, which has a socket. */
struct admin_connection {
    struct admin_request *request; /* not answered yet */
    int status;
};

struct fuzzed {
    struct loop *loop;
    struct node_state state;
    struct configuration *configuration;
    struct admin_connection connection;
    char ids[OBJECTS][UUID_TEXT_SIZE];
    size_t id_count;
};

void admin_connection_answered(struct admin_connection *connection,
                               struct admin_request *request)
{
    const struct text *answer = &request->answer;
    connection->request = NULL;
    connection->status = request->status;
    if (request->status < 200 || request->status > 599 || request->status == 500)
        abort(); /* nothing that a client says is a fault of the program */
    if (strcmp(request->content_type, "application/json") != 0 || answer->length == 0)
        return;
    struct json_value *value = json_value_parse(answer->data, answer->length, NULL);
    if (!value)
        abort();
    json_value_free(value);
}

/* ---- the node --------------------------------------------------------------------------- */

static bool add_facet(void *context, const struct raw_facet *facet)
{
    return configuration_builder_add(context, facet);
}

static void on_applied(void *context, uint64_t position)
{
    struct fuzzed *node = context;
    struct configuration_builder *builder = configuration_builder_new();
    if (node->state.replication)
        replication_visit_facets(node->state.replication, add_facet, builder);
    configuration_free(node->configuration);
    node->configuration = configuration_builder_finish(builder);
    node->state.configuration = node->configuration;
}

/* What was found good, and nobody else changes anything: nothing may be in error. */
static void check_configuration(const struct fuzzed *node)
{
    const struct effective *object;
    for (int type = 1; type < RESOURCE_TYPE_LIMIT; type++)
        for (size_t i = 0;
             (object = configuration_at(node->configuration, (enum resource_type)type, i)); i++)
            if (!object->effective)
                abort();
}

static void serve(struct fuzzed *node, const struct http_message *message)
{
    struct admin_request *request =
        admin_request_new(&node->connection, &node->state, node->loop);
    snprintf(request->author, sizeof(request->author), "root");
    node->connection.request = request;
    admin_dispatch(request, message);
    loop_turn(node->loop, false);
    if (node->connection.request) /* it waits for something: the client hangs up */
        admin_request_abandon(node->connection.request);
    node->connection.request = NULL;
    check_configuration(node);
}

static void feed(struct fuzzed *node, const char *data, size_t size)
{
    struct http_message message;
    http_message_init(&message, NULL, ADMIN_BODY_LIMIT);
    enum http_parse_result result = http_message_feed(&message, data, size);
    for (int count = 0; result == HTTP_COMPLETE && count < REQUESTS; count++) {
        serve(node, &message);
        result = http_message_next(&message);
    }
    http_message_free(&message);
}

/* ---- requests --------------------------------------------------------------------------- */

/* TEXT with ids in the place of "$1" to "$9". */
static void
append_expanded(const struct fuzzed *node, struct text *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        size_t number = i + 1 < size && text[i] == '$' ? (size_t)(text[i + 1] - '1') : OBJECTS;
        if (number < node->id_count) {
            text_append_string(out, node->ids[number]);
            i++;
        } else {
            text_append(out, text + i, 1);
        }
    }
}

/* The length of what comes before the first SEPARATOR, or all. */
static size_t length_before(const char *text, size_t size, const char *separator)
{
    const char *found = memmem(text, size, separator, strlen(separator));
    return found ? (size_t)(found - text) : size;
}

static void ask(struct fuzzed *node, const char *text, size_t size)
{
    struct text request = {0}, body = {0};
    size_t head = length_before(text, size, "\n\n"), line = length_before(text, head, "\n");
    if (head + 2 < size)
        append_expanded(node, &body, text + head + 2, size - head - 2);
    append_expanded(node, &request, text, line);
    text_append_string(&request, " HTTP/1.1\r\nHost: lb1\r\n");
    for (size_t at = line + 1; at < head; at += line + 1) {
        line = length_before(text + at, head - at, "\n");
        append_expanded(node, &request, text + at, line);
        text_append_string(&request, "\r\n");
    }
    if (body.length > 0)
        text_appendf(&request, "Content-Length: %zu\r\n", body.length);
    text_append_string(&request, "\r\n");
    text_append(&request, text_string(&body), body.length);
    feed(node, text_string(&request), request.length);
    text_free(&request);
    text_free(&body);
}

static void ask_all(struct fuzzed *node, const char *text, size_t size)
{
    for (int count = 0; count < REQUESTS && size > 0; count++) {
        size_t length = length_before(text, size, "\n---\n");
        ask(node, text, length);
        size_t step = length + 5 < size ? length + 5 : size;
        text += step;
        size -= step;
    }
}

/* ---- setting up ------------------------------------------------------------------------- */

static void note_ids(struct fuzzed *node)
{
    static const enum resource_type types[] = {
        RESOURCE_LOAD_BALANCER,  RESOURCE_LISTENER,   RESOURCE_POOL, RESOURCE_MEMBER,
        RESOURCE_HEALTH_MONITOR, RESOURCE_VRRP_GROUP, RESOURCE_NODE};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        const struct effective *object = configuration_at(node->configuration, types[i], 0);
        if (!object)
            abort();
        uuid_format(&object->resource->id, node->ids[node->id_count++]);
    }
}

static void make_objects(struct fuzzed *node)
{
    static const char *const requests[] = {
        "POST /v1/cluster\n\n{\"cluster\":{\"name\":\"c\"}}",
        "POST /v1/apply\n\n{\"document\":{\"loadbalancers\":[{\"name\":\"web\","
        "\"vip_address\":\"10.77.0.100\",\"pools\":[{\"name\":\"workers\",\"protocol\":"
        "\"HTTP\","
        "\"lb_algorithm\":\"ROUND_ROBIN\",\"members\":[{\"address\":\"10.77.0.11\","
        "\"protocol_port\":80}],\"healthmonitor\":{\"type\":\"HTTP\",\"delay\":5,\"timeout\":2,"
        "\"max_retries\":3}}],\"listeners\":[{\"name\":\"http\",\"protocol\":\"HTTP\","
        "\"protocol_port\":80,\"default_pool\":\"workers\"}]}]}}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        ask(node, requests[i], strlen(requests[i]));
        if (node->connection.status >= 300)
            abort();
    }
    note_ids(node);
}

static void ignore_event(void *context, enum event_code code, const char *text)
{}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzzed *node = calloc(1, sizeof(*node));
    const struct replication_handler handler = {
        .applied = on_applied, .event = ignore_event, .context = node};
    if (!node || size == 0 || size > INPUT_MAXIMUM) {
        free(node);
        return 0;
    }
    node->loop = loop_new();
    node->state.events = event_ring_new();
    on_applied(node, 0);
    node->state.replication = fake_replication_new(node->loop, "lb1", &handler);
    make_objects(node);
    if (data[0] == '!')
        feed(node, (const char *)data + 1, size - 1);
    else
        ask_all(node, (const char *)data, size);
    fake_replication_free(node->state.replication);
    configuration_free(node->configuration);
    event_ring_free(node->state.events);
    loop_free(node->loop);
    free(node);
    return 0;
}

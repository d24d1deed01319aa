#include "tests/unit/admin/api_fixture.h"

#include "lbnode/base/monotime.h"
#include "lbnode/http/http_message.h"
#include "tests/support/test.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool add_facet(void *context, const struct raw_facet *facet)
{
    return configuration_builder_add(context, facet);
}

void api_fixture_applied(void *context, uint64_t position)
{
    struct api_fixture *fixture = context;
    struct configuration_builder *builder = configuration_builder_new();
    if (fixture->state.replication)
        replication_visit_facets(fixture->state.replication, add_facet, builder);
    struct configuration *next = configuration_builder_finish(builder);
    configuration_free(fixture->configuration);
    fixture->configuration = next;
    fixture->state.configuration = next;
}

void api_fixture_prepare(struct api_fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/lbnode-api.XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->socket_path, sizeof(fixture->socket_path), "%s/api.sock",
             fixture->directory);
    fixture->loop = loop_new();
    fixture->state.events = event_ring_new();
    fixture->state.started_wall_ms = walltime_now_ms();
    api_fixture_applied(fixture, 0);
}

void api_fixture_serve(struct api_fixture *fixture)
{
    const struct admin_settings settings = {.socket_path = fixture->socket_path,
                                            .tcp_listen = fixture->tcp_listen};
    struct error error = {0};
    fixture->server = admin_server_new(fixture->loop, &settings, &fixture->state, &error);
    if (!fixture->server)
        fail_msg("%s", error.text);
}

void api_fixture_stop(struct api_fixture *fixture)
{
    admin_server_free(fixture->server);
    configuration_free(fixture->configuration);
    event_ring_free(fixture->state.events);
    rmdir(fixture->directory);
}

/* ---- the client ----------------------------------------------------------------------------
 */

int api_connect(struct api_fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->socket_path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void turn(struct api_fixture *fixture, int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    loop_turn(fixture->loop, false);
    poll(&poll_fd, 1, 1);
}

/* A server that refuses may close while we still send; its answer is what counts then. */
void api_send(struct api_fixture *fixture, int fd, const char *data, size_t size)
{
    uint64_t deadline_ms = monotime_now_ms() + ANSWER_DEADLINE_MS;
    while (size > 0 && monotime_now_ms() < deadline_ms) {
        ssize_t sent = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
        turn(fixture, fd, POLLOUT);
    }
    assert_int_equal(size, 0);
}

static enum http_parse_result
receive_some(struct api_fixture *fixture, int fd, struct http_message *message)
{
    char piece[4096];
    turn(fixture, fd, POLLIN);
    ssize_t size = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
    if (size > 0)
        return http_message_feed(message, piece, (size_t)size);
    return size == 0 ? http_message_end(message) : HTTP_NEED_MORE;
}

struct api_answer api_receive(struct api_fixture *fixture, int fd)
{
    struct http_message message;
    struct api_answer answer = {0};
    uint64_t deadline_ms = monotime_now_ms() + ANSWER_DEADLINE_MS;
    enum http_parse_result result = HTTP_NEED_MORE;
    http_message_init(&message, "GET", 64 << 20);
    while (result == HTTP_NEED_MORE && monotime_now_ms() < deadline_ms)
        result = receive_some(fixture, fd, &message);
    assert_int_equal(result, HTTP_COMPLETE);
    answer.status = message.head.status;
    text_append(&answer.head, message.input.data, message.head.size);
    text_append(&answer.body, text_string(&message.body), message.body.length);
    answer.json = json_value_parse(text_string(&answer.body), answer.body.length, NULL);
    http_message_free(&message);
    return answer;
}

bool api_is_closed(struct api_fixture *fixture, int fd)
{
    char byte;
    uint64_t deadline_ms = monotime_now_ms() + ANSWER_DEADLINE_MS;
    while (monotime_now_ms() < deadline_ms) {
        turn(fixture, fd, POLLIN);
        ssize_t size = recv(fd, &byte, 1, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

struct api_answer api_call_with(struct api_fixture *fixture,
                                const char *method,
                                const char *target,
                                const char *fields,
                                const char *body)
{
    struct text request = {0};
    text_appendf(&request, "%s %s HTTP/1.1\r\nHost: lb.example:9876\r\n%s", method, target,
                 fields);
    if (body)
        text_appendf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                     strlen(body));
    text_append_string(&request, "\r\n");
    text_append_string(&request, body ? body : "");
    int fd = api_connect(fixture);
    api_send(fixture, fd, request.data, request.length);
    text_free(&request);
    struct api_answer answer = api_receive(fixture, fd);
    close(fd);
    return answer;
}

struct api_answer
api_call(struct api_fixture *fixture, const char *method, const char *target, const char *body)
{
    return api_call_with(fixture, method, target, "", body);
}

const char *api_field(const struct api_answer *answer, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    for (const char *line = text_string(&answer->head); line && *line;
         line = strstr(line, "\r\n") ? strstr(line, "\r\n") + 2 : NULL) {
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + length + 2, "\r"),
                     line + length + 2);
            return value;
        }
    }
    return NULL;
}

const char *api_fault(const struct api_answer *answer)
{
    const char *fault = json_value_get_text(answer->json, "faultstring");
    return fault ? fault : "";
}

void api_answer_free(struct api_answer *answer)
{
    text_free(&answer->head);
    text_free(&answer->body);
    json_value_free(answer->json);
    *answer = (struct api_answer){0};
}

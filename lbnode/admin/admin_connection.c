#include "lbnode/admin/admin_connection.h"

#include "lbnode/admin/admin_dispatch.h"
#include "lbnode/base/monotime.h"
#include "lbnode/http/http_message.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_PIECE = 64 << 10,
    LARGE_ANSWER = 1 << 20,
    LINGER_BYTES = 64 << 20
};

enum stage {
    STAGE_READING,
    STAGE_WORKING,
    STAGE_WRITING,
    STAGE_LINGERING,
};

enum part {
    PART_NONE,
    PART_HEAD,
    PART_BODY
};

struct admin_connection {
    struct admin_connection_owner owner;
    struct loop_io io;
    struct loop_timer timer;
    int fd;
    enum stage stage;
    enum part part;         /* of the request that is being read */
    uint64_t idle_since_us; /* while reading or lingering */
    unsigned watched;
    struct http_message message;
    struct admin_request *request; /* while working */
    struct text output;
    bool dispatching;    /* the handler may answer before it returns */
    bool close_after;    /* no further request on this connection */
    bool method_is_head; /* the answer has no body */
    size_t lingered;
    char author[ADMIN_AUTHOR_SIZE];
};

static void advance(struct admin_connection *connection, enum http_parse_result result);

static void end(struct admin_connection *connection)
{
    connection->owner.closed(connection->owner.context, connection);
    admin_connection_free(connection);
}

static void timed_out(struct loop_timer *timer)
{
    struct admin_connection *connection = CONTAINER_OF(timer, struct admin_connection, timer);
    struct http_message *message = &connection->message;
    if (connection->stage == STAGE_READING && message->input.length > 0) {
        message->error_status = 408;
        message->error = "the request did not arrive in time";
        advance(connection, HTTP_BAD);
    } else {
        end(connection);
    }
}

static void set_timer(struct admin_connection *connection, uint64_t delay_ms)
{
    loop_timer_start(connection->owner.loop, &connection->timer, delay_ms, timed_out);
}

static void watch(struct admin_connection *connection, unsigned readiness)
{
    if (connection->watched == readiness)
        return;
    connection->watched = readiness;
    loop_io_change(connection->owner.loop, &connection->io, readiness);
}

/* ---- writing -------------------------------------------------------------------------------
 */

/* A refused body may still be on its way: closing now would reset the connection and take the
 * answer from the client, so the rest is read and dropped for a moment. */
static void linger(struct admin_connection *connection)
{
    connection->stage = STAGE_LINGERING;
    connection->idle_since_us = monotime_now_us();
    shutdown(connection->fd, SHUT_WR);
    set_timer(connection, ADMIN_LINGER_MS);
    watch(connection, LOOP_READABLE);
}

/* True when everything is out and the next request may come. The connection may be gone when
 * false. */
static bool flush(struct admin_connection *connection)
{
    struct text *output = &connection->output;
    while (output->length > 0) {
        ssize_t sent = send(connection->fd, output->data, output->length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            connection->stage = STAGE_WRITING;
            set_timer(connection, ADMIN_WRITE_TIMEOUT_MS);
            watch(connection, LOOP_WRITABLE);
            return false;
        }
        if (sent < 0) {
            end(connection);
            return false;
        }
        text_consume(output, (size_t)sent);
    }
    bool large = output->capacity > LARGE_ANSWER;
    text_free(output);
    if (large)
        malloc_trim(0); /* its JSON took several times as much, in small pieces */
    if (connection->close_after) {
        linger(connection);
        return false;
    }
    return true;
}

static void append_head(struct admin_connection *connection,
                        int status,
                        const char *content_type,
                        size_t body_size,
                        const char *more_fields)
{
    struct text *output = &connection->output;
    char id[UUID_TEXT_SIZE];
    struct uuid request_id = uuid_random();
    uuid_format(&request_id, id);
    output->limit = ADMIN_ANSWER_LIMIT + (64 << 10);
    text_appendf(output, "HTTP/1.1 %d %s\r\n", status, http_status_phrase(status));
    if (status != 204) {
        if (body_size > 0)
            text_appendf(output, "Content-Type: %s\r\n", content_type);
        text_appendf(output, "Content-Length: %zu\r\n", body_size);
    }
    text_appendf(output, "X-Openstack-Request-Id: req-%s\r\n%s", id, more_fields);
    if (connection->close_after)
        text_append_string(output, "Connection: close\r\n");
    text_append_string(output, "\r\n");
}

static void append_answer(struct admin_connection *connection, struct admin_request *request)
{
    struct text *answer = &request->answer;
    connection->output.wipes = answer->wipes;
    if (answer->overflowed) {
        static const char sentence[] =
            "{\"faultcode\":\"Server\",\"faultstring\":\"the answer is too large; ask for "
            "less with limit= or fields=\",\"debuginfo\":null}\n";
        append_head(connection, 500, "application/json", sizeof(sentence) - 1,
                    "X-Lbnode-Error: INTERNAL\r\n");
        text_append_string(&connection->output, sentence);
        return;
    }
    append_head(connection, request->status, request->content_type, answer->length,
                text_string(&request->headers));
    if (!connection->method_is_head && request->status != 204)
        text_append(&connection->output, text_string(answer), answer->length);
}

void admin_connection_answered(struct admin_connection *connection,
                               struct admin_request *request)
{
    append_answer(connection, request);
    connection->request = NULL;
    if (!connection->dispatching && flush(connection))
        advance(connection, http_message_next(&connection->message));
}

/* ---- reading -------------------------------------------------------------------------------
 */

static void refuse(struct admin_connection *connection)
{
    const struct http_message *message = &connection->message;
    int status = message->error_status >= 400 ? message->error_status : 400;
    const char *sentence = message->error ? message->error : "malformed HTTP request";
    if (status == 413)
        sentence = "the request body is larger than 4 MiB (4194304 bytes), the most that is "
                   "accepted";
    struct json_value *body = admin_error_body(status, sentence);
    char *printed = json_value_print(body, 0);
    json_value_free(body);
    connection->close_after = true;
    append_head(connection, status, "application/json", printed ? strlen(printed) : 0,
                status == 413 ? "X-Lbnode-Error: TOO_LARGE\r\n"
                              : "X-Lbnode-Error: INVALID\r\n");
    text_append_string(&connection->output, printed ? printed : "");
    free(printed);
}

static void serve(struct admin_connection *connection)
{
    struct http_message *message = &connection->message;
    struct admin_request *request =
        admin_request_new(connection, connection->owner.state, connection->owner.loop);
    if (!request) {
        message->error_status = 503;
        message->error = "out of memory";
        refuse(connection);
        return;
    }
    struct bytes method =
        http_head_text(message->input.data, message->head.method, message->head.method_length);
    connection->method_is_head =
        bytes_equal(method, (struct bytes){(const uint8_t *)"HEAD", 4});
    connection->close_after = !message->head.keep_alive;
    memcpy(request->author, connection->author, sizeof(request->author));
    connection->request = request;
    connection->dispatching = true;
    admin_dispatch(request, message);
    connection->dispatching = false;
}

/* Each part of a request has its own time, counted from its first byte. */
static enum part part_of(const struct http_message *message)
{
    if (message->head_done)
        return PART_BODY;
    return message->input.length > 0 ? PART_HEAD : PART_NONE;
}

static void wait_for_input(struct admin_connection *connection)
{
    static const uint64_t times_ms[] = {
        [PART_NONE] = ADMIN_IDLE_TIMEOUT_MS,
        [PART_HEAD] = ADMIN_HEAD_TIMEOUT_MS,
        [PART_BODY] = ADMIN_BODY_TIMEOUT_MS,
    };
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    enum part part = part_of(&connection->message);
    bool is_new = connection->stage != STAGE_READING || part != connection->part;
    if (connection->stage != STAGE_READING)
        connection->idle_since_us = monotime_now_us();
    connection->stage = STAGE_READING;
    connection->part = part;
    watch(connection, LOOP_READABLE);
    if (!is_new)
        return;
    set_timer(connection, times_ms[part]);
    if (part == PART_BODY && connection->message.head.expect_continue)
        send(connection->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Serves what is complete in the input until more must come. */
static void advance(struct admin_connection *connection, enum http_parse_result result)
{
    while (result != HTTP_NEED_MORE) {
        loop_timer_stop(&connection->timer);
        connection->stage = STAGE_WORKING;
        if (result == HTTP_COMPLETE)
            serve(connection);
        else
            refuse(connection);
        if (connection->request) {
            watch(connection, LOOP_CLOSED);
            return;
        }
        if (!flush(connection))
            return;
        result = http_message_next(&connection->message);
    }
    wait_for_input(connection);
}

static void read_some(struct admin_connection *connection)
{
    char piece[READ_PIECE];
    ssize_t size = recv(connection->fd, piece, sizeof(piece), 0);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (size <= 0) {
        end(connection);
        return;
    }
    if (connection->stage == STAGE_LINGERING) {
        connection->lingered += (size_t)size;
        if (connection->lingered > LINGER_BYTES)
            end(connection);
        return;
    }
    enum http_parse_result result =
        http_message_feed(&connection->message, piece, (size_t)size);
    explicit_bzero(piece, (size_t)size);
    advance(connection, result);
}

/* A client that stops sending may still read: a change that it asked for is finished and
 * answered. A long wait for events ends. */
static void stopped_sending(struct admin_connection *connection)
{
    if (connection->request->on_event) {
        end(connection);
        return;
    }
    loop_io_stop(&connection->io);
    connection->watched = 0;
    connection->close_after = true;
}

static void ready(struct loop_io *io, unsigned readiness)
{
    struct admin_connection *connection = CONTAINER_OF(io, struct admin_connection, io);
    switch (connection->stage) {
    case STAGE_WORKING: stopped_sending(connection); break;
    case STAGE_WRITING:
        if (flush(connection))
            advance(connection, http_message_next(&connection->message));
        break;
    default: read_some(connection); break;
    }
}

/* ---- life ----------------------------------------------------------------------------------
 */

struct admin_connection *
admin_connection_new(const struct admin_connection_owner *owner, int fd, const char *author)
{
    struct admin_connection *connection = calloc(1, sizeof(*connection));
    if (!connection ||
        loop_io_start(owner->loop, &connection->io, fd, LOOP_READABLE, ready) != 0) {
        free(connection);
        close(fd);
        return NULL;
    }
    connection->owner = *owner;
    connection->fd = fd;
    connection->watched = LOOP_READABLE;
    connection->idle_since_us = monotime_now_us();
    snprintf(connection->author, sizeof(connection->author), "%s", author);
    http_message_init(&connection->message, NULL, ADMIN_BODY_LIMIT);
    http_message_wipe(&connection->message); /* a body may have a payload */
    set_timer(connection, ADMIN_IDLE_TIMEOUT_MS);
    return connection;
}

void admin_connection_free(struct admin_connection *connection)
{
    if (!connection)
        return;
    if (connection->request)
        admin_request_abandon(connection->request);
    loop_timer_stop(&connection->timer);
    loop_io_stop(&connection->io);
    close(connection->fd);
    http_message_free(&connection->message);
    text_free(&connection->output);
    free(connection);
}

void admin_connection_event(struct admin_connection *connection)
{
    if (connection->request && connection->request->on_event)
        connection->request->on_event(connection->request);
}

bool admin_connection_is_idle(const struct admin_connection *connection, uint64_t *out_since_us)
{
    *out_since_us = connection->idle_since_us;
    return connection->stage == STAGE_READING || connection->stage == STAGE_LINGERING;
}

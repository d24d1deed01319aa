#include "lbnode/cli/client.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/http/http_message.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the connection ---------------------------------------------------------------------- */

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0;
}

/* How long the daemon may say nothing at all. */
static uint64_t patience_ms(const struct client *client, const char *method)
{
    return is_read(method) ? CLIENT_READ_SILENCE_MS + client->long_poll_ms : CLIENT_DEADLINE_MS;
}

static bool silent(const struct client *client, const char *method, struct error *error)
{
    return error_set(
        error, ERROR_UNREACHABLE,
        "lbnode at %s accepts connections but did not answer for %u s; its control "
        "process may be stopped or stuck: see ps -eo pid,stat,args (T is stopped) "
        "and journalctl -u lbnode%s",
        client->socket_path, (unsigned)(patience_ms(client, method) / 1000),
        is_read(method) ? "" : ". The change may still be made later");
}

static bool unreachable(const struct client *client, int number, struct error *error)
{
    if (number == EACCES || number == EPERM)
        return error_set(error, ERROR_UNREACHABLE,
                         "no permission to talk to lbnode at %s; use sudo",
                         client->socket_path);
    if (number == ENOENT || number == ECONNREFUSED)
        return error_set(error, ERROR_UNREACHABLE,
                         "no lbnode answers at %s; is it running (lbnode run, systemctl status "
                         "lbnode)? Another place is given with --socket or LBNODE_SOCKET",
                         client->socket_path);
    return error_set(error, ERROR_UNREACHABLE, "no good answer from the daemon at %s: %s",
                     client->socket_path,
                     number == EPROTO ? "it is cut short or malformed" : strerror(number));
}

/* 0, or -errno: -ETIMEDOUT once DEADLINE_MS has passed, -EPIPE when OUTPUT_FD (-1: none) has
 * lost its reader. */
static int wait_for(int fd, short events, int output_fd, uint64_t deadline_ms)
{
    struct pollfd poll_fds[] = {{.fd = fd, .events = events}, {.fd = output_fd}};
    for (;;) {
        uint64_t now_ms = monotime_now_ms();
        if (now_ms >= deadline_ms)
            return -ETIMEDOUT;
        int count = poll(poll_fds, ARRAY_LENGTH(poll_fds), (int)(deadline_ms - now_ms));
        if (count > 0)
            return poll_fds[0].revents ? 0 : -EPIPE;
        if (count < 0 && errno != EINTR)
            return -errno;
    }
}

bool client_output_is_gone(void)
{
    struct pollfd poll_fd = {.fd = STDOUT_FILENO};
    return poll(&poll_fd, 1, 0) > 0; /* errors are told without asking for them */
}

/* The connected socket or -errno. A full backlog of the daemon reads as EAGAIN: try again. */
static int open_socket(const struct client *client, uint64_t deadline_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(client->socket_path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, client->socket_path, strlen(client->socket_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    while (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int number = errno;
        if (number == EAGAIN && monotime_now_ms() < deadline_ms) {
            poll(NULL, 0, 20);
        } else if (number != EINTR) {
            close(fd);
            return -(number == EAGAIN ? ETIMEDOUT : number);
        }
    }
    return fd;
}

static int send_all(int fd, const char *data, size_t size, uint64_t deadline_ms)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t count = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
        if (count >= 0) {
            sent += (size_t)count;
            continue;
        }
        /* A refusal may be sent before the whole request was read: go and read it. */
        if (errno == EPIPE || errno == ECONNRESET)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int rv = wait_for(fd, POLLOUT, -1, deadline_ms);
        if (rv != 0)
            return rv;
    }
    return 0;
}

static int receive_message(int fd,
                           struct http_message *message,
                           int output_fd,
                           uint64_t silence_ms,
                           uint64_t deadline_ms)
{
    char buffer[16384];
    uint64_t silent_until_ms = monotime_now_ms() + silence_ms;
    for (;;) {
        ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
        enum http_parse_result result = HTTP_NEED_MORE;
        if (count > 0) {
            result = http_message_feed(message, buffer, (size_t)count);
            silent_until_ms = monotime_now_ms() + silence_ms;
        } else if (count == 0) {
            result = http_message_end(message);
        } else if (errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        if (result == HTTP_COMPLETE)
            return 0;
        if (result == HTTP_BAD || count == 0)
            return -EPROTO;
        int rv = wait_for(fd, POLLIN, output_fd,
                          silent_until_ms < deadline_ms ? silent_until_ms : deadline_ms);
        if (rv != 0)
            return rv;
    }
}

/* ---- request and response ---------------------------------------------------------------- */

static void write_request(struct text *out,
                          const struct client *client,
                          const char *method,
                          const char *target,
                          const struct json_value *body)
{
    char *content = body ? json_value_print(body, 0) : NULL;
    text_appendf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n", method, target);
    text_append_string(out, "Connection: close\r\nUser-Agent: lbnode\r\n");
    if (client->require_replica)
        text_append_string(out, "X-Lbnode-Require-Replica: true\r\n");
    if (client->revision && strcmp(method, "GET") != 0)
        text_appendf(out, "X-Lbnode-If-Rev: %s\r\n", client->revision);
    if (content)
        text_appendf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                     strlen(content));
    text_append_string(out, "\r\n");
    if (content)
        text_append_string(out, content);
    free(content);
}

static void
copy_field(const struct http_message *message, const char *name, char *out, size_t out_size)
{
    const char *input = text_string(&message->input);
    const struct http_field *field = http_head_field_named(&message->head, input, name);
    out[0] = '\0';
    if (field)
        snprintf(out, out_size, "%.*s", (int)field->value_length, input + field->value);
}

/* The kind that the daemon names, else the one that the status stands for. */
static enum error_kind kind_of(const struct http_message *message)
{
    static const struct {
        const char *name;
        enum error_kind kind;
    } names[] = {
        {"INVALID", ERROR_INVALID},           {"NOT_FOUND", ERROR_NOT_FOUND},
        {"CONFLICT", ERROR_CONFLICT},         {"REFUSED", ERROR_REFUSED},
        {"UNREPLICATED", ERROR_UNREPLICATED}, {"TOO_LARGE", ERROR_TOO_LARGE},
        {"UNAVAILABLE", ERROR_UNAVAILABLE},   {"INTERNAL", ERROR_INTERNAL},
    };
    char name[32];
    copy_field(message, "X-Lbnode-Error", name, sizeof(name));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(name, names[i].name) == 0)
            return names[i].kind;
    }
    return error_kind_of_status(message->head.status);
}

static bool
take_answer(struct http_message *message, struct response *response, struct error *error)
{
    response->status = message->head.status;
    response->body = message->body;
    message->body = (struct text){0};
    copy_field(message, "X-Lbnode-Note", response->note, sizeof(response->note));
    copy_field(message, "X-Lbnode-Revision", response->revision, sizeof(response->revision));
    response->json =
        json_value_parse(text_string(&response->body), response->body.length, NULL);
    enum error_kind kind = kind_of(message);
    if (kind == ERROR_NONE)
        return true;
    const char *sentence = json_value_get_text(response->json, "faultstring");
    if (sentence)
        return error_set(error, kind, "%s", sentence);
    return error_set(error, kind, "lbnode answers %d %s", response->status,
                     http_status_phrase(response->status));
}

static int exchange(const struct client *client,
                    uint64_t silence_ms,
                    const struct text *request,
                    struct http_message *message)
{
    uint64_t now_ms = monotime_now_ms(), deadline_ms = now_ms + CLIENT_DEADLINE_MS;
    int fd = open_socket(client, now_ms + silence_ms);
    if (fd < 0)
        return fd;
    int rv = send_all(fd, request->data, request->length, now_ms + silence_ms);
    if (rv == 0)
        rv = receive_message(fd, message, client->needs_reader ? STDOUT_FILENO : -1, silence_ms,
                             deadline_ms);
    close(fd);
    return rv;
}

bool client_request(const struct client *client,
                    const char *method,
                    const char *target,
                    const struct json_value *body,
                    struct response *response,
                    struct error *error)
{
    struct http_message *message = calloc(1, sizeof(*message));
    struct text request = {0};
    bool good = false;
    memset(response, 0, sizeof(*response));
    if (!message)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    http_message_init(message, method, CLIENT_MAXIMUM_BODY);
    write_request(&request, client, method, target, body);
    int rv = request.overflowed
                 ? -ENOMEM
                 : exchange(client, patience_ms(client, method), &request, message);
    if (rv == 0)
        good = take_answer(message, response, error);
    else if (rv == -ETIMEDOUT)
        silent(client, method, error);
    else
        unreachable(client, -rv, error);
    http_message_free(message);
    free(message);
    text_free(&request);
    return good;
}

void response_free(struct response *response)
{
    json_value_free(response->json);
    text_free(&response->body);
    response->json = NULL;
}

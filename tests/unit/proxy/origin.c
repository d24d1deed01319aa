#include "tests/unit/proxy/origin.h"

#include "lbnode/base/bytes.h"
#include "lbnode/http/http_message.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/image.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    struct origin *origin;
    int fd;
    unsigned requests;
    struct http_message message;
};

static bool send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

static bool send_body(struct connection *c, const char *fields, const char *body, size_t size)
{
    int fd = c->fd;
    bool without_body =
        http_text_is(http_head_text(text_string(&c->message.input), c->message.head.method,
                                    c->message.head.method_length),
                     "HEAD");
    char head[256];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", fields,
             size);
    return send_text(fd, head) && (without_body || send_all(fd, body, size));
}

static bool answer_who(struct connection *c)
{
    char body[32];
    int size = snprintf(body, sizeof(body), "member %c", c->origin->name);
    return send_body(c, "", body, (size_t)size);
}

static bool answer_close(struct connection *c)
{
    send_body(c, "Connection: close\r\n", "bye", 3);
    return false;
}

/* As python3 -m http.server and older ones do. */
static bool answer_until_close(struct connection *c)
{
    send_text(c->fd, "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil close");
    return false;
}

static bool answer_bytes(struct connection *c, size_t size)
{
    char *body = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        body[i] = origin_byte(i);
    bool sent = send_body(c, "", body, size);
    free(body);
    return sent;
}

static bool answer_bytes_open_ended(struct connection *c, size_t size)
{
    char *body = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        body[i] = origin_byte(i);
    if (send_text(c->fd, "HTTP/1.1 200 OK\r\n\r\n"))
        send_all(c->fd, body, size);
    free(body);
    return false;
}

/* Chunks of many sizes, short and long. */
static bool answer_bytes_in_chunks(struct connection *c, size_t size)
{
    static const size_t chunk_sizes[] = {1, 300000, 70000, 17, 2 << 20, 65536, 4000};
    char *body = malloc(size + 1), line[32];
    bool good = send_text(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < size; i++)
        body[i] = origin_byte(i);
    for (size_t at = 0, i = 0; good && at < size; i++) {
        size_t chunk = chunk_sizes[i % ARRAY_LENGTH(chunk_sizes)];
        chunk = chunk < size - at ? chunk : size - at;
        snprintf(line, sizeof(line), "%zX\r\n", chunk);
        good = send_text(c->fd, line) && send_all(c->fd, body + at, chunk) &&
               send_text(c->fd, "\r\n");
        at += chunk;
    }
    free(body);
    return good && send_text(c->fd, "0\r\n\r\n");
}

static bool answer_chunks_cut(struct connection *c)
{
    static const char part[ORIGIN_BIG_SIZE / 2];
    char head[96];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
             ORIGIN_BIG_SIZE);
    send_text(c->fd, head);
    send_all(c->fd, part, sizeof(part));
    return false;
}

/* A long chunk that goes on behind its end. */
static bool answer_chunks_bad(struct connection *c)
{
    static const char part[ORIGIN_BIG_SIZE / 2 + 3];
    char head[96];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
             ORIGIN_BIG_SIZE / 2);
    send_text(c->fd, head);
    send_all(c->fd, part, sizeof(part));
    return send_text(c->fd, "\r\n0\r\n\r\n");
}

static bool answer_big(struct connection *c)
{
    return answer_bytes(c, ORIGIN_BIG_SIZE);
}

static bool answer_chunked(struct connection *c)
{
    enum {
        CHUNK = 997
    };
    if (!send_text(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        return false;
    for (size_t at = 0; at < 1 << 20;) {
        char chunk[CHUNK + 32];
        int start = snprintf(chunk, sizeof(chunk), "%x;odd\r\n", CHUNK);
        for (size_t i = 0; i < CHUNK; i++)
            chunk[(size_t)start + i] = origin_byte(at++);
        memcpy(chunk + start + CHUNK, "\r\n", 2);
        if (!send_all(c->fd, chunk, (size_t)start + CHUNK + 2))
            return false;
    }
    return send_text(c->fd, "0\r\nTrailer: 1\r\n\r\n");
}

static bool answer_echo(struct connection *c)
{
    return send_body(c, "", text_string(&c->message.body), c->message.body.length);
}

static bool answer_head(struct connection *c)
{
    return send_body(c, "", text_string(&c->message.input), c->message.head.size);
}

/* Drops the connection at its second request, as a server does whose patience ended. */
static bool answer_once(struct connection *c)
{
    return c->requests == 1 && answer_who(c);
}

static bool answer_patient(struct connection *c)
{
    return send_body(c, "Connection: keep-alive\r\nKeep-Alive: timeout=2, max=100\r\n", "ok",
                     2);
}

/* The member named b answers; others close without a byte. */
static bool answer_mute(struct connection *c)
{
    return c->origin->name == 'b' && answer_who(c);
}

static void wait_at_gate(const struct connection *c)
{
    while (!c->origin->stopping && !c->origin->gate_is_open)
        usleep(1000);
}

static bool answer_gate(struct connection *c)
{
    wait_at_gate(c);
    return answer_who(c);
}

static bool answer_error(struct connection *c)
{
    return send_text(c->fd, "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
}

static bool answer_never(struct connection *c)
{
    char byte;
    while (!c->origin->stopping && recv(c->fd, &byte, 1, 0) > 0)
        ;
    return false;
}

static bool answer_junk(struct connection *c)
{
    send_text(c->fd, "HTTP/9.9 nonsense\r\n\r\n");
    return false;
}

static bool answer_cut(struct connection *c)
{
    send_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    return false;
}

static bool answer_stall(struct connection *c)
{
    return send_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") &&
           answer_never(c);
}

static bool answer_big_cut(struct connection *c)
{
    static const char part[ORIGIN_BIG_SIZE / 2];
    char head[64];
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
             ORIGIN_BIG_SIZE);
    send_text(c->fd, head);
    send_all(c->fd, part, sizeof(part));
    return false;
}

static bool answer_challenge(struct connection *c, const char *fields)
{
    char head[256];
    snprintf(head, sizeof(head), "HTTP/1.1 401 Unauthorized\r\n%sContent-Length: 0\r\n\r\n",
             fields);
    return send_text(c->fd, head);
}

static bool answer_ntlm(struct connection *c)
{
    return answer_challenge(c, "WWW-Authenticate: Basic realm=\"a\"\r\n"
                               "WWW-Authenticate: NTLM TlRMTVNTUAAC\r\n");
}

static bool answer_negotiate(struct connection *c)
{
    return answer_challenge(c, "WWW-Authenticate: Basic realm=\"a\", negotiate\r\n");
}

static bool answer_basic(struct connection *c)
{
    return answer_challenge(c, "WWW-Authenticate: Basic realm=\"NTLM\"\r\n");
}

static bool answer_empty(struct connection *c)
{
    return send_text(c->fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

static bool answer_not_modified(struct connection *c)
{
    return send_text(c->fd, "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n");
}

static bool answer_upgrade(struct connection *c)
{
    char data[64];
    send_text(c->fd, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                     "Upgrade: websocket\r\n\r\nhello:");
    for (ssize_t size; (size = recv(c->fd, data, sizeof(data), 0)) > 0;)
        send_all(c->fd, data, (size_t)size);
    return false;
}

static bool answer_late_upgrade(struct connection *c)
{
    wait_at_gate(c);
    return answer_upgrade(c);
}

/* PREFIX and a number. */
static bool is_sized(struct bytes path, const char *prefix, size_t *out_size)
{
    size_t at = strlen(prefix);
    if (path.size <= at || memcmp(path.data, prefix, at) != 0)
        return false;
    for (*out_size = 0; at < path.size; at++)
        *out_size = *out_size * 10 + (size_t)(path.data[at] - '0');
    return true;
}

static bool answer(struct connection *c)
{
    static const struct {
        const char *path;
        bool (*answer)(struct connection *c);
    } answers[] = {
        {"/who", answer_who},
        {"/close", answer_close},
        {"/big", answer_big},
        {"/until-close", answer_until_close},
        {"/echo", answer_echo},
        {"/chunked", answer_chunked},
        {"/head", answer_head},
        {"/once", answer_once},
        {"/error", answer_error},
        {"/gate", answer_gate},
        {"/never", answer_never},
        {"/stall", answer_stall},
        {"/ntlm", answer_ntlm},
        {"/negotiate", answer_negotiate},
        {"/basic", answer_basic},
        {"/junk", answer_junk},
        {"/cut", answer_cut},
        {"/empty", answer_empty},
        {"/patient", answer_patient},
        {"/mute", answer_mute},
        {"/big-cut", answer_big_cut},
        {"/chunks-cut", answer_chunks_cut},
        {"/chunks-bad", answer_chunks_bad},
        {"/upgrade", answer_upgrade},
        {"/late-upgrade", answer_late_upgrade},
        {"/not-modified", answer_not_modified},
    };
    struct bytes path = http_head_text(text_string(&c->message.input), c->message.head.target,
                                       c->message.head.target_length);
    c->requests++;
    c->origin->requests++;
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        if (http_text_is(path, answers[i].path))
            return answers[i].answer(c);
    }
    size_t bytes = 0;
    if (is_sized(path, "/bytes/", &bytes))
        return answer_bytes(c, bytes);
    if (is_sized(path, "/open-ended/", &bytes))
        return answer_bytes_open_ended(c, bytes);
    if (is_sized(path, "/chunks/", &bytes))
        return answer_bytes_in_chunks(c, bytes);
    return send_body(c, "", "?", 1);
}

static void serve_http(struct connection *c)
{
    bool continued = false;
    enum http_parse_result result = HTTP_NEED_MORE;
    http_message_init(&c->message, NULL, 16 << 20);
    while (result != HTTP_BAD) {
        char data[8192];
        ssize_t size = result == HTTP_NEED_MORE ? recv(c->fd, data, sizeof(data), 0) : 0;
        if (result == HTTP_NEED_MORE && size <= 0)
            break;
        if (size > 0)
            result = http_message_feed(&c->message, data, (size_t)size);
        if (c->message.head_done && c->message.head.expect_continue && !continued)
            continued = send_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n");
        if (result == HTTP_COMPLETE) {
            if (!answer(c))
                break;
            continued = false;
            result = http_message_next(&c->message);
        }
    }
    http_message_free(&c->message);
}

/* Counts what comes until the other side has finished sending, then says how much it was. */
static void serve_tcp(struct connection *c)
{
    char data[8192];
    size_t sum = 0;
    for (ssize_t size; (size = recv(c->fd, data, sizeof(data), 0)) > 0;)
        sum += (size_t)size;
    int length = snprintf(data, sizeof(data), "%c got %zu", c->origin->name, sum);
    send_all(c->fd, data, (size_t)length);
}

static void *serve(void *context)
{
    struct connection *c = context;
    if (c->origin->is_tcp)
        serve_tcp(c);
    else
        serve_http(c);
    close(c->fd);
    c->origin->open--;
    free(c);
    return NULL;
}

static void *accept_all(void *context)
{
    struct origin *origin = context;
    struct timeval patience = {10, 0};
    int on = 1;
    while (!origin->stopping) {
        struct pollfd poll_fd = {.fd = origin->fd, .events = POLLIN};
        if (poll(&poll_fd, 1, 20) <= 0)
            continue;
        struct connection *c = calloc(1, sizeof(*c));
        pthread_t thread;
        c->origin = origin;
        c->fd = accept4(origin->fd, NULL, NULL, SOCK_CLOEXEC);
        if (c->fd < 0) {
            free(c);
            continue;
        }
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        origin->connections++;
        origin->open++;
        pthread_create(&thread, NULL, serve, c);
        pthread_detach(thread);
    }
    return NULL;
}

static int bind_anywhere(uint16_t *out_port)
{
    struct ip_endpoint endpoint = image_loopback(0);
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&endpoint, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    size = sizeof(address);
    getsockname(fd, (struct sockaddr *)&address, &size);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, &endpoint));
    *out_port = endpoint.port;
    return fd;
}

static int listen_anywhere(uint16_t *out_port)
{
    int fd = bind_anywhere(out_port);
    assert_int_equal(listen(fd, 1024), 0);
    return fd;
}

void origin_start(struct origin *origin, char name, bool is_tcp)
{
    memset(origin, 0, sizeof(*origin));
    origin->name = name;
    origin->is_tcp = is_tcp;
    origin->fd = listen_anywhere(&origin->port);
    assert_int_equal(pthread_create(&origin->thread, NULL, accept_all, origin), 0);
}

void origin_stop(struct origin *origin)
{
    origin->stopping = true;
    pthread_join(origin->thread, NULL);
    close(origin->fd);
    for (int i = 0; i < 10000 && origin->open > 0; i++)
        usleep(1000);
    assert_int_equal(origin->open, 0);
}

uint16_t origin_closed_port(void)
{
    uint16_t port;
    bind_anywhere(&port); /* held until the test ends: nobody else may listen there */
    return port;
}

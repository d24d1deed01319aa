#include "tests/unit/proxy/visitor.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool try_to_connect(struct visitor *visitor, const struct ip_endpoint *endpoint)
{
    struct sockaddr_storage address;
    struct timeval patience = {15, 0};
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    memset(visitor, 0, sizeof(*visitor));
    visitor->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(visitor->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(visitor->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return connect(visitor->fd, (struct sockaddr *)&address, size) == 0;
}

void visitor_connect(struct visitor *visitor, const struct ip_endpoint *endpoint)
{
    assert_true(try_to_connect(visitor, endpoint));
}

bool visitor_is_turned_away(const struct ip_endpoint *endpoint)
{
    struct visitor visitor;
    bool away = !try_to_connect(&visitor, endpoint) || visitor_is_closed(&visitor);
    visitor_leave(&visitor);
    return away;
}

void visitor_send(struct visitor *visitor, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(visitor->fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the test will miss the answer */
        data += sent;
        size -= (size_t)sent;
    }
}

void visitor_say(struct visitor *visitor, const char *text)
{
    visitor_send(visitor, text, strlen(text));
}

int visitor_read(struct visitor *visitor, const char *method)
{
    enum http_parse_result result;
    static char data[65536];
    if (visitor->answer.complete) {
        snprintf(visitor->answer.request_method, sizeof(visitor->answer.request_method), "%s",
                 method);
        result = http_message_next(&visitor->answer);
    } else {
        http_message_free(&visitor->answer);
        http_message_init(&visitor->answer, method, 16 << 20);
        result = HTTP_NEED_MORE;
    }
    while (result == HTTP_NEED_MORE) {
        ssize_t size = recv(visitor->fd, data, sizeof(data), 0);
        result = size > 0 ? http_message_feed(&visitor->answer, data, (size_t)size)
                          : http_message_end(&visitor->answer);
    }
    return result == HTTP_COMPLETE ? visitor->answer.head.status : -1;
}

bool visitor_is_closed(struct visitor *visitor)
{
    char byte;
    return recv(visitor->fd, &byte, 1, 0) <= 0;
}

void visitor_leave(struct visitor *visitor)
{
    http_message_free(&visitor->answer);
    close(visitor->fd);
}

int visitor_get(const struct ip_endpoint *endpoint, const char *path, char *out, size_t size)
{
    struct visitor visitor;
    char request[256];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path);
    visitor_connect(&visitor, endpoint);
    visitor_say(&visitor, request);
    int status = visitor_read(&visitor, "GET");
    snprintf(out, size, "%s", text_string(&visitor.answer.body));
    visitor_leave(&visitor);
    return status;
}

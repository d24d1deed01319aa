/* A blocking client with a deadline, for tests of the proxy. */
#ifndef TESTS_UNIT_PROXY_VISITOR_H
#define TESTS_UNIT_PROXY_VISITOR_H

#include "lbnode/base/ip_address.h"
#include "lbnode/http/http_message.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: test\r\n\r\n"

struct visitor {
    int fd;
    struct http_message answer;
};

void visitor_connect(struct visitor *visitor, const struct ip_endpoint *endpoint);
void visitor_send(struct visitor *visitor, const char *data, size_t size);
void visitor_say(struct visitor *visitor, const char *text);
/* Reads the response to a METHOD request, whole; its status, or -1 when the connection ended
 * before it was complete. The body is in answer.body. */
int visitor_read(struct visitor *visitor, const char *method);
/* True when the other side closes without sending anything more. */
bool visitor_is_closed(struct visitor *visitor);
/* True when a fresh connection is reset or closed, however early. */
bool visitor_is_turned_away(const struct ip_endpoint *endpoint);
void visitor_leave(struct visitor *visitor);

/* One GET over a fresh connection: status, body copied to OUT (terminated). */
int visitor_get(const struct ip_endpoint *endpoint, const char *path, char *out, size_t size);

#endif

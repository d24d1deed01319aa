#include "proxy/forwarded_head.h"

#include "lbnode/model/snapshot.h"

#include <stdio.h>
#include <string.h>

/* Writes within a bound; once something did not fit, nothing more is written. */
struct writer {
    char *out;
    size_t size, capacity;
    bool overflowed;
};

static void put(struct writer *writer, const char *data, size_t size)
{
    if (size > writer->capacity - writer->size) {
        writer->overflowed = true;
        return;
    }
    memcpy(writer->out + writer->size, data, size);
    writer->size += size;
}

static void put_string(struct writer *writer, const char *string)
{
    put(writer, string, strlen(string));
}

static void put_line(struct writer *writer, const char *name, const char *value)
{
    put_string(writer, name);
    put(writer, ": ", 2);
    put_string(writer, value);
    put(writer, "\r\n", 2);
}

/* Blanks around the value are not passed on: not everybody takes a tab for one. */
static void put_field(struct writer *writer, const char *buffer, const struct http_field *field)
{
    put(writer, buffer + field->name, field->name_length);
    put(writer, ": ", 2);
    put(writer, buffer + field->value, field->value_length);
    put(writer, "\r\n", 2);
}

/* Fields that are for one hop only, or that are written anew. */
static bool is_hop_by_hop(enum http_field_id id)
{
    switch (id) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_HTTP2_SETTINGS:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_AUTHENTICATE:
    case HTTP_FIELD_PROXY_AUTHORIZATION:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_TRAILER:
    case HTTP_FIELD_TRANSFER_ENCODING:
    case HTTP_FIELD_UPGRADE: return true;
    default: return false;
    }
}

/* Does a Connection field name FIELD? */
static bool
is_nominated(const struct http_head *head, const char *buffer, const struct http_field *field)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *connection = &head->fields[i];
        struct bytes element;
        if (connection->id != HTTP_FIELD_CONNECTION)
            continue;
        struct bytes list = http_head_text(buffer, connection->value, connection->value_length);
        while (http_list_next(&list, &element)) {
            if (element.size == field->name_length) {
                char name[HTTP_MAXIMUM_NAME + 1];
                memcpy(name, buffer + field->name, field->name_length);
                name[field->name_length] = '\0';
                if (http_text_is(element, name))
                    return true;
            }
        }
    }
    return false;
}

/* A client must not take away what decides framing, routing or rights. */
static bool nominates_protected(const struct http_head *head, const char *buffer)
{
    static const char *const protected[] = {"host", "content-length", "transfer-encoding",
                                            "cookie", "authorization"};
    if (!head->nominates)
        return false;
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != HTTP_FIELD_CONNECTION)
            continue;
        for (size_t k = 0; k < ARRAY_LENGTH(protected); k++) {
            if (http_field_has_token(buffer, &head->fields[i], protected[k]))
                return true;
        }
    }
    return false;
}

static bool drops_request_field(const struct forwarded_request *request,
                                const struct http_field *field)
{
    const struct http_head *head = request->head;
    switch (field->id) {
    case HTTP_FIELD_EXPECT: return !head->expect_continue;
    case HTTP_FIELD_MAX_FORWARDS: return request->hop_counted;
    case HTTP_FIELD_X_FORWARDED_FOR:
    case HTTP_FIELD_X_FORWARDED_PORT:
    case HTTP_FIELD_X_FORWARDED_PROTO:
    case HTTP_FIELD_X_SSL_CLIENT:
    case HTTP_FIELD_UNDERSCORE: return true;
    default: break;
    }
    return is_hop_by_hop(field->id) ||
           (head->nominates && is_nominated(head, request->buffer, field));
}

static bool is_absolute(const struct http_head *head)
{
    return head->path != head->target;
}

/* "OPTIONS http://a" is about the server as a whole (RFC 9112 3.2.4). */
static bool is_about_server(const struct http_head *head, const char *buffer)
{
    struct bytes method = http_head_text(buffer, head->method, head->method_length);
    return head->path_length == 0 &&
           bytes_equal(method, (struct bytes){(const uint8_t *)"OPTIONS", 7});
}

static void put_request_line(struct writer *writer, const struct forwarded_request *request)
{
    const struct http_head *head = request->head;
    const char *path = request->buffer + head->path;
    put(writer, request->buffer + head->method, head->method_length);
    put(writer, " ", 1);
    if (is_absolute(head) && is_about_server(head, request->buffer))
        put(writer, "*", 1);
    else if (is_absolute(head) && (head->path_length == 0 || path[0] != '/'))
        put(writer, "/", 1);
    put(writer, path, head->path_length);
    put_string(writer, " HTTP/1.1\r\n");
}

/* HTTP/1.0 knows requests without Host; HTTP/1.1, which we speak, does not. An absolute target
 * says what it has to be (RFC 9112 3.2.2). */
static void put_missing_host(struct writer *writer, const struct forwarded_request *request)
{
    const struct http_head *head = request->head;
    char text[IP_ENDPOINT_TEXT_SIZE];
    if (http_head_field(head, HTTP_FIELD_HOST))
        return;
    if (is_absolute(head)) {
        const char *scheme = request->buffer + head->target,
                   *end = request->buffer + head->path;
        const char *authority = (const char *)memchr(scheme, '/', (size_t)(end - scheme)) + 2;
        put_string(writer, "Host: ");
        put(writer, authority, (size_t)(end - authority));
        put(writer, "\r\n", 2);
        return;
    }
    ip_endpoint_format(&request->local, text);
    put_line(writer, "Host", text);
}

/* The addresses that came with the request, then the client's own. */
static void put_forwarded_for(struct writer *writer, const struct forwarded_request *request)
{
    const struct http_head *head = request->head;
    char text[IP_ADDRESS_TEXT_SIZE];
    put_string(writer, "X-Forwarded-For: ");
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id != HTTP_FIELD_X_FORWARDED_FOR || field->value_length == 0)
            continue;
        put(writer, request->buffer + field->value, field->value_length);
        put(writer, ", ", 2);
    }
    ip_address_format(&request->client, text);
    put_string(writer, text);
    put(writer, "\r\n", 2);
}

static void put_inserted(struct writer *writer, const struct forwarded_request *request)
{
    if (request->insert_headers & SNAPSHOT_INSERT_FORWARDED_FOR)
        put_forwarded_for(writer, request);
    if (request->insert_headers & SNAPSHOT_INSERT_FORWARDED_PORT) {
        char port[8];
        snprintf(port, sizeof(port), "%u", request->local.port);
        put_line(writer, "X-Forwarded-Port", port);
    }
    if (request->insert_headers & SNAPSHOT_INSERT_FORWARDED_PROTO)
        put_line(writer, "X-Forwarded-Proto", "http");
}

int64_t forwarded_hops(const struct http_head *head, const char *buffer)
{
    enum {
        MAXIMUM_DIGITS = 9
    };
    const struct http_field *field = http_head_field(head, HTTP_FIELD_MAX_FORWARDS);
    struct bytes method = http_head_text(buffer, head->method, head->method_length);
    int64_t hops = 0;
    if (!field || field->value_length == 0 || field->value_length > MAXIMUM_DIGITS ||
        !bytes_equal(method, (struct bytes){(const uint8_t *)"OPTIONS", 7}))
        return -1;
    for (size_t i = 0; i < field->value_length; i++) {
        char digit = buffer[field->value + i];
        if (digit < '0' || digit > '9')
            return -1;
        hops = hops * 10 + (digit - '0');
    }
    return hops;
}

int forwarded_request_build(const struct forwarded_request *request, char *out, size_t capacity)
{
    const struct http_head *head = request->head;
    struct writer writer = {.out = out, .capacity = capacity};
    if (nominates_protected(head, request->buffer))
        return -400;
    put_request_line(&writer, request);
    put_missing_host(&writer, request);
    for (size_t i = 0; i < head->field_count; i++) {
        if (!drops_request_field(request, &head->fields[i]))
            put_field(&writer, request->buffer, &head->fields[i]);
    }
    put_inserted(&writer, request);
    if (request->hop_counted) {
        char hops[16];
        snprintf(hops, sizeof(hops), "%u", request->hops_left);
        put_line(&writer, "Max-Forwards", hops);
    }
    if (head->framing == HTTP_BODY_CHUNKED)
        put_string(&writer, "Transfer-Encoding: chunked\r\n");
    if (request->is_last && !request->upgrade)
        put_string(&writer, "Connection: close\r\n");
    if (request->upgrade)
        put_string(&writer, "Connection: upgrade\r\nUpgrade: websocket\r\n");
    put(&writer, "\r\n", 2);
    return writer.overflowed ? -431 : (int)writer.size;
}

static bool drops_response_field(const struct forwarded_response *response,
                                 const struct http_field *field,
                                 bool *length_seen)
{
    const struct http_head *head = response->head;
    if (field->id == HTTP_FIELD_CONTENT_LENGTH) {
        bool first = !*length_seen;
        bool means_nothing = head->status < 200 || head->status == 204 ||
                             head->framing == HTTP_BODY_CHUNKED ||
                             head->framing == HTTP_BODY_UNTIL_CLOSE ||
                             http_head_field(head, HTTP_FIELD_TRANSFER_ENCODING);
        *length_seen = true;
        return !first || means_nothing;
    }
    return is_hop_by_hop(field->id) ||
           (head->nominates && is_nominated(head, response->buffer, field));
}

static void put_response_end(struct writer *writer, const struct forwarded_response *response)
{
    static const char *const lines[] = {
        [FORWARDED_KEEP_DEFAULT] = "\r\n",
        [FORWARDED_KEEP_ALIVE] = "Connection: keep-alive\r\n\r\n",
        [FORWARDED_CLOSE] = "Connection: close\r\n\r\n",
        [FORWARDED_UPGRADE] = "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    };
    if (response->chunked)
        put_string(writer, "Transfer-Encoding: chunked\r\n");
    if (response->date && !http_head_field(response->head, HTTP_FIELD_DATE))
        put_line(writer, "Date", response->date);
    put_string(writer, lines[response->connection]);
}

int forwarded_response_build(const struct forwarded_response *response,
                             char *out,
                             size_t capacity)
{
    enum {
        VERSION_LENGTH = 8 /* HTTP/1.x */
    };
    const struct http_head *head = response->head;
    struct writer writer = {.out = out, .capacity = capacity};
    const char *rest = response->buffer + VERSION_LENGTH; /* status and phrase */
    const char *end = memchr(rest, '\r', head->size - VERSION_LENGTH);
    bool length_seen = false;
    put_string(&writer, "HTTP/1.1");
    put(&writer, rest, (size_t)(end - rest));
    if (end - rest == 4)
        put(&writer, " ", 1); /* the phrase may be empty, the blank may not be missing */
    put(&writer, "\r\n", 2);
    for (size_t i = 0; i < head->field_count; i++) {
        if (!drops_response_field(response, &head->fields[i], &length_seen))
            put_field(&writer, response->buffer, &head->fields[i]);
    }
    put_response_end(&writer, response);
    return writer.overflowed ? -502 : (int)writer.size;
}

/* Requests: the start line, Host and the framing of the body (RFC 9112 3, 6). */
#include "lbnode/http/http_class.h"

#include <string.h>
#include <strings.h>

static bool bad(struct http_head *head, const char *error)
{
    return http_head_fail(head, 400, error);
}

static bool parse_version(struct http_head *head, struct bytes version)
{
    const char *text = (const char *)version.data;
    if (version.size != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
        !http_is(text[5], HTTP_CLASS_DIGIT) || !http_is(text[7], HTTP_CLASS_DIGIT))
        return bad(head, "The request line is malformed.");
    if (text[5] != '1')
        return http_head_fail(head, 505, "This version of HTTP is not spoken here.");
    head->version_minor = text[7] == '0' ? 0 : 1;
    return true;
}

/* HOST or HOST:PORT (RFC 3986 3.2 without userinfo). OUT_NAME and OUT_PORT may be NULL. */
static bool parse_authority(struct bytes text, struct bytes *out_name, struct bytes *out_port)
{
    const uint8_t *end = text.data + text.size;
    const uint8_t *p = text.data;
    if (text.size > 0 && *p == '[') {
        while (p < end && *p != ']')
            p++;
        struct bytes inside = {text.data + 1, p < end ? (size_t)(p - text.data - 1) : 0};
        for (size_t i = 0; i < inside.size; i++) {
            if (!http_is((char)inside.data[i], HTTP_CLASS_HEX) && inside.data[i] != ':' &&
                inside.data[i] != '.')
                return false;
        }
        if (inside.size < 2)
            return false;
        p++;
    } else {
        while (p < end && http_is((char)*p, HTTP_CLASS_HOST))
            p++;
    }
    *out_name = (struct bytes){text.data, (size_t)(p - text.data)};
    *out_port = (struct bytes){p, 0};
    if (p == end)
        return out_name->size > 0;
    *out_port = (struct bytes){p + 1, (size_t)(end - p - 1)};
    uint64_t port;
    return *p == ':' && out_name->size > 0 && http_parse_length(*out_port, &port) &&
           port <= 65535;
}

/* http://AUTHORITY[/PATH][?QUERY]: where the path begins, 0 if malformed. */
static size_t absolute_path_offset(struct bytes target, size_t *out_authority)
{
    const char *text = (const char *)target.data;
    size_t authority = 0;
    if (target.size > 7 && strncasecmp(text, "http://", 7) == 0)
        authority = 7;
    else if (target.size > 8 && strncasecmp(text, "https://", 8) == 0)
        authority = 8;
    size_t end = authority;
    while (end < target.size && text[end] != '/' && text[end] != '?')
        end++;
    *out_authority = authority;
    return authority > 0 && end > authority ? end : 0;
}

static bool parse_target(struct http_head *head, const char *buffer)
{
    struct bytes method = http_head_text(buffer, head->method, head->method_length);
    struct bytes target = http_head_text(buffer, head->target, head->target_length);
    struct bytes name, port;
    bool is_connect = bytes_equal(method, (struct bytes){(const uint8_t *)"CONNECT", 7});
    bool is_options = bytes_equal(method, (struct bytes){(const uint8_t *)"OPTIONS", 7});
    head->path = head->target;
    head->path_length = head->target_length;
    if (is_connect)
        return (parse_authority(target, &name, &port) && port.size > 0) ||
               bad(head, "The target of CONNECT is malformed.");
    if (target.data[0] == '/')
        return true;
    if (target.size == 1 && target.data[0] == '*' && is_options)
        return true;
    size_t authority, path = absolute_path_offset(target, &authority);
    if (path == 0 || !parse_authority((struct bytes){target.data + authority, path - authority},
                                      &name, &port))
        return bad(head, "The request target is malformed.");
    head->path = head->target + (uint32_t)path;
    head->path_length = (uint16_t)(head->target_length - path);
    return true;
}

static bool start_line(struct http_head *head, const char *buffer, struct bytes line)
{
    const char *text = (const char *)line.data;
    const char *first = memchr(text, ' ', line.size);
    const char *second =
        first ? memchr(first + 1, ' ', line.size - (size_t)(first + 1 - text)) : NULL;
    if (!first || !second)
        return bad(head, "The request line is malformed.");
    size_t method_length = (size_t)(first - text), target_length = (size_t)(second - first - 1);
    if (method_length < 1 || method_length > 32 ||
        !http_all((struct bytes){line.data, method_length}, HTTP_CLASS_TCHAR))
        return bad(head, "The request method is malformed.");
    if (target_length > HTTP_MAXIMUM_TARGET)
        return http_head_fail(head, 414, "The request target is too long.");
    struct bytes target = {(const uint8_t *)first + 1, target_length};
    if (target_length < 1 || !http_all(target, HTTP_CLASS_TARGET))
        return bad(head, "The request target is malformed.");
    head->method = (uint32_t)(text - buffer);
    head->method_length = (uint16_t)method_length;
    head->target = (uint32_t)(first + 1 - buffer);
    head->target_length = (uint16_t)target_length;
    size_t version_at = (size_t)(second + 1 - text);
    if (!parse_version(head, (struct bytes){line.data + version_at, line.size - version_at}))
        return false;
    return parse_target(head, buffer);
}

static bool same_authority(struct bytes a, struct bytes b, bool is_https)
{
    static const char *const defaults[] = {"80", "443"};
    struct bytes standard = {(const uint8_t *)defaults[is_https], is_https ? 3 : 2};
    struct bytes name_a, port_a, name_b, port_b;
    if (!parse_authority(a, &name_a, &port_a) || !parse_authority(b, &name_b, &port_b))
        return false;
    if (port_a.size == 0)
        port_a = standard;
    if (port_b.size == 0)
        port_b = standard;
    return bytes_equal(port_a, port_b) && name_a.size == name_b.size &&
           strncasecmp((const char *)name_a.data, (const char *)name_b.data, name_a.size) == 0;
}

/* Exactly one Host in HTTP/1.1, and it names what the target names (RFC 9112 3.2). */
static bool check_host(struct http_head *head, const char *buffer)
{
    const struct http_field *host = NULL;
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != HTTP_FIELD_HOST)
            continue;
        if (host)
            return bad(head, "There is more than one Host field.");
        host = &head->fields[i];
    }
    if (!host)
        return head->version_minor == 0 || bad(head, "The Host field is missing.");
    struct bytes name, port, value = http_head_text(buffer, host->value, host->value_length);
    if (!parse_authority(value, &name, &port))
        return bad(head, "The Host field is malformed.");
    if (head->path == head->target)
        return true;
    struct bytes target = http_head_text(buffer, head->target, head->target_length);
    size_t authority, path = absolute_path_offset(target, &authority);
    struct bytes named = {target.data + authority, path - authority};
    return same_authority(named, value, authority == 8) ||
           bad(head, "The Host field differs from the request target.");
}

/* The only coding that a request may have is chunked, once (RFC 9112 6.1). */
static bool check_transfer_encoding(struct http_head *head, const char *buffer)
{
    unsigned chunked = 0, others = 0;
    bool chunked_last = false;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        struct bytes element, list = http_head_text(buffer, field->value, field->value_length);
        if (field->id != HTTP_FIELD_TRANSFER_ENCODING)
            continue;
        unsigned elements = 0, commas = 0;
        for (size_t k = 0; k < list.size; k++)
            commas += list.data[k] == ',';
        for (; http_list_next(&list, &element); elements++) {
            chunked_last = http_text_is(element, "chunked");
            chunked += chunked_last;
            others += !chunked_last;
        }
        if (elements != commas + 1)
            return bad(head, "The Transfer-Encoding field is malformed.");
    }
    if (chunked == 1 && chunked_last && others > 0)
        return http_head_fail(head, 501, "This transfer coding is not known.");
    if (chunked != 1 || !chunked_last)
        return bad(head, "The Transfer-Encoding field is malformed.");
    head->framing = HTTP_BODY_CHUNKED;
    return true;
}

static bool decide_framing(struct http_head *head, const char *buffer)
{
    const struct http_field *length = NULL;
    bool encoded = http_head_field(head, HTTP_FIELD_TRANSFER_ENCODING) != NULL;
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != HTTP_FIELD_CONTENT_LENGTH)
            continue;
        if (length)
            return bad(head, "There is more than one Content-Length field.");
        length = &head->fields[i];
    }
    if (encoded && head->version_minor == 0)
        return bad(head, "HTTP/1.0 has no Transfer-Encoding.");
    if (encoded && length)
        return bad(head, "Content-Length and Transfer-Encoding exclude each other.");
    if (encoded)
        return check_transfer_encoding(head, buffer);
    if (!length)
        return true;
    struct bytes value = http_head_text(buffer, length->value, length->value_length);
    if (!http_parse_length(value, &head->content_length))
        return bad(head, "The Content-Length field is malformed.");
    head->framing = head->content_length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    return true;
}

static bool check_expect(struct http_head *head, const char *buffer)
{
    if (head->version_minor == 0)
        return true;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id != HTTP_FIELD_EXPECT)
            continue;
        struct bytes value = http_head_text(buffer, field->value, field->value_length);
        if (!http_text_is(value, "100-continue"))
            return http_head_fail(head, 417, "This expectation cannot be met.");
        head->expect_continue = head->framing != HTTP_BODY_NONE;
    }
    return true;
}

enum http_parse_result
http_request_parse(struct http_head *head, const char *buffer, size_t size)
{
    static const struct http_grammar grammar = {start_line, 400, 2};
    enum http_parse_result result = http_head_run(head, &grammar, buffer, size);
    if (result != HTTP_COMPLETE || head->stage == HTTP_STAGE_COMPLETE)
        return result;
    if (!check_host(head, buffer) || !decide_framing(head, buffer) ||
        !check_expect(head, buffer))
        return HTTP_BAD;
    http_head_digest_connection(head, buffer);
    head->stage = HTTP_STAGE_COMPLETE;
    return HTTP_COMPLETE;
}

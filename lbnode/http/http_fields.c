/* Field names with an id, comma-separated lists, and the meaning of Connection. */
#include "lbnode/http/http_class.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    uint8_t length, id;
} known[] = {
#define KNOWN(name, id)                                                                        \
    {                                                                                          \
        name, sizeof(name) - 1, HTTP_FIELD_##id                                                \
    }
    KNOWN("connection", CONNECTION),
    KNOWN("content-length", CONTENT_LENGTH),
    KNOWN("content-type", CONTENT_TYPE),
    KNOWN("date", DATE),
    KNOWN("expect", EXPECT),
    KNOWN("host", HOST),
    KNOWN("http2-settings", HTTP2_SETTINGS),
    KNOWN("keep-alive", KEEP_ALIVE),
    KNOWN("max-forwards", MAX_FORWARDS),
    KNOWN("proxy-authenticate", PROXY_AUTHENTICATE),
    KNOWN("proxy-authorization", PROXY_AUTHORIZATION),
    KNOWN("proxy-connection", PROXY_CONNECTION),
    KNOWN("te", TE),
    KNOWN("trailer", TRAILER),
    KNOWN("transfer-encoding", TRANSFER_ENCODING),
    KNOWN("upgrade", UPGRADE),
    KNOWN("x-forwarded-for", X_FORWARDED_FOR),
    KNOWN("x-forwarded-port", X_FORWARDED_PORT),
    KNOWN("x-forwarded-proto", X_FORWARDED_PROTO),
#undef KNOWN
};

enum http_field_id http_field_identify(struct bytes name)
{
    static const char client_certificate[] = "x-ssl-client-";
    const char *text = (const char *)name.data;
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (known[i].length == name.size && known[i].name[0] == (text[0] | 0x20) &&
            strncasecmp(known[i].name, text, name.size) == 0)
            return known[i].id;
    }
    if (name.size >= sizeof(client_certificate) &&
        strncasecmp(client_certificate, text, sizeof(client_certificate) - 1) == 0)
        return HTTP_FIELD_X_SSL_CLIENT;
    return memchr(text, '_', name.size) ? HTTP_FIELD_UNDERSCORE : HTTP_FIELD_OTHER;
}

const struct http_field *http_head_field(const struct http_head *head, enum http_field_id id)
{
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id == id)
            return &head->fields[i];
    }
    return NULL;
}

const struct http_field *
http_head_field_named(const struct http_head *head, const char *buffer, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++) {
        const struct http_field *field = &head->fields[i];
        if (http_text_is(http_head_text(buffer, field->name, field->name_length), name))
            return field;
    }
    return NULL;
}

struct bytes http_head_text(const char *buffer, uint32_t offset, size_t length)
{
    return (struct bytes){(const uint8_t *)buffer + offset, length};
}

bool http_text_is(struct bytes text, const char *word)
{
    return strlen(word) == text.size &&
           strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

bool http_list_next(struct bytes *list, struct bytes *out_element)
{
    while (list->size > 0) {
        const uint8_t *comma = memchr(list->data, ',', list->size);
        size_t size = comma ? (size_t)(comma - list->data) : list->size;
        struct bytes element = {list->data, size};
        size_t step = comma ? size + 1 : size;
        list->data += step;
        list->size -= step;
        while (element.size > 0 && is_blank(element.data[0]))
            element.data++, element.size--;
        while (element.size > 0 && is_blank(element.data[element.size - 1]))
            element.size--;
        if (element.size > 0) {
            *out_element = element;
            return true;
        }
    }
    return false;
}

bool http_field_has_token(const char *buffer, const struct http_field *field, const char *token)
{
    struct bytes list = http_head_text(buffer, field->value, field->value_length);
    struct bytes element;
    while (http_list_next(&list, &element)) {
        if (http_text_is(element, token))
            return true;
    }
    return false;
}

void http_head_digest_connection(struct http_head *head, const char *buffer)
{
    bool close = false, keep_alive = false, upgrade = false;
    for (size_t i = 0; i < head->field_count; i++) {
        struct bytes element;
        const struct http_field *field = &head->fields[i];
        if (field->id != HTTP_FIELD_CONNECTION)
            continue;
        struct bytes list = http_head_text(buffer, field->value, field->value_length);
        while (http_list_next(&list, &element)) {
            if (http_text_is(element, "close"))
                close = true;
            else if (http_text_is(element, "keep-alive"))
                keep_alive = true;
            else if (http_text_is(element, "upgrade"))
                upgrade = true;
            else
                head->nominates = true;
        }
    }
    head->keep_alive = !close && (head->version_minor > 0 || keep_alive);
    head->upgrade = upgrade && http_head_field(head, HTTP_FIELD_UPGRADE);
}

bool http_parse_length(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.size < 1 || text.size > 19 || !http_all(text, HTTP_CLASS_DIGIT))
        return false;
    for (size_t i = 0; i < text.size; i++)
        value = value * 10 + (text.data[i] - '0');
    *out = value;
    return value <= INT64_MAX;
}

const char *http_status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {508, "Loop Detected"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(phrases); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}

#include "lbnode/http/http_url.h"

#include "lbnode/http/http_class.h"

#include <string.h>

/* Writes decoded text into the storage of the url. */
struct writer {
    char *next, *end;
};

static int hex_digit(uint8_t c)
{
    if (!http_is((char)c, HTTP_CLASS_HEX))
        return -1;
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The decoded form of TEXT, terminated; NULL when malformed or too long. */
static const char *decode(struct writer *writer, struct bytes text, bool plus_is_blank)
{
    char *start = writer->next;
    for (size_t i = 0; i < text.size; i++) {
        int c = text.data[i];
        if (c == '%') {
            if (text.size - i < 3)
                return NULL;
            int high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);
            c = high * 16 + low;
            if (high < 0 || low < 0 || c == 0)
                return NULL;
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (writer->next == writer->end)
            return NULL;
        *writer->next++ = (char)c;
    }
    if (writer->next == writer->end)
        return NULL;
    *writer->next++ = '\0';
    return start;
}

/* Takes the part before SEPARATOR off REST. */
static struct bytes take(struct bytes *rest, char separator)
{
    const uint8_t *found = memchr(rest->data, separator, rest->size);
    size_t size = found ? (size_t)(found - rest->data) : rest->size;
    struct bytes part = {rest->data, size};
    size_t step = found ? size + 1 : size;
    rest->data += step;
    rest->size -= step;
    return part;
}

static bool parse_path(struct http_url *url, struct writer *writer, struct bytes path)
{
    while (path.size > 0) {
        struct bytes part = take(&path, '/');
        if (part.size == 0)
            continue;
        const char *segment =
            url->segment_count < HTTP_URL_MAXIMUM_SEGMENTS ? decode(writer, part, false) : NULL;
        if (!segment)
            return false;
        url->segments[url->segment_count++] = segment;
    }
    return true;
}

static bool parse_query(struct http_url *url, struct writer *writer, struct bytes query)
{
    while (query.size > 0) {
        struct bytes value = take(&query, '&');
        if (value.size == 0)
            continue;
        if (url->parameter_count == HTTP_URL_MAXIMUM_PARAMETERS)
            return false;
        struct http_parameter *parameter = &url->parameters[url->parameter_count];
        struct bytes name = take(&value, '=');
        parameter->name = decode(writer, name, true);
        parameter->value = decode(writer, value, true);
        if (!parameter->name || !parameter->value)
            return false;
        url->parameter_count++;
    }
    return true;
}

bool http_url_parse(struct http_url *url, struct bytes target)
{
    struct writer writer = {url->storage, url->storage + sizeof(url->storage)};
    url->segment_count = url->parameter_count = 0;
    if (target.size < 1 || target.size > HTTP_MAXIMUM_TARGET || target.data[0] != '/' ||
        !http_all(target, HTTP_CLASS_TARGET))
        return false;
    struct bytes rest = target;
    struct bytes path = take(&rest, '?');
    return parse_path(url, &writer, path) && parse_query(url, &writer, rest);
}

const char *http_url_parameter(const struct http_url *url, const char *name)
{
    for (size_t i = 0; i < url->parameter_count; i++) {
        if (strcmp(url->parameters[i].name, name) == 0)
            return url->parameters[i].value;
    }
    return NULL;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_' || c == '~';
}

void http_url_encode(const char *text, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        if (is_unreserved(*text)) {
            *out++ = *text;
            continue;
        }
        *out++ = '%';
        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    *out = '\0';
}

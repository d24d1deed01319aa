#include "lbnode/http/http_chunked.h"

#include "lbnode/http/http_class.h"

#include <string.h>

enum stage {
    STAGE_SIZE,
    STAGE_SIZE_LF,
    STAGE_EXTENSION_START,
    STAGE_EXTENSION_NAME,
    STAGE_EXTENSION_VALUE_START,
    STAGE_EXTENSION_VALUE,
    STAGE_EXTENSION_QUOTED,
    STAGE_EXTENSION_ESCAPED,
    STAGE_EXTENSION_QUOTE_END,
    STAGE_DATA,
    STAGE_DATA_CR,
    STAGE_DATA_LF,
    STAGE_TRAILER_START,
    STAGE_TRAILER_NAME,
    STAGE_TRAILER_VALUE,
    STAGE_TRAILER_LF,
    STAGE_END_LF,
    STAGE_DONE,
    STAGE_BAD,
};

void http_chunked_init(struct http_chunked *chunked)
{
    memset(chunked, 0, sizeof(*chunked));
}

static unsigned hex_value(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

static enum stage on_size(struct http_chunked *chunked, char c)
{
    if (http_is(c, HTTP_CLASS_HEX)) {
        if (chunked->digits++ == 16)
            return STAGE_BAD;
        chunked->remaining = chunked->remaining << 4 | hex_value(c);
        return STAGE_SIZE;
    }
    if (chunked->digits == 0 || chunked->remaining > INT64_MAX)
        return STAGE_BAD;
    if (c == '\r')
        return STAGE_SIZE_LF;
    return c == ';' ? STAGE_EXTENSION_START : STAGE_BAD;
}

/* Where an extension may end: another one, or the line. */
static enum stage on_extension_end(char c)
{
    if (c == ';')
        return STAGE_EXTENSION_START;
    return c == '\r' ? STAGE_SIZE_LF : STAGE_BAD;
}

/* Extensions are checked (RFC 9112 7.1.1, without blanks) and dropped. */
static enum stage on_extension(struct http_chunked *chunked, char c)
{
    chunked->extension_size++;
    if (++chunked->chunk_extension > HTTP_MAXIMUM_CHUNK_EXTENSION ||
        chunked->extension_size > HTTP_MAXIMUM_EXTENSIONS)
        return STAGE_BAD;
    bool is_token = http_is(c, HTTP_CLASS_TCHAR);
    switch (chunked->stage) {
    case STAGE_EXTENSION_START: return is_token ? STAGE_EXTENSION_NAME : STAGE_BAD;
    case STAGE_EXTENSION_NAME:
        if (is_token)
            return STAGE_EXTENSION_NAME;
        return c == '=' ? STAGE_EXTENSION_VALUE_START : on_extension_end(c);
    case STAGE_EXTENSION_VALUE_START:
        if (c == '"')
            return STAGE_EXTENSION_QUOTED;
        return is_token ? STAGE_EXTENSION_VALUE : STAGE_BAD;
    case STAGE_EXTENSION_VALUE: return is_token ? STAGE_EXTENSION_VALUE : on_extension_end(c);
    case STAGE_EXTENSION_QUOTED:
        if (c == '"')
            return STAGE_EXTENSION_QUOTE_END;
        if (c == '\\')
            return STAGE_EXTENSION_ESCAPED;
        return http_is(c, HTTP_CLASS_VALUE) ? STAGE_EXTENSION_QUOTED : STAGE_BAD;
    case STAGE_EXTENSION_ESCAPED:
        return http_is(c, HTTP_CLASS_VALUE) ? STAGE_EXTENSION_QUOTED : STAGE_BAD;
    default: return on_extension_end(c);
    }
}

static enum stage on_trailer(struct http_chunked *chunked, char c)
{
    if (++chunked->trailer_size > HTTP_MAXIMUM_TRAILER_SIZE)
        return STAGE_BAD;
    switch (chunked->stage) {
    case STAGE_TRAILER_START:
        if (c == '\r')
            return STAGE_END_LF;
        if (chunked->trailer_count++ == HTTP_MAXIMUM_TRAILERS)
            return STAGE_BAD;
        return http_is(c, HTTP_CLASS_TCHAR) ? STAGE_TRAILER_NAME : STAGE_BAD;
    case STAGE_TRAILER_NAME:
        if (c == ':')
            return STAGE_TRAILER_VALUE;
        return http_is(c, HTTP_CLASS_TCHAR) ? STAGE_TRAILER_NAME : STAGE_BAD;
    case STAGE_TRAILER_VALUE:
        if (c == '\r')
            return STAGE_TRAILER_LF;
        return http_is(c, HTTP_CLASS_VALUE) ? STAGE_TRAILER_VALUE : STAGE_BAD;
    default: return c == '\n' ? STAGE_TRAILER_START : STAGE_BAD;
    }
}

static enum stage on_size_line_end(struct http_chunked *chunked, char c)
{
    bool last = chunked->remaining == 0;
    chunked->digits = 0;
    chunked->chunk_extension = 0;
    if (c != '\n')
        return STAGE_BAD;
    return last ? STAGE_TRAILER_START : STAGE_DATA;
}

static enum stage step(struct http_chunked *chunked, char c)
{
    switch (chunked->stage) {
    case STAGE_SIZE: return on_size(chunked, c);
    case STAGE_SIZE_LF: return on_size_line_end(chunked, c);
    case STAGE_DATA_CR: return c == '\r' ? STAGE_DATA_LF : STAGE_BAD;
    case STAGE_DATA_LF: return c == '\n' ? STAGE_SIZE : STAGE_BAD;
    case STAGE_END_LF: return c == '\n' ? STAGE_DONE : STAGE_BAD;
    default:
        return chunked->stage < STAGE_DATA ? on_extension(chunked, c) : on_trailer(chunked, c);
    }
}

uint64_t http_chunked_data_left(const struct http_chunked *chunked)
{
    return chunked->stage == STAGE_DATA ? chunked->remaining : 0;
}

void http_chunked_pass(struct http_chunked *chunked, uint64_t size)
{
    chunked->remaining -= size;
    if (chunked->remaining == 0)
        chunked->stage = STAGE_DATA_CR;
}

enum http_chunk_result http_chunked_decode(struct http_chunked *chunked,
                                           struct bytes input,
                                           size_t *out_used,
                                           struct bytes *out_data)
{
    size_t used = 0;
    *out_data = (struct bytes){input.data, 0};
    while (used < input.size && chunked->stage < STAGE_DONE) {
        if (chunked->stage != STAGE_DATA) {
            chunked->stage = (uint8_t)step(chunked, (char)input.data[used++]);
            continue;
        }
        size_t left = input.size - used;
        size_t size = chunked->remaining < left ? (size_t)chunked->remaining : left;
        *out_data = (struct bytes){input.data + used, size};
        http_chunked_pass(chunked, size);
        *out_used = used + size;
        return HTTP_CHUNK_DATA;
    }
    *out_used = used;
    if (chunked->stage == STAGE_BAD)
        return HTTP_CHUNK_BAD;
    return chunked->stage == STAGE_DONE ? HTTP_CHUNK_DONE : HTTP_CHUNK_NEED_MORE;
}

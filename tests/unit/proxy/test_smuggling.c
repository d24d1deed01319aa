/* Whatever a client sends: what goes on to a member is one message, and a reader that knows
 * nothing of our parser, and is strict in another way, sees the same one. */
#include "proxy/body_transfer.h"
#include "proxy/forwarded_head.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    ROOM = 4096
};

/* What a reader makes of the start of a byte stream. */
struct seen {
    char method[40], target[200];
    int lengths, encodings, hosts;
    bool chunked;
    unsigned long long length;
    size_t size; /* of the head; 0: no valid head */
};

static bool is_token(const char *text, size_t size)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == 0 || !strchr(others, c)))
            return false;
    }
    return size > 0;
}

static bool see_field(struct seen *seen, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (!colon || !is_token(line, (size_t)(colon - line)))
        return false;
    size_t name = (size_t)(colon - line), start = name + 1;
    while (start < size && line[start] == ' ')
        start++;
    for (size_t i = start; i < size; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    char value[64];
    snprintf(value, sizeof(value), "%.*s", (int)(size - start), line + start);
    if (name == 4 && strncasecmp(line, "host", 4) == 0)
        seen->hosts++;
    if (name == 14 && strncasecmp(line, "content-length", 14) == 0) {
        seen->lengths++;
        seen->length = strtoull(value, NULL, 10);
        if (strspn(value, "0123456789") != strlen(value) || value[0] == '\0')
            return false;
    }
    if (name == 17 && strncasecmp(line, "transfer-encoding", 17) == 0) {
        seen->encodings++;
        seen->chunked = strcmp(value, "chunked") == 0;
        return seen->chunked;
    }
    return true;
}

/* Lines end with CR LF and contain neither; nothing else is asked of anybody. */
static struct seen read_strictly(const char *text, size_t size)
{
    struct seen seen = {0};
    size_t at = 0;
    for (bool first = true;; first = false) {
        const char *end = memmem(text + at, size - at, "\r\n", 2);
        if (!end)
            return (struct seen){0};
        size_t length = (size_t)(end - text) - at;
        const char *line = text + at;
        if (memchr(line, '\r', length) || memchr(line, '\n', length) || memchr(line, 0, length))
            return (struct seen){0};
        at += length + 2;
        if (length == 0 && !first)
            break;
        if (first) {
            char version[20];
            char copy[ROOM];
            snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
            if (sscanf(copy, "%39[^ ] %199[^ ] %19[^ ]", seen.method, seen.target, version) !=
                    3 ||
                strcmp(version, "HTTP/1.1") != 0 || !is_token(seen.method, strlen(seen.method)))
                return (struct seen){0};
        } else if (!see_field(&seen, line, length)) {
            return (struct seen){0};
        }
    }
    seen.size = at;
    if (seen.hosts != 1 || seen.lengths + seen.encodings > 1)
        return (struct seen){0};
    return seen;
}

/* TEXT from a client: refused or incomplete (false), or forwarded as one message that the other
 * reader sees as we do. */
static bool forwards(const char *text, size_t size)
{
    struct http_head head;
    static char out[2 * ROOM];
    struct forwarded_request request = {.head = &head, .buffer = text};
    http_head_init(&head);
    if (http_request_parse(&head, text, size) != HTTP_COMPLETE)
        return false;
    int built = forwarded_request_build(&request, out, sizeof(out));
    if (built < 0)
        return false;
    struct seen seen = read_strictly(out, (size_t)built);
    assert_int_equal(seen.size, built); /* all of it, and nothing behind it */
    assert_int_equal(strlen(seen.method), head.method_length);
    assert_memory_equal(seen.method, text + head.method, head.method_length);
    assert_int_equal(seen.chunked, head.framing == HTTP_BODY_CHUNKED);
    assert_int_equal(seen.length, head.framing == HTTP_BODY_LENGTH ? head.content_length : 0);
    return true;
}

static const char *const templates[] = {
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: y\r\n\r\n",
    "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n",
    "GET http://a/p HTTP/1.1\r\nHost: a\r\nConnection: x\r\nX: y\r\n\r\n",
};

static void every_byte_at_every_place_of_a_head(void **state)
{
    unsigned forwarded = 0;
    for (size_t t = 0; t < sizeof(templates) / sizeof(templates[0]); t++) {
        size_t size = strlen(templates[t]);
        for (size_t at = 0; at <= size; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                char text[256];
                memcpy(text, templates[t], at); /* inserted */
                text[at] = (char)byte;
                memcpy(text + at + 1, templates[t] + at, size - at);
                forwarded += forwards(text, size + 1);
                memcpy(text, templates[t], size); /* instead of another */
                if (at < size)
                    text[at] = (char)byte;
                forwarded += forwards(text, size);
            }
        }
    }
    assert_true(forwarded > 1000);
}

/* Two spellings of a body's length: at most one may survive. */
static void conflicting_lengths_never_pass(void **state)
{
    static const char *const lengths[] = {
        "Content-Length: 5",
        "Content-Length: 6",
        "content-length:5",
        "Content-Length : 5",
        "Content-Length: 5, 5",
        "Content-Length: 05",
        "Content-Length: +5",
        "Content_Length: 6",
        "Content-Length: 0x5",
        "Content-Length:\t5",
        "Content-Length: 5\t",
        " Content-Length: 6",
        "Content-Length: 5 ",
        "Content-Length: \x0b"
        "5",
        "Content-Length\xa0: 5",
    };
    static const char *const encodings[] = {
        "Transfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "transfer-encoding:chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding:\x0b"
        "chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;x",
        "Transfer_Encoding: chunked",
        " Transfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\x00",
        "X: y\nTransfer-Encoding: chunked",
        "Transfer-Encoding:\xc2\xa0"
        "chunked",
        "Transfer-Encoding",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: CHUNKED",
    };
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t k = 0; k < sizeof(encodings) / sizeof(encodings[0]); k++) {
            for (unsigned order = 0; order < 2; order++) {
                char text[400];
                int size = snprintf(
                    text, sizeof(text), "POST /p HTTP/1.1\r\nHost: a\r\n%s\r\n%s\r\n\r\n",
                    order ? lengths[i] : encodings[k], order ? encodings[k] : lengths[i]);
                forwards(text, (size_t)size);
            }
        }
        for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            char text[400];
            int size =
                snprintf(text, sizeof(text), "POST /p HTTP/1.1\r\nHost: a\r\n%s\r\n%s\r\n\r\n",
                         lengths[i], lengths[k]);
            forwards(text, (size_t)size);
        }
    }
}

/* A strict reader of chunks: hex size, CR LF, data, CR LF; no extensions, no trailers. */
static bool read_chunks(const char *text, size_t size, char *body, size_t *out_size)
{
    size_t at = 0;
    *out_size = 0;
    for (;;) {
        const char *end = memmem(text + at, size - at, "\r\n", 2);
        if (!end || end == text + at)
            return false;
        size_t length = 0;
        for (const char *c = text + at; c < end; c++) {
            const char *hex = "0123456789abcdef", *digit = *c ? strchr(hex, *c) : NULL;
            if (!digit)
                return false;
            length = length * 16 + (size_t)(digit - hex);
        }
        at = (size_t)(end - text) + 2;
        if (length == 0)
            return size - at == 2 && memcmp(text + at, "\r\n", 2) == 0;
        if (length + 2 > size - at || memcmp(text + at + length, "\r\n", 2) != 0)
            return false;
        memcpy(body + *out_size, text + at, length);
        *out_size += length;
        at += length + 2;
    }
}

/* Every byte at every place of a chunked body: refused, unfinished, or framed anew so that the
 * other reader sees one body that ends where ours does. */
static void every_byte_at_every_place_of_a_chunked_body(void **state)
{
    static const char chunks[] = "5;a=b\r\nhello\r\n06\r\n world\r\n0\r\nX: y\r\n\r\n";
    static struct buffer_pool pool;
    unsigned forwarded = 0;
    for (size_t at = 0; at < sizeof(chunks); at++) {
        for (unsigned byte = 0; byte < 512; byte++) {
            bool insert = byte < 256;
            struct body_transfer body;
            struct buffer *in = buffer_get(&pool, BUFFER_SMALL),
                          *out = buffer_get(&pool, BUFFER_SMALL);
            char one = (char)byte, seen[256];
            size_t rest = at + (insert ? 0 : 1), size;
            buffer_append(in, chunks, at);
            buffer_append(in, &one, 1);
            if (rest < sizeof(chunks) - 1)
                buffer_append(in, chunks + rest, sizeof(chunks) - 1 - rest);
            body_transfer_init(&body, HTTP_BODY_CHUNKED, 0, true);
            if (body_transfer_move(&body, in, out) == BODY_DONE) {
                forwarded++;
                assert_true(read_chunks(buffer_begin(out), buffer_size(out), seen, &size));
                assert_in_range(size, 10, 13);
            }
            buffer_put(&pool, &in);
            buffer_put(&pool, &out);
        }
    }
    buffer_pool_clear(&pool);
    assert_true(forwarded > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place_of_a_head),
        cmocka_unit_test(conflicting_lengths_never_pass),
        cmocka_unit_test(every_byte_at_every_place_of_a_chunked_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

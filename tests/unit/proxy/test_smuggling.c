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
    bool slash = head.path_length == 0 || (text[head.path] != '/' && text[head.path] != '*');
    assert_int_equal(strlen(seen.target), head.path_length + slash);
    assert_memory_equal(seen.target + slash, text + head.path, head.path_length);
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

/* What a reader who takes everything behind a ';' for an extension, and any line for a trailer,
 * makes of chunks as they come from a client. The size of all of them; 0: no end. */
static size_t read_foreign_chunks(const char *text, size_t size, char *body, size_t *out_size)
{
    size_t at = 0;
    *out_size = 0;
    for (;;) {
        char *rest;
        const char *end = memmem(text + at, size - at, "\r\n", 2);
        unsigned long length = strtoul(text + at, &rest, 16);
        if (!end || rest == text + at || (rest != end && *rest != ';'))
            return 0;
        at = (size_t)(end - text) + 2;
        if (length == 0)
            break;
        if (length + 2 > size - at || memcmp(text + at + length, "\r\n", 2) != 0)
            return 0;
        memcpy(body + *out_size, text + at, length);
        *out_size += length;
        at += length + 2;
    }
    for (;;) {
        const char *end = memmem(text + at, size - at, "\r\n", 2);
        size_t line = at;
        if (!end)
            return 0;
        at = (size_t)(end - text) + 2;
        if (end == text + line)
            return at;
    }
}

/* TEXT as the body of a request: refused or unfinished (false), or framed anew so that both
 * readers, of what came and of what goes on, see the same body, and its end where it is. */
static bool forwards_chunks(struct buffer_pool *pool, const char *text, size_t size)
{
    struct body_transfer body;
    struct buffer *in = buffer_get(pool, BUFFER_SMALL), *out = buffer_get(pool, BUFFER_SMALL);
    char came[512], went[512];
    size_t came_size, went_size;
    buffer_append(in, text, size);
    body_transfer_init(&body, HTTP_BODY_CHUNKED, 0, true);
    bool done = body_transfer_move(&body, in, out) == BODY_DONE;
    if (done) {
        size_t used = size - buffer_size(in);
        assert_true(read_chunks(buffer_begin(out), buffer_size(out), went, &went_size));
        assert_int_equal(read_foreign_chunks(text, size, came, &came_size), used);
        assert_int_equal(came_size, went_size);
        assert_memory_equal(came, went, went_size);
    }
    buffer_put(pool, &in);
    buffer_put(pool, &out);
    return done;
}

/* Every byte at every place of a chunked body: refused, unfinished, or framed anew so that the
 * other reader sees one body that ends where ours does. */
static void every_byte_at_every_place_of_a_chunked_body(void **state)
{
    static const char chunks[] = "5;a=b\r\nhello\r\n06\r\n world\r\n0\r\nX: y\r\n\r\nGET";
    static struct buffer_pool pool;
    unsigned forwarded = 0;
    for (size_t at = 0; at < sizeof(chunks) - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[sizeof(chunks) + 1];
            memcpy(text, chunks, at); /* inserted */
            text[at] = (char)byte;
            memcpy(text + at + 1, chunks + at, sizeof(chunks) - at);
            forwarded += forwards_chunks(&pool, text, sizeof(chunks));
            memcpy(text, chunks, sizeof(chunks)); /* instead of another */
            text[at] = (char)byte;
            forwarded += forwards_chunks(&pool, text, sizeof(chunks) - 1);
        }
    }
    buffer_pool_clear(&pool);
    assert_true(forwarded > 1000);
}

/* Size lines of every shape, alone and behind another chunk. */
static void chunk_sizes_of_every_shape(void **state)
{
    static const struct {
        const char *line;
        bool good;
    } lines[] = {
        {"5", true},
        {"05", true},
        {"0000000000000005", true},
        {"00000000000000005", false},
        {"5;a", true},
        {"5;a;b=c;d=\"\\\"\"", true},
        {"5;", false},
        {"5 ;a", false},
        {"5; a", false},
        {"5;a =b", false},
        {"5;a=\"b", false},
        {"5 ", false},
        {" 5", false},
        {"\t5", false},
        {"+5", false},
        {"-5", false},
        {"0x5", false},
        {"x5", false},
        {"5h", false},
        {"5\r", false},
        {"5\n", false},
        {"5\v", false},
        {"5,5", false},
        {"5.0", false},
        {"\"5\"", false},
        {"", false},
        {"7fffffffffffffff", false}, /* good, but not all here */
        {"8000000000000005", false},
        {"10000000000000005", false},
        {"fffffffffffffffb", false},
    };
    static struct buffer_pool pool;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        for (unsigned second = 0; second < 2; second++) {
            char text[128];
            int size = snprintf(text, sizeof(text), "%s%s\r\nhello\r\n0\r\n\r\nGET",
                                second ? "1\r\nx\r\n" : "", lines[i].line);
            assert_int_equal(forwards_chunks(&pool, text, (size_t)size), lines[i].good);
        }
    }
    buffer_pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place_of_a_head),
        cmocka_unit_test(conflicting_lengths_never_pass),
        cmocka_unit_test(every_byte_at_every_place_of_a_chunked_body),
        cmocka_unit_test(chunk_sizes_of_every_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whatever a member sends: what goes on to a client is one response, and a reader that knows
 * nothing of our parser, and is strict in another way, finds the end of it where we do. */
#include "proxy/body_transfer.h"
#include "proxy/forwarded_head.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    ROOM = 1024
};

enum kind {
    KIND_INVALID,
    KIND_EMPTY,
    KIND_LENGTH,
    KIND_CHUNKED,
    KIND_UNTIL_CLOSE
};

/* What a client makes of the start of a byte stream. */
struct seen {
    int status;
    enum kind kind;
    unsigned long long length;
    size_t head_size;
    bool closes;
};

static bool is_word(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

/* Names are letters, digits and the marks of a token; a value is printable. */
static bool see_field(struct seen *seen, const char *line, size_t size)
{
    size_t name = 0;
    while (name < size && line[name] > ' ' && line[name] < 0x7f &&
           !memchr("\"(),/:;<=>?@[\\]{}", line[name], 17))
        name++;
    if (name == 0 || size < name + 2 || line[name] != ':' || line[name + 1] != ' ')
        return false;
    const char *value = line + name + 2;
    size_t length = size - name - 2;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    if (is_word(line, name, "transfer-encoding")) {
        if (seen->kind != KIND_UNTIL_CLOSE || !is_word(value, length, "chunked"))
            return false;
        seen->kind = KIND_CHUNKED;
    }
    if (is_word(line, name, "content-length")) {
        char digits[24] = "";
        if (seen->kind != KIND_UNTIL_CLOSE || length == 0 || length >= sizeof(digits))
            return false;
        memcpy(digits, value, length);
        if (strspn(digits, "0123456789") != length)
            return false;
        seen->kind = KIND_LENGTH;
        sscanf(digits, "%llu", &seen->length);
    }
    if (is_word(line, name, "connection"))
        seen->closes |= is_word(value, length, "close");
    return true;
}

static struct seen see(const char *text, size_t size, bool to_head)
{
    struct seen seen = {.kind = KIND_UNTIL_CLOSE};
    const struct seen invalid = {0};
    size_t at = 0;
    for (bool first = true;; first = false) {
        const char *end = memmem(text + at, size - at, "\r\n", 2), *line = text + at;
        if (!end)
            return invalid;
        size_t length = (size_t)(end - line);
        if (memchr(line, '\r', length) || memchr(line, '\n', length) || memchr(line, 0, length))
            return invalid;
        at += length + 2;
        if (length == 0 && !first)
            break;
        if (first ? length < 13 || sscanf(line, "HTTP/1.1 %3d ", &seen.status) != 1
                  : !see_field(&seen, line, length))
            return invalid;
    }
    seen.head_size = at;
    bool no_body = seen.status < 200 || seen.status == 204 || seen.status == 304;
    if (seen.status == 204 && seen.kind != KIND_UNTIL_CLOSE)
        return invalid; /* RFC 9110 8.6, RFC 9112 6.1 */
    if (no_body || to_head)
        seen.kind = KIND_EMPTY;
    return seen;
}

/* As exchange_response.c decides it for a client of HTTP/1.1. False: TEXT is refused. */
static bool forwards(const char *text, size_t size, const char *method)
{
    static const enum kind kinds[] = {
        [HTTP_BODY_NONE] = KIND_EMPTY,
        [HTTP_BODY_LENGTH] = KIND_LENGTH,
        [HTTP_BODY_CHUNKED] = KIND_CHUNKED,
        [HTTP_BODY_UNTIL_CLOSE] = KIND_CHUNKED,
    };
    struct http_head head;
    char out[ROOM];
    http_head_init(&head);
    struct bytes asked = {(const uint8_t *)method, strlen(method)};
    if (http_response_parse(&head, text, size, asked) != HTTP_COMPLETE)
        return false;
    bool chunked = head.framing == HTTP_BODY_CHUNKED || head.framing == HTTP_BODY_UNTIL_CLOSE;
    struct forwarded_response response = {
        .head = &head, .buffer = text, .date = "now", .chunked = chunked};
    int built = forwarded_response_build(&response, out, sizeof(out));
    if (built < 0)
        return false;
    struct seen seen = see(out, (size_t)built, strcmp(method, "HEAD") == 0);
    assert_int_equal(seen.head_size, built); /* all of it, and nothing behind it */
    assert_int_equal(seen.status, head.status);
    assert_false(seen.closes);
    if (seen.kind == KIND_LENGTH && seen.length == 0)
        seen.kind = KIND_EMPTY;
    assert_int_equal(seen.kind, kinds[head.framing]);
    if (seen.kind == KIND_LENGTH)
        assert_int_equal(seen.length, head.content_length);
    return true;
}

static const char *const templates[] = {
    "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: x, chunked\r\n\r\n",
    "HTTP/1.1 204 OK\r\nConnection: close, x\r\nContent-Length: 5\r\nX: y\r\n\r\n",
    "HTTP/1.1 304 OK\r\nDate: 0\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 103 Hint\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
};

static void every_byte_at_every_place_of_a_head(void **state)
{
    static const char *const methods[] = {"GET", "HEAD"};
    unsigned forwarded = 0;
    for (size_t t = 0; t < 2 * sizeof(templates) / sizeof(templates[0]); t++) {
        const char *template = templates[t / 2], *method = methods[t % 2];
        size_t size = strlen(template);
        for (size_t at = 0; at <= size; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                char text[256];
                memcpy(text, template, at); /* inserted */
                text[at] = (char)byte;
                memcpy(text + at + 1, template + at, size - at);
                forwarded += forwards(text, size + 1, method);
                memcpy(text, template, size); /* instead of another */
                if (at < size)
                    text[at] = (char)byte;
                forwarded += forwards(text, size, method);
            }
        }
    }
    assert_true(forwarded > 1000);
}

static const char *const spellings[] = {
    "Content-Length: 5",
    "content-length:5",
    "Content-Length: 6",
    "Content-Length: 05",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length:",
    "Content_Length: 6",
    "Content-Length : 6",
    " Content-Length: 6",
    "Transfer-Encoding: chunked",
    "transfer-encoding:\tCHUNKED",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding:",
    "Transfer-Encoding : chunked",
    "Transfer_Encoding: chunked",
    "Connection: content-length",
    "Connection: close, transfer-encoding",
    "Connection: upgrade\r\nUpgrade: websocket",
    "X: y\rContent-Length: 6",
    "X: y\nContent-Length: 6",
    "X: y\r\n\r\nHTTP/1.1 200 OK",
};

/* Two fields that speak of a body's length, in each order, for each kind of status. */
static void two_fields_leave_one_framing(void **state)
{
    static const int statuses[] = {100, 101, 200, 204, 205, 304, 599};
    const size_t count = sizeof(spellings) / sizeof(spellings[0]);
    unsigned forwarded = 0;
    for (size_t i = 0; i < 7 * count * count; i++) {
        const char *one = spellings[i / 7 / count], *two = spellings[i / 7 % count];
        for (int version = 0; version < 2; version++) {
            char text[256];
            int size = snprintf(text, sizeof(text), "HTTP/1.%d %d \xe4\r\n%s\r\n%s\r\n\r\n",
                                version, statuses[i % 7], one, two);
            forwarded += forwards(text, (size_t)size, "GET");
            forwarded += forwards(text, (size_t)size, "HEAD");
        }
    }
    assert_true(forwarded > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_at_every_place_of_a_head),
        cmocka_unit_test(two_fields_leave_one_framing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Requests. Which test proves which rule of HTTP/1.1, here and in the neighbours:
 *
 * start line (RFC 9112 3)             good, bad: rows that begin with a start line
 * limits of target, head, fields      limits_hold_in_any_segmentation
 * Host (3.2), absolute form           good, bad; the_absolute_form_gives_a_path
 * lines and fields (2.2, 5.1, 5.2)    bad: from the bare LF to the folded field
 * lengths and codings (6.1-6.3)       good, bad: POST; proxy/test_smuggling
 * Expect (RFC 9110 10.1.1)            bad: 417; proxy/test_proxy
 * segmentation makes no difference    the four tests after the tables, and the neighbours'
 * chunks (RFC 9112 7.1)               test_http_chunked, proxy/test_body_transfer
 * responses (4, 6.3)                  test_http_response
 * hop-by-hop fields (RFC 9110 7.6)    proxy/test_forwarded_head
 * TRACE, CONNECT, Max-Forwards        proxy/test_proxy, proxy/test_forwarded_head
 * Upgrade, 1xx, pipelining, HTTP/1.0  proxy/test_proxy, proxy/test_request_scripts
 * nothing answers another request     proxy/test_response_scripts, proxy/test_splitting
 * every byte in every place           proxy/test_smuggling
 * slow heads and bodies               proxy/test_timeouts
 */
#include "lbnode/http/http_head.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

static const struct {
    const char *head;
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive;
} good[] = {
    {GET "\r\n", HTTP_BODY_NONE, 0, true},
    {"\r\n\r\n" GET "\r\n", HTTP_BODY_NONE, 0, true},
    {GET "Connection: close\r\n\r\n", HTTP_BODY_NONE, 0, false},
    {GET "Connection: x, Close\r\n\r\n", HTTP_BODY_NONE, 0, false},
    {"GET / HTTP/1.0\r\n\r\n", HTTP_BODY_NONE, 0, false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", HTTP_BODY_NONE, 0, false},
    {GET "Connection: close\r\nConnection: keep-alive\r\n\r\n", HTTP_BODY_NONE, 0, false},
    {"GET / HTTP/1.7\r\nHost: a\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET http://a/x?y HTTP/1.1\r\nHost: A:80\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET https://a HTTP/1.1\r\nHost: a:443\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET / HTTP/1.1\r\nhost:\t a \t\r\nX:\r\nY: \xc3\xa4\t.\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {POST "Content-Length: 10\r\n\r\n", HTTP_BODY_LENGTH, 10, true},
    {POST "Content-Length: 0\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {POST "Content-Length: 9223372036854775807\r\n\r\n", HTTP_BODY_LENGTH, INT64_MAX, true},
    {POST "\r\n", HTTP_BODY_NONE, 0, true},
    {POST "Transfer-Encoding: chunked\r\n\r\n", HTTP_BODY_CHUNKED, 0, true},
    {POST "transfer-encoding:CHUNKED\r\n\r\n", HTTP_BODY_CHUNKED, 0, true},
};

static const struct {
    const char *head;
    int status;
} bad[] = {
    {"\r\n\r\n\r\n" GET "\r\n", 400},
    {"\x16\x03\x01", 400},
    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
    {"GET /\r\n\r\n", 400},
    {"G(T / HTTP/1.1\r\n\r\n", 400},
    {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /{a} HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
    {"PRI * HTTP/2.0\r\n\r\n", 505},
    {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {GET "X: a\rb\r\n\r\n", 400},
    {GET "X: a\x01\r\n\r\n", 400},
    {GET "X: a\x7f\r\n\r\n", 400},
    {GET "X : a\r\n\r\n", 400},
    {GET ": a\r\n\r\n", 400},
    {GET "X\r\n\r\n", 400},
    {GET " folded\r\n\r\n", 400},
    {GET "X: a\r\n\tfolded\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {GET "Host: a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::z]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
    {POST "Content-Length: +1\r\n\r\n", 400},
    {POST "Content-Length: -1\r\n\r\n", 400},
    {POST "Content-Length: 1 1\r\n\r\n", 400},
    {POST "Content-Length: 0x1\r\n\r\n", 400},
    {POST "Content-Length: 1,1\r\n\r\n", 400},
    {POST "Content-Length:\r\n\r\n", 400},
    {POST "Content-Length: 9223372036854775808\r\n\r\n", 400},
    {POST "Content-Length: 99999999999999999999\r\n\r\n", 400},
    {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
    {POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: ,chunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked,\r\n\r\n", 400},
    {POST "Transfer-Encoding:\r\n\r\n", 400},
    {POST "Transfer-Encoding: xchunked\r\n\r\n", 400},
    {POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
    {POST "Transfer-Encoding: identity\r\n\r\n", 400},
    {POST "Content-Length: 5\r\nExpect: miracles\r\n\r\n", 417},
};

/* The result of feeding TEXT in steps of STEP bytes; each step sees an exact allocation, so
 * that a sanitizer notices a read beyond it. */
static enum http_parse_result
feed(struct http_head *head, const char *text, size_t size, size_t step)
{
    enum http_parse_result result = HTTP_NEED_MORE;
    http_head_init(head);
    for (size_t length = step; result == HTTP_NEED_MORE; length += step) {
        size_t given = length < size ? length : size;
        char *exact = malloc(given);
        memcpy(exact, text, given);
        result = http_request_parse(head, exact, given);
        free(exact);
        if (given == size)
            break;
    }
    return result;
}

static void good_heads_are_accepted_in_any_segmentation(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        size_t size = strlen(good[i].head);
        for (size_t step = 1; step <= size; step++) {
            struct http_head head;
            assert_int_equal(feed(&head, good[i].head, size, step), HTTP_COMPLETE);
            assert_int_equal(head.size, size);
            assert_int_equal(head.framing, good[i].framing);
            assert_int_equal(head.content_length, good[i].content_length);
            assert_int_equal(head.keep_alive, good[i].keep_alive);
        }
    }
}

static void bad_heads_are_refused_in_any_segmentation(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        size_t size = strlen(bad[i].head);
        for (size_t step = 1; step <= size; step++) {
            struct http_head head;
            assert_int_equal(feed(&head, bad[i].head, size, step), HTTP_BAD);
            assert_int_equal(head.error_status, bad[i].status);
            assert_non_null(head.error);
        }
    }
}

/* TEXT in three pieces that end at FIRST, SECOND and SIZE; all of HEAD is defined. */
static void
feed_pieces(struct http_head *head, const char *text, size_t first, size_t second, size_t size)
{
    const size_t ends[] = {first, second, size};
    enum http_parse_result result = HTTP_NEED_MORE;
    memset(head, 0, sizeof(*head));
    http_head_init(head);
    for (size_t i = 0; i < ARRAY_LENGTH(ends) && result == HTTP_NEED_MORE; i++)
        result = http_request_parse(head, text, ends[i]);
}

static void assert_splits_make_no_difference(const char *text)
{
    size_t size = strlen(text);
    struct http_head whole, split;
    feed_pieces(&whole, text, size, size, size);
    for (size_t second = 0; second <= size; second++) {
        for (size_t first = 0; first <= second; first++) {
            feed_pieces(&split, text, first, second, size);
            if (whole.error_status != 0) /* how far it looked may differ */
                assert_int_equal(split.error_status, whole.error_status);
            else
                assert_memory_equal(&split, &whole, sizeof(whole));
        }
    }
}

static void any_two_splits_give_the_same_head(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_splits_make_no_difference(good[i].head);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_splits_make_no_difference(bad[i].head);
}

static void every_proper_prefix_of_a_good_head_needs_more(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        for (size_t size = 1; size < strlen(good[i].head); size++) {
            struct http_head head;
            assert_int_equal(feed(&head, good[i].head, size, size), HTTP_NEED_MORE);
        }
    }
}

static void fields_are_found_by_id_and_by_name(void **state)
{
    static const char text[] =
        "GET /p?q HTTP/1.1\r\nHoSt: example.org:8080 \r\nx-ODD:  v 1 \r\n"
        "Connection: keep-alive, X-Odd\r\nX_Y: 1\r\n"
        "X-SSL-Client-CN: me\r\n\r\nrest";
    struct http_head head;
    http_head_init(&head);
    assert_int_equal(http_request_parse(&head, text, sizeof(text) - 1), HTTP_COMPLETE);
    assert_int_equal(head.size, sizeof(text) - 1 - 4);
    const struct http_field *host = http_head_field(&head, HTTP_FIELD_HOST);
    assert_non_null(host);
    assert_memory_equal(text + host->value, "example.org:8080", host->value_length);
    const struct http_field *odd = http_head_field_named(&head, text, "X-Odd");
    assert_non_null(odd);
    assert_int_equal(odd->value_length, 3);
    assert_memory_equal(text + odd->value, "v 1", 3);
    assert_true(head.nominates);
    const struct http_field *connection = http_head_field(&head, HTTP_FIELD_CONNECTION);
    assert_true(http_field_has_token(text, connection, "x-odd"));
    assert_false(http_field_has_token(text, connection, "x-od"));
    assert_non_null(http_head_field(&head, HTTP_FIELD_UNDERSCORE));
    assert_non_null(http_head_field(&head, HTTP_FIELD_X_SSL_CLIENT));
    assert_null(http_head_field(&head, HTTP_FIELD_DATE));
    assert_true(http_text_is(http_head_text(text, head.target, head.target_length), "/p?q"));
}

static void the_absolute_form_gives_a_path(void **state)
{
    static const char text[] = "GET http://a:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_head head;
    http_head_init(&head);
    assert_int_equal(http_request_parse(&head, text, sizeof(text) - 1), HTTP_COMPLETE);
    assert_true(http_text_is(http_head_text(text, head.path, head.path_length), "/x?y"));
}

/* A request whose PART (before FILL, COUNT times, behind) is oversized. */
static int
status_of(const char *before, const char *fill, size_t count, const char *behind, size_t step)
{
    static char text[200000];
    size_t size = (size_t)snprintf(text, sizeof(text), "%s", before);
    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", fill);
    size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", behind);
    struct http_head head;
    return feed(&head, text, size, step) == HTTP_BAD ? head.error_status : 0;
}

static void limits_hold_in_any_segmentation(void **state)
{
    static const char end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
    static const size_t steps[] = {1, 7, 1000, 200000};
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        assert_int_equal(status_of("GET /", "a", 8191, end, steps[i]), 0);
        assert_int_equal(status_of("GET /", "a", 8192, end, steps[i]), 414);
        assert_int_equal(status_of("GET /", "a", 100000, end, steps[i]), 414);
        assert_int_equal(status_of(GET, "X: 1\r\n", 95, "\r\n", steps[i]), 0);
        assert_int_equal(status_of(GET, "X: 1\r\n", 96, "\r\n", steps[i]), 431);
        assert_int_equal(status_of(GET, "n", 256, ": 1\r\n\r\n", steps[i]), 0);
        assert_int_equal(status_of(GET, "n", 257, ": 1\r\n\r\n", steps[i]), 431);
        size_t most = 65536 - strlen(GET "X: \r\n\r\n");
        assert_int_equal(status_of(GET "X: ", "v", most, "\r\n\r\n", steps[i]), 0);
        assert_int_equal(status_of(GET "X: ", "v", most + 1, "\r\n\r\n", steps[i]), 431);
        assert_int_equal(status_of(GET "X: ", "v", 100000, "", steps[i]), 431);
        assert_int_equal(status_of("", "M", 32, " / HTTP/1.1\r\nHost: a\r\n\r\n", steps[i]), 0);
        assert_int_equal(status_of("", "M", 33, " / HTTP/1.1\r\nHost: a\r\n\r\n", steps[i]),
                         400);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_heads_are_accepted_in_any_segmentation),
        cmocka_unit_test(bad_heads_are_refused_in_any_segmentation),
        cmocka_unit_test(any_two_splits_give_the_same_head),
        cmocka_unit_test(every_proper_prefix_of_a_good_head_needs_more),
        cmocka_unit_test(fields_are_found_by_id_and_by_name),
        cmocka_unit_test(the_absolute_form_gives_a_path),
        cmocka_unit_test(limits_hold_in_any_segmentation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

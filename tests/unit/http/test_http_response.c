#include "lbnode/http/http_head.h"
#include "tests/support/test.h"

#include <string.h>

static const struct {
    const char *method, *head;
    enum http_framing framing;
    uint64_t content_length;
    bool keep_alive;
} good[] = {
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_BODY_LENGTH, 5, true},
    {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 200 \r\n\r\n", HTTP_BODY_UNTIL_CLOSE, 0, false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_BODY_LENGTH, 5, false},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
     HTTP_BODY_LENGTH, 5, true},
    {"GET", "HTTP/1.0 200 OK\r\n\r\n", HTTP_BODY_UNTIL_CLOSE, 0, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BODY_CHUNKED, 0,
     true},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n",
     HTTP_BODY_CHUNKED, 0, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
     HTTP_BODY_UNTIL_CLOSE, 0, false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", HTTP_BODY_CHUNKED, 0,
     true},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", HTTP_BODY_UNTIL_CLOSE, 0,
     false},
    {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
     HTTP_BODY_CHUNKED, 5, false},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
     HTTP_BODY_LENGTH, 5, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_BODY_NONE, 5, true},
    {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", HTTP_BODY_NONE, 5, true},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"CONNECT", "HTTP/1.1 200 OK\r\n\r\n", HTTP_BODY_NONE, 0, true},
    {"GET", "HTTP/1.1 599 \xe4\r\nContent-Length: 1\r\nConnection: close\r\n\r\n",
     HTTP_BODY_LENGTH, 1, false},
};

static const char *const bad[] = {
    "HTTP/2.0 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\n\r\n",
    "HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "HTTP/1.1 204 OK\r\nContent-Length: a\r\n\r\n",
    "\x01",
};

static struct bytes view(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static enum http_parse_result
feed(struct http_head *head, const char *text, const char *method, size_t step)
{
    enum http_parse_result result = HTTP_NEED_MORE;
    size_t size = strlen(text);
    http_head_init(head);
    for (size_t given = 0; result == HTTP_NEED_MORE && given < size;) {
        given = given + step < size ? given + step : size;
        result = http_response_parse(head, text, given, view(method));
    }
    return result;
}

static void framing_follows_rfc_9112_section_6(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        for (size_t step = 1; step <= strlen(good[i].head); step++) {
            struct http_head head;
            assert_int_equal(feed(&head, good[i].head, good[i].method, step), HTTP_COMPLETE);
            assert_int_equal(head.size, strlen(good[i].head));
            assert_int_equal(head.framing, good[i].framing);
            assert_int_equal(head.content_length, good[i].content_length);
            assert_int_equal(head.keep_alive, good[i].keep_alive);
        }
    }
}

static void feed_pieces(
    struct http_head *head, const char *text, const char *method, size_t first, size_t second)
{
    const size_t ends[] = {first, second, strlen(text)};
    enum http_parse_result result = HTTP_NEED_MORE;
    memset(head, 0, sizeof(*head));
    http_head_init(head);
    for (size_t i = 0; i < ARRAY_LENGTH(ends) && result == HTTP_NEED_MORE; i++)
        result = http_response_parse(head, text, ends[i], view(method));
}

static void assert_splits_make_no_difference(const char *text, const char *method)
{
    size_t size = strlen(text);
    struct http_head whole, split;
    feed_pieces(&whole, text, method, size, size);
    for (size_t second = 0; second <= size; second++) {
        for (size_t first = 0; first <= second; first++) {
            feed_pieces(&split, text, method, first, second);
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
        assert_splits_make_no_difference(good[i].head, good[i].method);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_splits_make_no_difference(bad[i], "GET");
}

static void malformed_responses_are_bad_gateways(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        for (size_t step = 1; step <= strlen(bad[i]); step++) {
            struct http_head head;
            assert_int_equal(feed(&head, bad[i], "GET", step), HTTP_BAD);
            assert_int_equal(head.error_status, 502);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_follows_rfc_9112_section_6),
        cmocka_unit_test(any_two_splits_give_the_same_head),
        cmocka_unit_test(malformed_responses_are_bad_gateways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

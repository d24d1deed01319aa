#include "lbnode/http/http_message.h"
#include "tests/support/test.h"

#include <string.h>

static enum http_parse_result feed(struct http_message *message, const char *text)
{
    return http_message_feed(message, text, strlen(text));
}

static void pipelined_requests_are_read_one_after_another(void **state)
{
    struct http_message message;
    http_message_init(&message, NULL, 100);
    assert_int_equal(
        feed(&message, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab"),
        HTTP_NEED_MORE);
    assert_int_equal(feed(&message, "cPUT /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked"
                                    "\r\n\r\n2\r\nxy\r\n1\r\nz\r\n0\r\n\r\nGET /3"),
                     HTTP_COMPLETE);
    assert_string_equal(text_string(&message.body), "abc");
    assert_int_equal(http_message_next(&message), HTTP_COMPLETE);
    assert_string_equal(text_string(&message.body), "xyz");
    assert_int_equal(http_message_next(&message), HTTP_NEED_MORE);
    assert_int_equal(feed(&message, " HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP_COMPLETE);
    assert_string_equal(text_string(&message.body), "");
    http_message_free(&message);
}

static void bodies_beyond_the_limit_are_413(void **state)
{
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
        struct http_message message;
        http_message_init(&message, NULL, 10);
        assert_int_equal(feed(&message, requests[i]), HTTP_BAD);
        assert_int_equal(message.error_status, 413);
        http_message_free(&message);
    }
}

static void a_response_may_last_until_close(void **state)
{
    struct http_message message;
    http_message_init(&message, "GET", 100);
    assert_int_equal(feed(&message, "HTTP/1.0 200 OK\r\n\r\nhel"), HTTP_NEED_MORE);
    assert_int_equal(feed(&message, "lo"), HTTP_NEED_MORE);
    assert_int_equal(http_message_end(&message), HTTP_COMPLETE);
    assert_string_equal(text_string(&message.body), "hello");
    http_message_free(&message);
}

static void a_response_cut_short_is_bad(void **state)
{
    struct http_message message;
    http_message_init(&message, "GET", 100);
    assert_int_equal(feed(&message, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
                     HTTP_NEED_MORE);
    assert_int_equal(http_message_end(&message), HTTP_BAD);
    http_message_free(&message);
}

static void a_response_to_head_has_no_body(void **state)
{
    struct http_message message;
    http_message_init(&message, "HEAD", 100);
    assert_int_equal(feed(&message, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                     HTTP_COMPLETE);
    http_message_free(&message);
}

static void interim_responses_are_skipped(void **state)
{
    struct http_message message;
    http_message_init(&message, "GET", 100);
    assert_int_equal(feed(&message, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                                    "Content-Length: 1\r\n\r\nx"),
                     HTTP_COMPLETE);
    assert_int_equal(message.head.status, 200);
    assert_string_equal(text_string(&message.body), "x");
    http_message_free(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_requests_are_read_one_after_another),
        cmocka_unit_test(bodies_beyond_the_limit_are_413),
        cmocka_unit_test(a_response_may_last_until_close),
        cmocka_unit_test(a_response_cut_short_is_bad),
        cmocka_unit_test(a_response_to_head_has_no_body),
        cmocka_unit_test(interim_responses_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "proxy/forwarded_head.h"

#include "lbnode/model/snapshot.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static char out[4096];

/* What goes to the member for the request TEXT, or the negative status. */
static int forward(const char *text, uint32_t insert_headers)
{
    struct http_head head;
    struct forwarded_request request = {
        .head = &head,
        .buffer = text,
        .insert_headers = insert_headers,
        .client = {4, {192, 0, 2, 7}},
        .local = {{4, {10, 0, 0, 1}}, 8080},
    };
    http_head_init(&head);
    assert_int_equal(http_request_parse(&head, text, strlen(text)), HTTP_COMPLETE);
    int size = forwarded_request_build(&request, out, sizeof(out) - 1);
    out[size > 0 ? size : 0] = '\0';
    return size;
}

#define EXPECT_REQUEST(text, insert, expected)                                                 \
    do {                                                                                       \
        assert_true(forward(text, insert) > 0);                                                \
        assert_string_equal(out, expected);                                                    \
    } while (0)

static void respond(const char *text, struct forwarded_response response)
{
    struct http_head head;
    http_head_init(&head);
    assert_int_equal(http_response_parse(&head, text, strlen(text),
                                         (struct bytes){(const uint8_t *)"GET", 3}),
                     HTTP_COMPLETE);
    response.head = &head;
    response.buffer = text;
    int size = forwarded_response_build(&response, out, sizeof(out) - 1);
    assert_true(size > 0);
    out[size] = '\0';
}

static void other_fields_pass_without_the_blanks_around_them(void **state)
{
    EXPECT_REQUEST(
        "GET /x?y HTTP/1.1\r\nHost:\ta\r\nX-Odd: \t v \r\nX-None:\r\nCookie:a=b\r\n\r\n", 0,
        "GET /x?y HTTP/1.1\r\nHost: a\r\nX-Odd: v\r\nX-None: \r\nCookie: a=b\r\n"
        "\r\n");
}

static void fields_of_one_hop_are_dropped(void **state)
{
    EXPECT_REQUEST("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nx-hop: 1\r\n"
                   "Keep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\n"
                   "TE: trailers\r\nTrailer: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
                   0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void each_field_of_one_hop_is_dropped_both_ways(void **state)
{
    static const char *const names[] = {
        "Connection",
        "HTTP2-Settings",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "x-nominated",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "GET / HTTP/1.1\r\nHost: a\r\n%s: y\r\nConnection: X-Nominated\r\n\r\n",
                 names[i]);
        EXPECT_REQUEST(text, 0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nConnection: X-Nominated\r\n%s: y\r\n\r\n", names[i]);
        respond(text, (struct forwarded_response){0});
        assert_string_equal(out, "HTTP/1.1 200 OK\r\n\r\n");
    }
}

static void names_that_members_confuse_are_dropped(void **state)
{
    EXPECT_REQUEST("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\n"
                   "X-SSL-Client-CN: me\r\nX-Forwarded-For: 6.6.6.6\r\n"
                   "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n\r\n",
                   0, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void inserted_fields_append_or_replace(void **state)
{
    EXPECT_REQUEST("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n"
                   "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n\r\n",
                   SNAPSHOT_INSERT_FORWARDED_FOR | SNAPSHOT_INSERT_FORWARDED_PORT |
                       SNAPSHOT_INSERT_FORWARDED_PROTO,
                   "GET / HTTP/1.1\r\nHost: a\r\n"
                   "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.7\r\n"
                   "X-Forwarded-Port: 8080\r\nX-Forwarded-Proto: http\r\n\r\n");
}

static void an_empty_list_of_addresses_is_none(void **state)
{
    EXPECT_REQUEST("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For:\r\n\r\n",
                   SNAPSHOT_INSERT_FORWARDED_FOR,
                   "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
}

static void the_absolute_form_becomes_the_origin_form(void **state)
{
    EXPECT_REQUEST("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "GET /?q HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("OPTIONS http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", 0,
                   "OPTIONS /?q HTTP/1.1\r\nHost: a\r\n\r\n");
}

static void hops_of_options_are_counted_down_and_of_others_left_alone(void **state)
{
    struct http_head head;
    static const char options[] = "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n";
    http_head_init(&head);
    assert_int_equal(http_request_parse(&head, options, strlen(options)), HTTP_COMPLETE);
    assert_int_equal(forwarded_hops(&head, options), 10);
    struct forwarded_request request = {
        .head = &head, .buffer = options, .hop_counted = true, .hops_left = 9};
    int size = forwarded_request_build(&request, out, sizeof(out) - 1);
    out[size] = '\0';
    assert_string_equal(out, "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 9\r\n\r\n");
    static const char *const uncounted[] = {
        "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 10\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1x\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 9999999999\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(uncounted) / sizeof(uncounted[0]); i++) {
        http_head_init(&head);
        assert_int_equal(http_request_parse(&head, uncounted[i], strlen(uncounted[i])),
                         HTTP_COMPLETE);
        assert_int_equal(forwarded_hops(&head, uncounted[i]), -1);
        EXPECT_REQUEST(uncounted[i], 0, uncounted[i]);
    }
}

static void http_1_0_requests_get_a_host(void **state)
{
    EXPECT_REQUEST("GET http://b:81/x HTTP/1.0\r\n\r\n", 0,
                   "GET /x HTTP/1.1\r\nHost: b:81\r\n\r\n");
    EXPECT_REQUEST("GET HTTPS://b?x HTTP/1.0\r\n\r\n", 0,
                   "GET /?x HTTP/1.1\r\nHost: b\r\n\r\n");
    EXPECT_REQUEST("GET / HTTP/1.0\r\n\r\n", 0,
                   "GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n");
}

static void without_a_body_nothing_is_expected(void **state)
{
    EXPECT_REQUEST("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", 0,
                   "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_REQUEST("PUT / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n"
                   "Expect: 100-continue\r\n\r\n",
                   0, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
}

static void bodies_keep_their_kind_of_framing(void **state)
{
    EXPECT_REQUEST("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                   "Expect: 100-continue\r\n\r\n",
                   0,
                   "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                   "Expect: 100-continue\r\n\r\n");
    EXPECT_REQUEST("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", 0,
                   "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void a_client_cannot_have_framing_or_rights_dropped(void **state)
{
    static const char *const protected[] = {"Content-Length", "x, cookie", "host, close",
                                            "Authorization", "keep-alive,\tTransfer-Encoding"};
    for (size_t i = 0; i < sizeof(protected) / sizeof(protected[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nConnection: %s\r\n\r\n",
                 protected[i]);
        assert_int_equal(forward(text, 0), -400);
    }
}

static void too_small_a_buffer_is_reported(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http_head head;
    struct forwarded_request request = {.head = &head, .buffer = text};
    http_head_init(&head);
    assert_int_equal(http_request_parse(&head, text, strlen(text)), HTTP_COMPLETE);
    for (size_t size = 0; size < strlen(text); size++)
        assert_int_equal(forwarded_request_build(&request, out, size), -431);
}

static void responses_lose_hop_fields_and_gain_a_date(void **state)
{
    respond("HTTP/1.0 200 Fine\r\nServer: s\r\nKeep-Alive: 5\r\nConnection: X-A\r\nX-A: 1\r\n"
            "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
            (struct forwarded_response){.date = "now", .connection = FORWARDED_CLOSE});
    assert_string_equal(out, "HTTP/1.1 200 Fine\r\nServer: s\r\nContent-Length: 3\r\n"
                             "Date: now\r\nConnection: close\r\n\r\n");
}

static void chunked_responses_lose_a_length(void **state)
{
    respond("HTTP/1.1 200\r\nDate: then\r\nTransfer-Encoding: chunked\r\n"
            "Content-Length: 3\r\n\r\n",
            (struct forwarded_response){.date = "now", .chunked = true});
    assert_string_equal(out,
                        "HTTP/1.1 200 \r\nDate: then\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/* Also where neither frames anything, as in a 304: what it would have been is in doubt. */
static void a_length_beside_a_coding_is_believed_nowhere(void **state)
{
    respond("HTTP/1.1 304 N\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            (struct forwarded_response){0});
    assert_string_equal(out, "HTTP/1.1 304 N\r\n\r\n");
    respond("HTTP/1.1 304 N\r\nContent-Length: 3\r\n\r\n", (struct forwarded_response){0});
    assert_string_equal(out, "HTTP/1.1 304 N\r\nContent-Length: 3\r\n\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_fields_pass_without_the_blanks_around_them),
        cmocka_unit_test(fields_of_one_hop_are_dropped),
        cmocka_unit_test(each_field_of_one_hop_is_dropped_both_ways),
        cmocka_unit_test(names_that_members_confuse_are_dropped),
        cmocka_unit_test(inserted_fields_append_or_replace),
        cmocka_unit_test(an_empty_list_of_addresses_is_none),
        cmocka_unit_test(the_absolute_form_becomes_the_origin_form),
        cmocka_unit_test(hops_of_options_are_counted_down_and_of_others_left_alone),
        cmocka_unit_test(http_1_0_requests_get_a_host),
        cmocka_unit_test(without_a_body_nothing_is_expected),
        cmocka_unit_test(bodies_keep_their_kind_of_framing),
        cmocka_unit_test(a_client_cannot_have_framing_or_rights_dropped),
        cmocka_unit_test(too_small_a_buffer_is_reported),
        cmocka_unit_test(responses_lose_hop_fields_and_gain_a_date),
        cmocka_unit_test(chunked_responses_lose_a_length),
        cmocka_unit_test(a_length_beside_a_coding_is_believed_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

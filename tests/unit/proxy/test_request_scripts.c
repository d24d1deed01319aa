/* What a member gets for what a client sends, byte by byte; and what becomes of both when one
 * of them leaves in the middle. */
#include "tests/support/test.h"
#include "tests/unit/proxy/script.h"

#define DATE   "Date: then\r\n"
#define OK     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\n\r\nok"
#define BAD    "HTTP/1.1 400 Bad Request\r\n"
#define CHUNKS "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct script_step chunks_reach_the_member_framed_anew[] = {
    {CLIENT_SAYS,
     "POST / HTTP/1.1\r\n" CHUNKS "4;x=\"y\"\r\nWiki\r\n05\r\npedia\r\n000\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\n" CHUNKS "4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {SCRIPT_END},
};

static const struct script_step trailers_stay_here_whatever_they_name[] = {
    {CLIENT_SAYS, "POST / HTTP/1.1\r\n" CHUNKS "1\r\nx\r\n0\r\nContent-Length: 9\r\n"
                  "Transfer-Encoding: gzip\r\nHost: b\r\nX: y\r\n\r\nGET /2 HTTP/1.1\r\n"
                  "Host: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\n" CHUNKS "1\r\nx\r\n0\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {MEMBER_HEARS, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {SCRIPT_END},
};

static const struct script_step a_body_ends_where_its_length_says[] = {
    {CLIENT_SAYS, "\r\nPOST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n0\r\n"
                  "\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
                  "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n0\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {MEMBER_HEARS, "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {MEMBER_HEARS, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {SCRIPT_END},
};

static const struct script_step pipelined_requests_go_to_members_in_turn[] = {
    {CLIENT_SAYS, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"
                  "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {OTHER_ACCEPTS},
    {OTHER_HEARS, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {OTHER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {MEMBER_HEARS, "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {SCRIPT_END},
};

static const struct script_step nothing_is_read_behind_a_bad_request[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                  "Transfer-Encoding: chunked\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK BAD "Content-Type: text/html\r\nContent-Length: 51\r\n"
                          "Cache-Control: no-cache\r\nConnection: close\r\n\r\n"
                          "<html><body><h1>400 Bad Request</h1></body></html>\n"},
    {CLIENT_MEETS_END},
    {SCRIPT_END},
};

static const struct script_step what_follows_a_close_is_not_read[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                  "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\n\r\nok"},
    {CLIENT_HEARS,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\nConnection: close\r\n\r\nok"},
    {CLIENT_MEETS_END},
    {SCRIPT_END},
};

static const struct script_step a_bad_chunk_ends_both_sides[] = {
    {CLIENT_SAYS, "POST / HTTP/1.1\r\n" CHUNKS "1\r\nx\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\n" CHUNKS "1\r\nx\r\n"},
    {CLIENT_SAYS, "1 \r\ny\r\n0\r\n\r\n"},
    {CLIENT_HEARS, BAD},
    {MEMBER_MEETS_RESET},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step a_client_that_ends_in_its_body_ends_no_chunks[] = {
    {CLIENT_SAYS, "POST / HTTP/1.1\r\n" CHUNKS "3\r\nab"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\n" CHUNKS "2\r\nab\r\n"},
    {CLIENT_ENDS},
    {MEMBER_MEETS_RESET},
    {CLIENT_MEETS_RESET},
    {SCRIPT_END},
};

static const struct script_step a_client_that_goes_away_takes_its_request_along[] = {
    {CLIENT_SAYS, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"},
    {CLIENT_RESETS},
    {MEMBER_MEETS_RESET},
    {SCRIPT_END},
};

static const struct script_step old_clients_are_spoken_for_in_http_1_1[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\nExpect: x\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok"},
    {CLIENT_SAYS, "POST /2 HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
    {MEMBER_HEARS, "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\nConnection: close\r\n\r\nok"},
    {CLIENT_MEETS_END},
    {SCRIPT_END},
};

static const struct script_step old_clients_never_upgrade[] = {
    {CLIENT_SAYS, "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\n"
                  "Upgrade: websocket\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {SCRIPT_END},
};

static const struct script_step only_websocket_without_a_body_may_upgrade[] = {
    {CLIENT_SAYS, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {CLIENT_SAYS, "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"},
    {MEMBER_HEARS, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {CLIENT_SAYS, "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                  "Upgrade: websocket\r\nContent-Length: 1\r\n\r\nx"},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
    {SCRIPT_END},
};

#define UPGRADE                                                                                \
    "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\nConnection: upgrade\r\n"             \
    "Upgrade: websocket\r\n\r\n"

static const struct script_step an_upgrade_joins_both_sides_with_what_came_early[] = {
    {CLIENT_SAYS, UPGRADE "early"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, UPGRADE},
    {MEMBER_SAYS, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Accept: s\r\n\r\nhello"},
    {CLIENT_HEARS, "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s\r\n"
                   "Connection: upgrade\r\nUpgrade: websocket\r\n\r\nhello"},
    {MEMBER_HEARS, "early"},
    {CLIENT_SAYS, "\x81\x01x"},
    {MEMBER_HEARS, "\x81\x01x"},
    {MEMBER_CLOSES},
    {CLIENT_MEETS_END},
    {SCRIPT_END},
};

static const struct script_step behind_a_refused_upgrade_comes_the_next_request[] = {
    {CLIENT_SAYS, UPGRADE "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, UPGRADE},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {MEMBER_HEARS, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {SCRIPT_END},
};

#define EXPECTING                                                                              \
    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static const struct script_step the_body_follows_the_members_100[] = {
    {CLIENT_SAYS, EXPECTING},  {MEMBER_ACCEPTS},
    {MEMBER_HEARS, EXPECTING}, {MEMBER_SAYS, CONTINUE},
    {CLIENT_HEARS, CONTINUE},  {CLIENT_SAYS, "ab"},
    {MEMBER_HEARS, "ab"},      {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},        {SCRIPT_END},
};

static const struct script_step a_client_need_not_wait_for_the_100[] = {
    {CLIENT_SAYS, EXPECTING "ab"},  {MEMBER_ACCEPTS},
    {MEMBER_HEARS, EXPECTING "ab"}, {MEMBER_SAYS, CONTINUE OK},
    {CLIENT_HEARS, CONTINUE OK},    {SCRIPT_END},
};

static const struct script_step an_expecting_request_is_repeated_with_its_body[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {CLIENT_SAYS, EXPECTING "a"},
    {MEMBER_HEARS, EXPECTING "a"},
    {MEMBER_CLOSES},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, EXPECTING "a"},
    {MEMBER_SAYS, CONTINUE},
    {CLIENT_HEARS, CONTINUE},
    {CLIENT_SAYS, "b"},
    {MEMBER_HEARS, "b"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {SCRIPT_END},
};

static const struct script_step a_request_that_may_do_harm_is_not_repeated[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {CLIENT_SAYS, "POST /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_HEARS, "POST /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_CLOSES},
    {CLIENT_HEARS, "HTTP/1.1 502 Bad Gateway\r\n"},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step after_the_first_byte_nothing_is_repeated[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS, OK},
    {CLIENT_SAYS, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_HEARS, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {MEMBER_SAYS, "H"},
    {MEMBER_CLOSES},
    {CLIENT_HEARS, "HTTP/1.1 502 Bad Gateway\r\n"},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step the_target_names_the_host_of_an_old_request[] = {
    {CLIENT_SAYS, "GET http://b:8080/x HTTP/1.0\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "GET /x HTTP/1.1\r\nHost: b:8080\r\n\r\n"},
    {SCRIPT_END},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT_TEST(chunks_reach_the_member_framed_anew),
        SCRIPT_TEST(trailers_stay_here_whatever_they_name),
        SCRIPT_TEST(a_body_ends_where_its_length_says),
        SCRIPT_TEST(pipelined_requests_go_to_members_in_turn),
        SCRIPT_TEST(nothing_is_read_behind_a_bad_request),
        SCRIPT_TEST(what_follows_a_close_is_not_read),
        SCRIPT_TEST(a_bad_chunk_ends_both_sides),
        SCRIPT_TEST(a_client_that_ends_in_its_body_ends_no_chunks),
        SCRIPT_TEST(a_client_that_goes_away_takes_its_request_along),
        SCRIPT_TEST(old_clients_are_spoken_for_in_http_1_1),
        SCRIPT_TEST(old_clients_never_upgrade),
        SCRIPT_TEST(only_websocket_without_a_body_may_upgrade),
        SCRIPT_TEST(an_upgrade_joins_both_sides_with_what_came_early),
        SCRIPT_TEST(behind_a_refused_upgrade_comes_the_next_request),
        SCRIPT_TEST(the_body_follows_the_members_100),
        SCRIPT_TEST(a_client_need_not_wait_for_the_100),
        SCRIPT_TEST(an_expecting_request_is_repeated_with_its_body),
        SCRIPT_TEST(a_request_that_may_do_harm_is_not_repeated),
        SCRIPT_TEST(after_the_first_byte_nothing_is_repeated),
        SCRIPT_TEST(the_target_names_the_host_of_an_old_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

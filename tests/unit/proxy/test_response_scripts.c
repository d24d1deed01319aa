/* What a client gets for what a member sends, byte by byte; and that nothing that a member
 * sends ever becomes the answer to another request. */
#include "tests/support/test.h"
#include "tests/unit/proxy/script.h"

#define DATE    "Date: then\r\n"
#define OK      "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\n\r\nok"
#define GET_1   "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_2   "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD_1  "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n"
#define EVIL    "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 4\r\n\r\nevil"
#define CHUNKED "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"
#define FAILED  "HTTP/1.1 502 Bad Gateway\r\n"

#define ASK(request)                                                                           \
    {CLIENT_SAYS, request}, {MEMBER_ACCEPTS},                                                  \
    {                                                                                          \
        MEMBER_HEARS, request                                                                  \
    }

/* The client's connection is fit for another request, which another connection to the member
 * carries: the first one is closed. */
#define ANOTHER_CONNECTION                                                                     \
    {MEMBER_IS_LEFT}, {CLIENT_SAYS, GET_2}, {MEMBER_ACCEPTS}, {MEMBER_HEARS, GET_2},           \
        {MEMBER_SAYS, OK},                                                                     \
    {                                                                                          \
        CLIENT_HEARS, OK                                                                       \
    }

/* And the same connection to the member does. */
#define SAME_CONNECTION                                                                        \
    {CLIENT_SAYS, GET_2}, {MEMBER_HEARS, GET_2}, {MEMBER_SAYS, OK},                            \
    {                                                                                          \
        CLIENT_HEARS, OK                                                                       \
    }

static const struct script_step chunks_reach_the_client_framed_anew[] = {
    ASK(GET_1),
    {MEMBER_SAYS, CHUNKED "3;a\r\nabc\r\n01\r\nd\r\n00\r\nContent-Length: 9\r\nX: y\r\n\r\n"},
    {CLIENT_HEARS, CHUNKED "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"},
    SAME_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step two_framings_become_one_and_end_the_connection[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 3\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"},
    {CLIENT_HEARS, CHUNKED "1\r\nx\r\n0\r\n\r\n"},
    ANOTHER_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step equal_lengths_become_one[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" DATE "content-length:2\r\n\r\nok"},
    {CLIENT_HEARS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" DATE "\r\nok"},
    SAME_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step different_lengths_are_a_502[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"},
    {CLIENT_HEARS, FAILED},
    {MEMBER_MEETS_RESET},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step a_folded_field_is_a_502[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\nX: 1\r\n Content-Length: 2\r\n\r\nok"},
    {CLIENT_HEARS, FAILED},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step the_end_of_an_old_response_becomes_a_last_chunk[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.0 200 OK\r\n" DATE "\r\nab"},
    {CLIENT_HEARS, CHUNKED "2\r\nab\r\n"},
    {MEMBER_SAYS, "c"},
    {CLIENT_HEARS, "1\r\nc\r\n"},
    {MEMBER_CLOSES},
    {CLIENT_HEARS, "0\r\n\r\n"},
    {CLIENT_SAYS, GET_2},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, GET_2},
    {SCRIPT_END},
};

static const struct script_step an_unknown_coding_lasts_until_the_end[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked, x\r\n\r\nab"},
    {CLIENT_HEARS, CHUNKED "2\r\nab\r\n"},
    {MEMBER_CLOSES},
    {CLIENT_HEARS, "0\r\n\r\n"},
    {SCRIPT_END},
};

static const struct script_step old_clients_get_neither_chunks_nor_interim_responses[] = {
    {CLIENT_SAYS, "GET /1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, GET_1},
    {MEMBER_SAYS,
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" CHUNKED "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"},
    {CLIENT_HEARS, "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nabcd"},
    {CLIENT_MEETS_END},
    {SCRIPT_END},
};

static const struct script_step interim_responses_pass_without_framing_or_hop_fields[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 5\r\n"
                  "Transfer-Encoding: chunked\r\nKeep-Alive: 1\r\n\r\n"},
    {CLIENT_HEARS, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
    {MEMBER_SAYS, "HTTP/1.1 102 Processing\r\n\r\n" OK},
    {CLIENT_HEARS, "HTTP/1.1 102 Processing\r\n\r\n" OK},
    SAME_CONNECTION,
    {SCRIPT_END},
};

#define FOUR_HINTS                                                                             \
    "HTTP/1.1 103 H\r\n\r\nHTTP/1.1 103 H\r\n\r\nHTTP/1.1 103 H\r\n\r\nHTTP/1.1 103 H\r\n\r\n"
#define SIXTEEN_HINTS FOUR_HINTS FOUR_HINTS FOUR_HINTS FOUR_HINTS

static const struct script_step sixteen_interim_responses_pass[] = {
    ASK(GET_1),
    {MEMBER_SAYS, SIXTEEN_HINTS OK},
    {CLIENT_HEARS, SIXTEEN_HINTS OK},
    {SCRIPT_END},
};

static const struct script_step the_seventeenth_is_a_502[] = {
    ASK(GET_1),
    {MEMBER_SAYS, SIXTEEN_HINTS "HTTP/1.1 103 H\r\n\r\n" OK},
    {CLIENT_HEARS, SIXTEEN_HINTS FAILED},
    {MEMBER_MEETS_RESET},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step a_member_that_fails_after_a_100_is_a_502[] = {
    ASK("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"),
    {MEMBER_SAYS, "HTTP/1.1 100 Continue\r\n\r\n"},
    {CLIENT_HEARS, "HTTP/1.1 100 Continue\r\n\r\n"},
    {MEMBER_CLOSES},
    {CLIENT_HEARS, FAILED},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step an_upgrade_that_nobody_asked_for_is_a_502[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                  "Upgrade: websocket\r\n\r\n" EVIL},
    {CLIENT_HEARS, FAILED},
    {MEMBER_MEETS_RESET},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step an_upgrade_to_something_else_is_a_502[] = {
    ASK("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    {MEMBER_SAYS, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                  "Upgrade: h2c\r\n\r\n" EVIL},
    {CLIENT_HEARS, FAILED},
    {MEMBER_MEETS_RESET},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step an_upgrade_that_connection_does_not_name_is_a_502[] = {
    ASK("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    {MEMBER_SAYS, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" EVIL},
    {CLIENT_HEARS, FAILED},
    {MEMBER_MEETS_RESET},
    {CLIENT_RESETS},
    {SCRIPT_END},
};

static const struct script_step what_follows_a_head_response_is_nobodys[] = {
    ASK(HEAD_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 4\r\n\r\n" EVIL},
    {CLIENT_HEARS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 4\r\n\r\n"},
    ANOTHER_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step a_head_response_has_no_chunks[] = {
    ASK(HEAD_1),     {MEMBER_SAYS, CHUNKED}, {CLIENT_HEARS, "HTTP/1.1 200 OK\r\n" DATE "\r\n"},
    SAME_CONNECTION, {SCRIPT_END},
};

static const struct script_step what_follows_a_204_is_nobodys[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 204 No Content\r\n" DATE "Content-Length: 4\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n" EVIL},
    {CLIENT_HEARS, "HTTP/1.1 204 No Content\r\n" DATE "\r\n"},
    ANOTHER_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step what_follows_a_304_is_nobodys[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 304 Not Modified\r\n" DATE "Content-Length: 4\r\n\r\n" EVIL},
    {CLIENT_HEARS, "HTTP/1.1 304 Not Modified\r\n" DATE "Content-Length: 4\r\n\r\n"},
    ANOTHER_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step what_follows_a_length_is_nobodys[] = {
    ASK(GET_1), {MEMBER_SAYS, OK EVIL}, {CLIENT_HEARS, OK}, ANOTHER_CONNECTION, {SCRIPT_END},
};

static const struct script_step what_follows_the_last_chunk_is_nobodys[] = {
    ASK(GET_1),
    {MEMBER_SAYS, CHUNKED "0\r\n\r\n" EVIL},
    {CLIENT_HEARS, CHUNKED "0\r\n\r\n"},
    ANOTHER_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step what_comes_unasked_is_nobodys[] = {
    ASK(GET_1),          {MEMBER_SAYS, OK},  {CLIENT_HEARS, OK},
    {MEMBER_SAYS, EVIL}, ANOTHER_CONNECTION, {SCRIPT_END},
};

static const struct script_step a_member_may_end_its_connection[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\nContent-Length: 0\r\n\r\n"},
    {CLIENT_HEARS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n"},
    ANOTHER_CONNECTION,
    {SCRIPT_END},
};

static const struct script_step an_early_answer_ends_both_connections[] = {
    {CLIENT_SAYS, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"},
    {MEMBER_ACCEPTS},
    {MEMBER_HEARS, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"},
    {MEMBER_SAYS, OK},
    {CLIENT_HEARS,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\nConnection: close\r\n\r\nok"},
    {CLIENT_MEETS_END},
    {MEMBER_MEETS_END},
    {SCRIPT_END},
};

static const struct script_step a_body_cut_short_resets_the_client[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 3\r\n\r\nab"},
    {CLIENT_HEARS, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 3\r\n\r\nab"},
    {MEMBER_CLOSES},
    {CLIENT_MEETS_RESET},
    {SCRIPT_END},
};

static const struct script_step chunks_cut_short_have_no_last_one[] = {
    ASK(GET_1),
    {MEMBER_SAYS, CHUNKED "2\r\nab\r\n"},
    {CLIENT_HEARS, CHUNKED "2\r\nab\r\n"},
    {MEMBER_CLOSES},
    {CLIENT_MEETS_RESET},
    {SCRIPT_END},
};

static const struct script_step a_reset_is_not_the_end_of_an_old_response[] = {
    ASK(GET_1),
    {MEMBER_SAYS, "HTTP/1.0 200 OK\r\n" DATE "\r\nab"},
    {CLIENT_HEARS, CHUNKED "2\r\nab\r\n"},
    {MEMBER_RESETS},
    {CLIENT_MEETS_RESET},
    {SCRIPT_END},
};

static const struct script_step malformed_chunks_reset_the_client[] = {
    ASK(GET_1),
    {MEMBER_SAYS, CHUNKED "2\r\nab\r\n"},
    {CLIENT_HEARS, CHUNKED "2\r\nab\r\n"},
    {MEMBER_SAYS, "0x1\r\nc\r\n0\r\n\r\n"},
    {CLIENT_MEETS_RESET},
    {MEMBER_MEETS_RESET},
    {SCRIPT_END},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRIPT_TEST(chunks_reach_the_client_framed_anew),
        SCRIPT_TEST(two_framings_become_one_and_end_the_connection),
        SCRIPT_TEST(equal_lengths_become_one),
        SCRIPT_TEST(different_lengths_are_a_502),
        SCRIPT_TEST(a_folded_field_is_a_502),
        SCRIPT_TEST(the_end_of_an_old_response_becomes_a_last_chunk),
        SCRIPT_TEST(an_unknown_coding_lasts_until_the_end),
        SCRIPT_TEST(old_clients_get_neither_chunks_nor_interim_responses),
        SCRIPT_TEST(interim_responses_pass_without_framing_or_hop_fields),
        SCRIPT_TEST(sixteen_interim_responses_pass),
        SCRIPT_TEST(the_seventeenth_is_a_502),
        SCRIPT_TEST(a_member_that_fails_after_a_100_is_a_502),
        SCRIPT_TEST(an_upgrade_that_nobody_asked_for_is_a_502),
        SCRIPT_TEST(an_upgrade_to_something_else_is_a_502),
        SCRIPT_TEST(an_upgrade_that_connection_does_not_name_is_a_502),
        SCRIPT_TEST(what_follows_a_head_response_is_nobodys),
        SCRIPT_TEST(a_head_response_has_no_chunks),
        SCRIPT_TEST(what_follows_a_204_is_nobodys),
        SCRIPT_TEST(what_follows_a_304_is_nobodys),
        SCRIPT_TEST(what_follows_a_length_is_nobodys),
        SCRIPT_TEST(what_follows_the_last_chunk_is_nobodys),
        SCRIPT_TEST(what_comes_unasked_is_nobodys),
        SCRIPT_TEST(a_member_may_end_its_connection),
        SCRIPT_TEST(an_early_answer_ends_both_connections),
        SCRIPT_TEST(a_body_cut_short_resets_the_client),
        SCRIPT_TEST(chunks_cut_short_have_no_last_one),
        SCRIPT_TEST(a_reset_is_not_the_end_of_an_old_response),
        SCRIPT_TEST(malformed_chunks_reset_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

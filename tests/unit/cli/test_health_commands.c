/* Commands that show what nodes think of members. */
#include "tests/support/test.h"
#include "tests/unit/cli/scripted_daemon.h"

#include <string.h>

#define POOLS "{\"pools\": [{\"id\": \"p1\", \"name\": \"workers\"}]}"
#define NODE(name, self, rest)                                                                 \
    "{\"node\": \"" name "\", \"self\": " self ", \"alive\": true, " rest "}"
#define MEMBER(nodes)                                                                          \
    "{\"health\": {\"members\": [{\"name\": \"w1\", \"probed\": true, \"nodes\": [" nodes      \
    "]}]}}"

/* lbnode healthmonitor test, of a pool with the member w1 of which nodes say NODES; LIMIT: ms
 * that they have. */
#define TEST_OF(limit, nodes)                                                                  \
    {                                                                                          \
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},                   \
            {"POST /v1/pools/p1/probe",                                                        \
             ANSWER(                                                                           \
                 "202 Accepted", "",                                                           \
                 "{\"probe\": {\"pool\": \"workers\", \"members\": 1, \"nodes\": [\"lb1\"],"   \
                 " \"asked_at\": 1000, \"asked_ms_ago\": 0, \"limit_ms\": " limit "}}")},      \
        {                                                                                      \
            "GET /v1/pools/p1/health?since=1000", ANSWER("200 OK", "", MEMBER(nodes))          \
        }                                                                                      \
    }

#define ANSWERED                                                                               \
    "\"state\": \"ONLINE\", \"answered\": true, \"last_succeeded\": true, \"round_trip_ms\": "
#define FAILED                                                                                 \
    "\"state\": \"ERROR\", \"answered\": true, \"last_succeeded\": false, \"round_trip_ms\": " \
    "0.1, "                                                                                    \
    "\"reason\": \"connection refused\""

static void a_test_tells_what_each_node_found(void **state)
{
    const struct step steps[] =
        TEST_OF("4000", NODE("lb1", "true", ANSWERED "0.7") ", " NODE("lb2", "false", FAILED));
    assert_int_equal(RUN(steps, "hm", "test", "workers"), 10);
    assert_string_equal(printed(),
                        "member  node  result    took    verdict  reason\n"
                        "w1      lb1   answered  0.7 ms  ONLINE\n"
                        "w1      lb2   failed    < 1 ms  ERROR    connection refused\n");
}

static void a_test_tells_by_its_exit_code_how_many_answered(void **state)
{
    const struct step all[] = TEST_OF("4000", NODE("lb1", "true", ANSWERED "0.7"));
    const struct step none[] = TEST_OF("4000", NODE("lb1", "true", FAILED));
    assert_int_equal(RUN(all, "hm", "test", "workers"), 0);
    assert_int_equal(RUN(none, "hm", "test", "workers"), 11);
}

static void who_says_nothing_in_time_has_not_answered(void **state)
{
    const struct step late[] =
        TEST_OF("0", NODE("lb1", "true",
                          "\"answered\": false, \"last_succeeded\": false, "
                          "\"reason\": \"connection refused\""));
    const struct step never[] =
        TEST_OF("0", NODE("lb1", "true",
                          "\"answered\": false, \"last_succeeded\": null, "
                          "\"reason\": \"no ICMP socket\""));
    assert_int_equal(RUN(late, "hm", "test", "workers"), 11);
    assert_non_null(
        strstr(printed(), "no result  -     -        this node told nothing in time"));
    assert_int_equal(RUN(never, "hm", "test", "workers"), 11);
    assert_non_null(strstr(printed(), "no result  -     -        no ICMP socket"));
}

static void a_member_is_shown_with_its_results_and_suspicions(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},
        {"GET /v2.0/lbaas/pools/p1/members?name=w1",
         ANSWER("200 OK", "", "{\"members\": [{\"id\": \"m1\", \"name\": \"w1\"}]}")},
        {"GET /v2.0/lbaas/pools/p1/members/m1",
         ANSWER("200 OK", "", "{\"member\": {\"id\": \"m1\", \"name\": \"w1\"}}")},
        {"GET /v1/pools/p1/members/m1/health",
         ANSWER("200 OK", "",
                "{\"health\": {\"probed\": true, \"nodes\": [" NODE(
                    "lb1", "true",
                    "\"decides\": true, \"state\": \"ERROR\", \"reason\": \"timeout after "
                    "5 s\","
                    " \"history\": \"1100\", \"probes\": 4, \"failures\": 2, "
                    "\"suspicions\": 3") "]}}")},
    };
    assert_int_equal(RUN(steps, "member", "show", "workers", "w1"), 0);
    assert_non_null(
        strstr(printed(), "lb1 *  ERROR  -      never       -     -       timeout after"));
    assert_non_null(strstr(printed(),
                           "\n  ||..\n  the last 4 results of lb1, the oldest left: "
                           "| answered, . failed; 2 of 4 probes failed, 3 suspicions "
                           "by traffic\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_tells_what_each_node_found),
        cmocka_unit_test(a_test_tells_by_its_exit_code_how_many_answered),
        cmocka_unit_test(who_says_nothing_in_time_has_not_answered),
        cmocka_unit_test(a_member_is_shown_with_its_results_and_suspicions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

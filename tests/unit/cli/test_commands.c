/* What commands ask the daemon for, and what they print. */
#include "lbnode/base/monotime.h"
#include "lbnode/cli/cli.h"
#include "lbnode/cli/client.h"
#include "tests/support/test.h"
#include "tests/unit/cli/scripted_daemon.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POOLS "{\"pools\": [{\"id\": \"p1\", \"name\": \"workers\", \"protocol\": \"HTTP\"}]}"

#define MONITOR_ID "2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01"

static void a_pool_takes_its_protocol_from_the_listener(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/listeners?name=http",
         ANSWER("200 OK", "",
                "{\"listeners\": [{\"id\": \"l1\", \"name\": \"http\", "
                "\"protocol\": \"HTTP\"}]}")},
        {"POST /v2.0/lbaas/pools {\"pool\": {\"lb_algorithm\": \"ROUND_ROBIN\", "
         "\"listener_id\": \"l1\", \"protocol\": \"HTTP\", \"name\": \"workers\"}}",
         ANSWER("201 Created", "", "{\"pool\": {\"id\": \"p1\"}}")},
    };
    assert_int_equal(RUN(steps, "pool", "create", "--name", "workers", "--listener", "http"),
                     0);
}

static void a_monitor_has_the_usual_timing(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},
        {"POST /v2.0/lbaas/healthmonitors {\"healthmonitor\": {\"pool_id\": \"p1\", \"type\": "
         "\"HTTP\", \"delay\": 2, \"timeout\": 2, \"max_retries\": 3}}",
         ANSWER("201 Created", "", "{\"healthmonitor\": {\"id\": \"h1\"}}")},
    };
    assert_int_equal(RUN(steps, "hm", "create", "workers", "--delay", "2"), 0);
}

static void a_pool_of_datagrams_gets_its_own_type_of_monitor(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=names",
         ANSWER("200 OK", "",
                "{\"pools\": [{\"id\": \"p1\", \"name\": \"names\", \"protocol\": \"UDP\"}]}")},
        {"POST /v2.0/lbaas/healthmonitors {\"healthmonitor\": {\"pool_id\": \"p1\", \"type\": "
         "\"UDP-CONNECT\", \"delay\": 5, \"timeout\": 3, \"max_retries\": 3}}",
         ANSWER("201 Created", "", "{\"healthmonitor\": {\"id\": \"h1\"}}")},
    };
    assert_int_equal(RUN(steps, "hm", "create", "names"), 0);
}

static void a_member_is_changed_by_pool_and_name(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},
        {"GET /v2.0/lbaas/pools/p1/members?name=w1",
         ANSWER("200 OK", "", "{\"members\": [{\"id\": \"m1\", \"name\": \"w1\"}]}")},
        {"PUT /v2.0/lbaas/pools/p1/members/m1 {\"member\": {\"weight\": 5}}",
         ANSWER("200 OK", "", "{\"member\": {\"id\": \"m1\"}}")},
    };
    assert_int_equal(RUN(steps, "member", "set", "--weight", "5", "workers", "w1"), 0);
}

static void tags_are_added_to_those_that_are_there(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers",
         ANSWER("200 OK", "",
                "{\"pools\": [{\"id\": \"p1\", \"name\": \"workers\", \"tags\": [\"a\"]}]}")},
        {"PUT /v2.0/lbaas/pools/p1 {\"pool\": {\"tags\": [\"a\", \"b\"]}}",
         ANSWER("200 OK", "", "{\"pool\": {\"id\": \"p1\"}}")},
    };
    assert_int_equal(RUN(steps, "pool", "set", "--tag", "a", "--tag", "b", "workers"), 0);
}

static void an_empty_value_resets_an_attribute(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},
        {"GET /v2.0/lbaas/pools/p1/members?name=w1",
         ANSWER("200 OK", "", "{\"members\": [{\"id\": \"m1\", \"name\": \"w1\"}]}")},
        {"PUT /v2.0/lbaas/pools/p1/members/m1 {\"member\": {\"weight\": null, "
         "\"monitor_address\": null, \"name\": \"\"}}",
         ANSWER("200 OK", "", "{\"member\": {\"id\": \"m1\"}}")},
    };
    assert_int_equal(RUN(steps, "member", "set", "--weight", "", "--monitor-address", "",
                         "--name", "", "workers", "w1"),
                     0);
}

static void a_monitor_is_found_by_its_pool(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/healthmonitors?name=workers",
         ANSWER("200 OK", "", "{\"healthmonitors\": []}")},
        {"GET /v2.0/lbaas/healthmonitors", ANSWER("200 OK", "", "{\"healthmonitors\": []}")},
        {"GET /v2.0/lbaas/pools?name=workers",
         ANSWER("200 OK", "",
                "{\"pools\": [{\"id\": \"p1\", \"name\": \"workers\", "
                "\"healthmonitor_id\": \"" MONITOR_ID "\"}]}")},
        {"GET /v2.0/lbaas/healthmonitors?id=" MONITOR_ID,
         ANSWER("200 OK", "", "{\"healthmonitors\": [{\"id\": \"" MONITOR_ID "\"}]}")},
        {"DELETE /v2.0/lbaas/healthmonitors/" MONITOR_ID, ANSWER("204 No Content", "", "")},
    };
    assert_int_equal(RUN(steps, "hm", "delete", "workers"), 0);
}

static void lists_show_names_instead_of_ids(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/healthmonitors",
         ANSWER("200 OK", "",
                "{\"healthmonitors\": [{\"id\": \"h1\", \"pools\": [{\"id\": "
                "\"p1\"}]}]}")},
        {"GET /v2.0/lbaas/pools", ANSWER("200 OK", "", POOLS)},
    };
    assert_int_equal(RUN(steps, "hm", "list"), 0);
    assert_non_null(strstr(printed(), "name  pool     type"));
    assert_non_null(strstr(printed(), "-     workers  -"));
}

static void several_members_are_one_change(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},
        {"PUT /v2.0/lbaas/pools/p1/members?additive_only=true {\"members\": [{\"name\": "
         "\"10.0.0.1:80\", \"address\": \"10.0.0.1\", \"protocol_port\": 80}, {\"name\": "
         "\"[fd00::1]:81\", \"address\": \"fd00::1\", \"protocol_port\": 81}]}",
         ANSWER("202 Accepted", "", "")},
        {"GET /v2.0/lbaas/pools/p1/members",
         ANSWER("200 OK", "", "{\"members\": [{\"id\": \"m1\", \"name\": \"a\"}]}")},
    };
    assert_int_equal(
        RUN(steps, "member", "add", "workers", "10.0.0.1:80", "[fd00::1]:81", "-o", "name"), 0);
    assert_string_equal(printed(), "a\n");
}

static void the_daemons_kind_of_error_is_the_exit_code(void **state)
{
    const struct step not_found[] = {
        {"GET /v2.0/lbaas/pools?name=x", ANSWER("200 OK", "", "{\"pools\": []}")},
        {"GET /v2.0/lbaas/pools", ANSWER("200 OK", "", "{\"pools\": []}")},
    };
    const struct step twice[] = {
        {"GET /v2.0/lbaas/pools?name=x",
         ANSWER("200 OK", "",
                "{\"pools\": [{\"id\": \"1\", \"name\": \"x\"}, {\"id\": \"2\", "
                "\"name\": \"x\"}]}")},
    };
    const struct step unreplicated[] = {
        {"POST /v2.0/lbaas/loadbalancers {\"loadbalancer\": {\"vip_address\": \"10.0.0.1\"}}",
         ANSWER("503 Service Unavailable", "X-Lbnode-Error: UNREPLICATED\r\n",
                "{\"faultstring\": \"no peer is alive\"}")},
    };
    const struct step refused[] = {
        {"GET /v1/export", ANSWER("403 Forbidden", "", "{\"faultstring\": \"no\"}")},
    };
    assert_int_equal(RUN(not_found, "pool", "show", "x"), 3);
    assert_int_equal(RUN(twice, "pool", "show", "x"), 4);
    assert_int_equal(
        RUN(unreplicated, "lb", "create", "--vip-address", "10.0.0.1", "--require-replica"), 6);
    assert_int_equal(RUN(refused, "export"), 5);
}

static void nobody_there_is_exit_code_7(void **state)
{
    char *argv[] = {(char[]){"lbnode"}, (char[]){"--socket"}, (char[]){"/nonexistent/s"}};
    assert_int_equal(cli_main(3, argv), 7);
}

/* The kernel accepts for a stopped daemon, so connecting alone proves nothing. */
static void a_read_gives_up_on_a_daemon_that_says_nothing(void **state)
{
    struct daemon daemon;
    struct response response;
    struct error error = {0};
    daemon_start(&daemon, NULL, 0);
    const struct client client = {.socket_path = daemon.path};
    uint64_t started_ms = monotime_now_ms();
    assert_false(client_request(&client, "GET", "/v1/status", NULL, &response, &error));
    assert_in_range(monotime_now_ms() - started_ms, 4900, 9000);
    assert_int_equal(error.kind, ERROR_UNREACHABLE);
    assert_non_null(strstr(error.text, "accepts connections but did not answer for 5 s"));
    assert_non_null(strstr(error.text, "journalctl -u lbnode"));
    response_free(&response);
    daemon_stop(&daemon);
}

/* lbnode events -f | head -1 */
static void following_events_ends_with_its_reader(void **state)
{
    const struct step steps[] = {
        {"GET /v1/events?after=0", ANSWER("200 OK", "", "{\"events\": [], \"last\": 0}")}};
    struct daemon daemon; /* says nothing to the second request, as when there is no news */
    int ends[2], terminal = dup(STDOUT_FILENO);
    daemon_start(&daemon, steps, ARRAY_LENGTH(steps));
    char *argv[] = {(char[]){"lbnode"}, (char[]){"--socket"}, daemon.path, (char[]){"events"},
                    (char[]){"-f"}};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    uint64_t started_ms = monotime_now_ms();
    int exit_code = cli_main(ARRAY_LENGTH(argv), argv);
    dup2(terminal, STDOUT_FILENO);
    close(terminal);
    close(ends[1]);
    assert_in_range(monotime_now_ms() - started_ms, 0, 4000);
    assert_int_equal(exit_code, 0);
    daemon_stop(&daemon);
    assert_int_equal(daemon.mistakes, 0);
}

#define ASK_AGAIN                                                                              \
    "POST /v1/failover {\"failover\": {\"group\": \"default\", \"from\": \"lb1\"}}"
#define NOBODY_TOOK                                                                            \
    "{\"status\": {\"vrrp\": [{\"group\": \"default\", \"family\": \"IPv4\","                  \
    " \"active_node\": \"lb1\", \"addresses\": [\"192.0.2.1\"], \"nodes\": ["                  \
    "{\"name\": \"lb1\", \"state\": \"active\", \"eligible\": true},"                          \
    "{\"name\": \"lb2\", \"state\": \"backup\", \"eligible\": true},"                          \
    "{\"name\": \"lb3\", \"state\": \"backup\", \"eligible\": false,"                          \
    " \"reason\": \"it is drained\", \"remedy\": \"lbnode node undrain lb3\"}]}]}}"

static void a_failover_that_nobody_takes_says_of_each_node_why(void **state)
{
    static struct step steps[143];
    steps[0] = (struct step){
        "POST /v1/failover {\"failover\": {}}",
        ANSWER("202 Accepted", "",
               "{\"failover\": {\"moves\": [{\"group\": \"default\", \"from\": \"lb1\"}]}}")};
    for (size_t i = 1; i < ARRAY_LENGTH(steps); i++)
        steps[i] = (struct step){"GET /v1/status", ANSWER("200 OK", "", NOBODY_TOOK)};
    steps[49].request = steps[98].request = ASK_AGAIN;
    assert_int_equal(RUN(steps, "failover"), 4);
    assert_string_equal(printed(), "group default (IPv4): active on lb1\n"
                                   "  node lb2 (backup) was asked and did not take it over\n"
                                   "  node lb3 cannot take it over: it is drained; there: "
                                   "lbnode node undrain lb3\n");
}

/* A daemon that closes without an answer is not taken for success. */
static void a_cut_answer_is_exit_code_7(void **state)
{
    const struct step steps[] = {{"GET /v1/export", "HTTP/1.1 200 OK\r\nContent-Le"}};
    assert_int_equal(RUN(steps, "export"), 7);
}

static void usage_errors_ask_nobody(void **state)
{
    char *argv[] = {(char[]){"lbnode"}, (char[]){"listener"}, (char[]){"create"},
                    (char[]){"--protocl"}};
    assert_int_equal(cli_main(4, argv), 2);
    assert_int_equal(cli_main(2, argv), 2); /* a noun without a verb */

    /* `delete "$UNSET"` is not the deletion of the object that has no name */
    argv[2] = (char[]){"delete"};
    argv[3] = (char[]){""};
    assert_int_equal(cli_main(4, argv), 2);
}

static void check_tells_health_by_exit_code(void **state)
{
    const struct step degraded[] = {
        {"GET /v1/status", ANSWER("200 OK", "", "{\"health\": \"degraded\"}")}};
    const struct step error[] = {
        {"GET /v1/status", ANSWER("200 OK", "", "{\"health\": \"error\"}")}};
    assert_int_equal(RUN(degraded, "status", "--check"), 10);
    assert_int_equal(RUN(error, "status", "--check"), 11);
    assert_int_equal(RUN(degraded, "status"), 0);
}

static const char status_answer[] =
    "{\"health\": \"degraded\", \"problems\": [\"member w2 of pool workers is down\"],"
    " \"node\": {\"name\": \"lb1\"}, \"cluster\": {\"name\": \"lab\"},"
    " \"nodes\": [{\"name\": \"lb1\", \"self\": true, \"state\": \"alive\", \"in_sync\": true,"
    " \"address\": \"10.77.0.11:7850\", \"status\": \"ACTIVE\", \"version\": \"0.1.0\","
    " \"protocol\": 2},"
    " {\"name\": \"lb2\", \"state\": \"unreachable\", \"changes_behind\": 3,"
    " \"last_heard_ms\": 192000, \"address\": \"10.77.0.12:7850\", \"status\": \"ACTIVE\","
    " \"protocol\": 1},"
    " {\"name\": \"lb3\", \"state\": \"alive\", \"in_sync\": true, \"last_heard_ms\": 100,"
    " \"address\": \"10.77.0.13:7850\", \"status\": \"ACTIVE\","
    " \"storage_problem\": \"the store refuses writes\", \"version\": \"0.1.0\","
    " \"protocol\": 2, \"session_ms\": 35400, \"key\": \"1a2b\"}],"
    " \"versions\": \"nodes of two versions\","
    " \"vrrp\": [{\"group\": \"default\", \"family\": \"IPv4\", \"vrid\": 51,"
    " \"state\": \"backup\", \"active_node\": \"lb2\", \"reason\": \"\","
    " \"addresses\": [\"10.77.0.100\"]}],"
    " \"loadbalancers\": [{\"name\": \"web\", \"operating_status\": \"DEGRADED\","
    " \"vip_address\": \"10.77.0.100\", \"listeners\": [{\"name\": \"http\","
    " \"operating_status\": \"ONLINE\", \"protocol\": \"HTTP\", \"protocol_port\": 80,"
    " \"pools\": [{\"name\": \"workers\", \"operating_status\": \"DEGRADED\","
    " \"lb_algorithm\": \"ROUND_ROBIN\", \"health_monitor\": {\"type\": \"HTTP\"},"
    " \"members\": [{\"name\": \"w2\", \"operating_status\": \"ERROR\","
    " \"address\": \"fd77::22\", \"protocol_port\": 80, \"weight\": 5,"
    " \"reason\": \"connection refused\"}]}]}]}]}";

static const char status_overview[] =
    "lb1 in cluster lab: degraded\n"
    "\n"
    "problems\n"
    "  member w2 of pool workers is down\n"
    "\n"
    "nodes\n"
    "  lb1  alive                         in sync           this node        "
    "10.77.0.11:7850  0.1.0, protocol 2\n"
    "  lb2  unreachable                   3 changes behind  heard 192 s ago  "
    "10.77.0.12:7850  earlier version, protocol 1\n"
    "  lb3  alive, store takes no writes  in sync           heard 0.1 s ago  "
    "10.77.0.13:7850  0.1.0, protocol 2            session 35 s, key 1a2b\n"
    "  nodes of two versions\n"
    "\n"
    "addresses\n"
    "  default IPv4  vrid 51  active: lb2  here: backup  10.77.0.100\n"
    "\n"
    "load balancers\n"
    "  loadbalancer web  DEGRADED  10.77.0.100\n"
    "    listener http   ONLINE    HTTP 80\n"
    "      pool workers  DEGRADED  ROUND_ROBIN, monitored by HTTP\n"
    "        member w2   ERROR     [fd77::22]:80 weight 5, connection refused\n";

static void status_is_an_overview_on_one_page(void **state)
{
    char answer[sizeof(status_answer) + 100];
    snprintf(answer, sizeof(answer), ANSWER("200 OK", "", "%s"), status_answer);
    const struct step steps[] = {{"GET /v1/status", answer}};
    assert_int_equal(RUN(steps, "status"), 0);
    assert_string_equal(printed(), status_overview);
}

static void status_says_who_is_drained_and_claims_no_owner_in_fault(void **state)
{
    const struct step steps[] = {
        {"GET /v1/status",
         ANSWER("200 OK", "",
                "{\"nodes\": [{\"name\": \"lb1\", \"state\": \"alive\", \"drain\": true}],"
                " \"vrrp\": [{\"group\": \"default\", \"family\": \"IPv6\","
                " \"state\": \"fault\", \"active_node\": \"lb1\","
                " \"reason\": \"interface eth0 is down\", \"addresses\": [\"fd77::100\"]}]}")}};
    assert_int_equal(RUN(steps, "status"), 0);
    assert_non_null(strstr(printed(), "lb1  alive, drained  "));
    assert_non_null(strstr(printed(), "active: not known here  here: fault, interface eth0"));
}

/* Programs read objects from standard output; a note there would break them. */
static void json_is_the_object_alone(void **state)
{
    const struct step steps[] = {
        {"POST /v2.0/lbaas/loadbalancers {\"loadbalancer\": {\"vip_address\": \"10.0.0.1\"}}",
         ANSWER("201 Created", "X-Lbnode-Note: committed on lb1\r\n",
                "{\"loadbalancer\": {\"id\": \"1\", \"vip_address\": \"10.0.0.1\"}}")},
    };
    assert_int_equal(RUN(steps, "lb", "create", "--vip-address", "10.0.0.1", "-o", "json"), 0);
    assert_string_equal(printed(), "{\n  \"id\": \"1\",\n  \"vip_address\": \"10.0.0.1\"\n}\n");
    assert_int_equal(RUN(steps, "lb", "create", "--vip-address", "10.0.0.1"), 0);
    assert_string_equal(printed(), "id           1\n"
                                   "vip_address  10.0.0.1\n"
                                   "committed on lb1\n");
}

static void a_table_leaves_out_what_is_not_set(void **state)
{
    const struct step steps[] = {
        {"POST /v2.0/lbaas/loadbalancers {\"loadbalancer\": {\"vip_address\": \"10.0.0.1\"}}",
         ANSWER(
             "201 Created", "",
             "{\"loadbalancer\": {\"id\": \"1\", \"description\": \"\", \"flavor_id\": null, "
             "\"tags\": [], \"admin_state_up\": false, \"tenant_id\": \"p\"}}")},
    };
    assert_int_equal(RUN(steps, "lb", "create", "--vip-address", "10.0.0.1"), 0);
    assert_string_equal(printed(), "id              1\n"
                                   "admin_state_up  false\n");
}

/* In a table only: programs that read the object from standard output do not see it. */
static void show_tells_the_revision(void **state)
{
    const struct step steps[] = {
        {"GET /v2.0/lbaas/pools?name=workers", ANSWER("200 OK", "", POOLS)},
        {"GET /v2.0/lbaas/pools/p1", ANSWER("200 OK", "X-Lbnode-Revision: 00112233445566ff\r\n",
                                            "{\"pool\": {\"id\": \"p1\"}}")},
    };
    assert_int_equal(RUN(steps, "pool", "show", "workers"), 0);
    assert_string_equal(printed(), "id        p1\n"
                                   "revision  00112233445566ff\n");
    assert_int_equal(RUN(steps, "pool", "show", "workers", "-o", "json"), 0);
    assert_string_equal(printed(), "{\n  \"id\": \"p1\"\n}\n");
}

static void what_is_no_revision_is_not_sent(void **state)
{
    char *argv[] = {(char[]){"lbnode"},   (char[]){"pool"},      (char[]){"set"},
                    (char[]){"workers"},  (char[]){"--name"},    (char[]){"w"},
                    (char[]){"--if-rev"}, (char[]){"12\r\nX: y"}};
    assert_int_equal(cli_main(8, argv), 2);
}

static void a_conflict_shows_what_is_disputed(void **state)
{
    const struct step steps[] = {
        {"GET /v1/conflicts",
         ANSWER("200 OK", "",
                "{\"conflicts\": [{\"kind\": \"value\", \"why\": \"Because.\", "
                "\"object_type\": \"member\", \"object_name\": \"w1\", "
                "\"attributes\": [\"name\", \"description\"], \"entries\": ["
                "{\"number\": 1, \"values\": {\"name\": \"w1\", \"description\": \"a\"}, "
                "\"time\": \"T1\", "
                "\"node\": \"lb1\", \"author\": \"root\", \"active\": true}, "
                "{\"number\": 2, \"values\": {\"name\": \"w1\", \"description\": \"b\"}, "
                "\"time\": \"T2\", "
                "\"node\": \"lb2\", \"author\": \"ann\", \"active\": false}]}]}")},
    };
    assert_int_equal(RUN(steps, "conflicts"), 0);
    assert_non_null(strstr(printed(), "value: member w1: name, description\n"
                                      "  1  in force   description=a  T1 by root on lb1\n"
                                      "  2  overruled  description=b  T2 by ann on lb2\n"
                                      "  Because.\n"));
}

#define TWO_CONFLICTS                                                                          \
    "{\"conflicts\": ["                                                                        \
    "{\"object_id\": \"i1\", \"object_name\": \"w1\", \"facet\": \"weight\", "                 \
    "\"attributes\": [\"weight\"]}, "                                                          \
    "{\"object_id\": \"i1\", \"object_name\": \"w1\", \"facet\": \"meta\", "                   \
    "\"attributes\": [\"name\", \"tags\"]}, "                                                  \
    "{\"object_id\": \"i2\", \"object_name\": \"w2\", \"facet\": null, \"attributes\": []}]}"

static void resolve_names_the_object_the_facet_and_the_value(void **state)
{
    const struct step steps[] = {
        {"GET /v1/conflicts", ANSWER("200 OK", "", TWO_CONFLICTS)},
        {"POST /v1/conflicts/i1/meta {\"take\": 2}", ANSWER("200 OK", "", "{}")},
    };
    assert_int_equal(RUN(steps, "resolve", "w1", "tags", "--take", "2"), 0);
    assert_string_equal(printed(), "took value 2 of meta of w1\n");
    /* Which of the two? */
    const struct step only_list[] = {steps[0]};
    assert_int_equal(RUN(only_list, "resolve", "w1", "--take", "2"), 4);
    /* Nothing to choose from. */
    assert_int_equal(RUN(only_list, "resolve", "w2", "--take", "1"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_takes_its_protocol_from_the_listener),
        cmocka_unit_test(a_monitor_has_the_usual_timing),
        cmocka_unit_test(a_pool_of_datagrams_gets_its_own_type_of_monitor),
        cmocka_unit_test(a_member_is_changed_by_pool_and_name),
        cmocka_unit_test(tags_are_added_to_those_that_are_there),
        cmocka_unit_test(an_empty_value_resets_an_attribute),
        cmocka_unit_test(a_monitor_is_found_by_its_pool),
        cmocka_unit_test(lists_show_names_instead_of_ids),
        cmocka_unit_test(several_members_are_one_change),
        cmocka_unit_test(the_daemons_kind_of_error_is_the_exit_code),
        cmocka_unit_test(nobody_there_is_exit_code_7),
        cmocka_unit_test(a_read_gives_up_on_a_daemon_that_says_nothing),
        cmocka_unit_test(following_events_ends_with_its_reader),
        cmocka_unit_test(a_failover_that_nobody_takes_says_of_each_node_why),
        cmocka_unit_test(a_cut_answer_is_exit_code_7),
        cmocka_unit_test(usage_errors_ask_nobody),
        cmocka_unit_test(status_is_an_overview_on_one_page),
        cmocka_unit_test(status_says_who_is_drained_and_claims_no_owner_in_fault),
        cmocka_unit_test(json_is_the_object_alone),
        cmocka_unit_test(a_table_leaves_out_what_is_not_set),
        cmocka_unit_test(show_tells_the_revision),
        cmocka_unit_test(what_is_no_revision_is_not_sent),
        cmocka_unit_test(a_conflict_shows_what_is_disputed),
        cmocka_unit_test(resolve_names_the_object_the_facet_and_the_value),
        cmocka_unit_test(check_tells_health_by_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

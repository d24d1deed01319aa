/* What the API tells of members' health, and probes out of turn. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/slot_map.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_guide.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct verdict_board *board;
static struct slot_map *slots;
static struct uuid probed_pool;

static uint64_t probe_pool(void *context, const struct uuid *pool_id)
{
    probed_pool = *pool_id;
    return 1234567;
}

static int setup(void **state)
{
    api_guide_setup(state);
    board = verdict_board_create();
    slots = slot_map_new();
    assert_true(board && slots);
    api_guide_node()->state.verdicts = board;
    api_guide_node()->state.slots = slots;
    api_guide_node()->state.probe_pool = probe_pool;
    return 0;
}

static int teardown(void **state)
{
    api_guide_node()->state.verdicts = NULL;
    api_guide_node()->state.slots = NULL;
    api_guide_node()->state.peer_verdict = NULL;
    api_guide_node()->state.vrrp_count = 0;
    slot_map_free(slots);
    munmap(board, sizeof(*board));
    return api_guide_teardown(state);
}

/* As if health had probed the member: PROBES results, the last of them as HISTORY says. */
static struct verdict_slot *
probe(const char *member, enum verdict_state state, uint32_t probes, uint64_t history)
{
    struct uuid id;
    assert_true(uuid_parse(member, &id));
    uint32_t number = slot_map_take(slots, SLOT_MEMBER, &id, 7);
    struct verdict_slot *slot = &board->slots[number];
    slot->word = verdict_word_make(7, state, 0);
    slot->since_wall_ms = walltime_now_ms() - 60000;
    slot->probed_wall_ms = walltime_now_ms() - 500;
    slot->history = history;
    slot->probes = probes;
    slot->round_trip_us = 1500;
    return slot;
}

static struct json_value *health_of(const struct guide *guide, const char *member)
{
    char target[160];
    snprintf(target, sizeof(target), "/v1/pools/%s/members/%s/health", guide->pool, member);
    struct api_answer answer = api_call(api_guide_node(), "GET", target, NULL);
    assert_int_equal(answer.status, 200);
    struct json_value *copy = json_value_copy(json_value_get(answer.json, "health"));
    api_answer_free(&answer);
    return copy;
}

static const struct json_value *own_view(const struct json_value *health)
{
    return json_value_at(json_value_get(health, "nodes"), 0);
}

static void a_failing_member_says_why_since_when_and_how_often(void **state)
{
    struct guide guide = play_guide();
    struct verdict_slot *slot = probe(guide.first, VERDICT_ERROR, 5, 0x18);
    slot->failures = 3;
    slot->reason = VERDICT_REASON_STATUS;
    slot->last_status = 503;
    struct json_value *health = health_of(&guide, guide.first);
    const struct json_value *own = own_view(health);
    assert_string_equal(json_value_get_text(own, "node"), "lb1");
    assert_string_equal(json_value_get_text(own, "state"), "ERROR");
    assert_string_equal(json_value_get_text(own, "reason"), "status 503, expected 200");
    assert_string_equal(json_value_get_text(own, "history"), "11000");
    assert_int_equal(json_value_number(json_value_get(own, "failures")), 3);
    assert_in_range(json_value_number(json_value_get(own, "since_ms_ago")), 60000, 70000);
    assert_true(json_value_truth(json_value_get(own, "decides")));
    assert_true(json_value_truth(json_value_get(health, "probed")));
    json_value_free(health);
}

/* It answers again, and has not done so often enough: the last status is not the one that it
 * failed with. */
static void a_member_on_its_way_back_is_blamed_for_no_good_status(void **state)
{
    struct guide guide = play_guide();
    struct verdict_slot *slot = probe(guide.first, VERDICT_ERROR, 5, 0x01);
    slot->reason = VERDICT_REASON_STATUS;
    slot->last_status = 200;
    struct json_value *health = health_of(&guide, guide.first);
    assert_string_equal(json_value_get_text(own_view(health), "reason"),
                        "unexpected HTTP status");
    json_value_free(health);
}

static void a_node_that_cannot_probe_says_so(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_UNKNOWN, 0, 0)->reason = VERDICT_REASON_NO_ICMP_SOCKET;
    struct json_value *health = health_of(&guide, guide.first);
    assert_null(json_value_get_text(own_view(health), "state"));
    assert_string_equal(json_value_get_text(own_view(health), "reason"), "no ICMP socket");
    json_value_free(health);
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/status", NULL);
    assert_non_null(strstr(text_string(&answer.body), "\"no ICMP socket\""));
    api_answer_free(&answer);
}

static void what_traffic_found_stands_beside_it(void **state)
{
    struct guide guide = play_guide();
    struct counter_board *counters = counter_board_create();
    struct node_state *node = &api_guide_node()->state;
    struct uuid id;
    uint32_t slot, incarnation;
    assert_non_null(counters);
    probe(guide.first, VERDICT_ONLINE, 1, 1);
    assert_true(uuid_parse(guide.first, &id) && slot_map_find(slots, &id, &slot, &incarnation));
    node->counters = counters;
    node->worker_count = 2;
    for (unsigned worker = 0; worker < 2; worker++) {
        counters->workers[worker].members[slot].incarnation = incarnation;
        counters->workers[worker].members[slot].suspicions = 3;
    }
    struct json_value *health = health_of(&guide, guide.first);
    assert_int_equal(json_value_number(json_value_get(own_view(health), "suspicions")), 6);
    json_value_free(health);
    node->counters = NULL;
    munmap(counters, sizeof(*counters));
}

static void the_history_has_64_results_at_most(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_ONLINE, 1000, UINT64_MAX - 1);
    struct json_value *health = health_of(&guide, guide.first);
    const char *history = json_value_get_text(own_view(health), "history");
    assert_int_equal(strlen(history), 64);
    assert_int_equal(strspn(history, "1"), 63);
    json_value_free(health);
}

static void a_member_without_results_has_no_figures(void **state)
{
    struct guide guide = play_guide();
    probe(guide.second, VERDICT_UNKNOWN, 0, 0);
    struct json_value *health = health_of(&guide, guide.second);
    assert_null(json_value_get_text(own_view(health), "state"));
    assert_string_equal(json_value_get_text(own_view(health), "history"), "");
    assert_true(json_value_is_null(json_value_get(own_view(health), "round_trip_ms")));
    json_value_free(health);
}

static bool answered(const struct guide *guide, uint64_t since_ms)
{
    char suffix[48];
    snprintf(suffix, sizeof(suffix), "/health?since=%llu", (unsigned long long)since_ms);
    struct api_answer answer = call_id("GET", "/v1/pools/", guide->pool, suffix, NULL);
    const struct json_value *members =
        json_value_get(json_value_get(answer.json, "health"), "members");
    assert_int_equal(json_value_count(members), 2);
    bool found =
        json_value_truth(json_value_get(own_view(json_value_at(members, 0)), "answered"));
    api_answer_free(&answer);
    return found;
}

static void only_a_newer_probe_answers_a_question(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_ONLINE, 1, 1);
    probe(guide.second, VERDICT_ONLINE, 1, 1);
    assert_true(answered(&guide, walltime_now_ms() - 5000));
    assert_false(answered(&guide, walltime_now_ms()));
    struct api_answer answer =
        call_id("GET", "/v1/pools/", guide.pool, "/health?since=soon", NULL);
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

static void a_probe_is_asked_for_with_its_limit(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_ONLINE, 1, 1);
    fake_replication_set_peer(api_guide_node()->state.replication, "lb2", PEER_IS_ALIVE);
    struct api_answer answer = call_id("POST", "/v1/pools/", guide.pool, "/probe", NULL);
    const struct json_value *probe_answer = json_value_get(answer.json, "probe");
    struct uuid pool;
    assert_int_equal(answer.status, 202);
    assert_true(uuid_parse(guide.pool, &pool) && uuid_equal(&pool, &probed_pool));
    assert_int_equal(json_value_number(json_value_get(probe_answer, "asked_at")), 1234567);
    assert_int_equal(json_value_number(json_value_get(probe_answer, "limit_ms")), 3000 + 2000);
    assert_int_equal(json_value_number(json_value_get(probe_answer, "members")), 1);
    api_answer_free(&answer);
}

static const struct uuid lb2 = {{2}};

static bool peer_says(void *context,
                      const struct uuid *node_id,
                      const struct uuid *member_id,
                      struct shared_verdict *out)
{
    *out = (struct shared_verdict){.state = VERDICT_ERROR,
                                   .last_failed = true,
                                   .reason = VERDICT_REASON_STATUS,
                                   .status = 503,
                                   .age_ms = 1000};
    return uuid_equal(node_id, &lb2);
}

/* lb2 is active for all load balancers and has a verdict about each member. */
static void let_lb2_decide(void)
{
    struct node_state *node = &api_guide_node()->state;
    const struct effective *group =
        configuration_at(node->configuration, RESOURCE_VRRP_GROUP, 0);
    node->vrrp[0] = (struct message_vrrp_status){
        .group_id = group->resource->id, .family = 4, .state = VRRP_BACKUP};
    node->vrrp_count = 1;
    node->peer_verdict = peer_says;
    fake_replication_set_owner(node->replication, &lb2);
}

static void a_status_is_that_of_the_node_that_is_active(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_ONLINE, 1, 1);
    let_lb2_decide();
    struct json_value *health = health_of(&guide, guide.first);
    assert_string_equal(json_value_get_text(health, "operating_status"), "ERROR");
    assert_string_equal(json_value_get_text(own_view(health), "state"), "ONLINE");
    assert_false(json_value_truth(json_value_get(own_view(health), "decides")));
    json_value_free(health);
    struct api_answer answer =
        call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    assert_string_equal(
        json_value_get_text(json_value_get(answer.json, "loadbalancer"), "operating_status"),
        "ERROR");
    api_answer_free(&answer);
}

static void the_reason_is_that_of_the_node_that_is_active(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_ERROR, 1, 0)->reason = VERDICT_REASON_CONNECT_REFUSED;
    let_lb2_decide();
    struct api_answer answer = api_call(api_guide_node(), "GET", "/v1/status", NULL);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(text_string(&answer.body), "status 503, expected 200, since "));
    assert_null(strstr(text_string(&answer.body), "connection refused"));
    api_answer_free(&answer);
}

static void before_the_active_node_has_a_verdict_the_own_one_counts(void **state)
{
    struct guide guide = play_guide();
    probe(guide.first, VERDICT_ONLINE, 1, 1);
    let_lb2_decide();
    api_guide_node()->state.peer_verdict = NULL;
    struct json_value *health = health_of(&guide, guide.first);
    assert_string_equal(json_value_get_text(health, "operating_status"), "ONLINE");
    json_value_free(health);
}

static void a_pool_without_monitor_is_told_the_remedy(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer = call_id("PUT", LBAAS "/healthmonitors/", guide.monitor, "",
                                       "{\"healthmonitor\": {\"admin_state_up\": false}}");
    api_answer_free(&answer);
    answer = call_id("POST", "/v1/pools/", guide.pool, "/probe", NULL);
    assert_int_equal(answer.status, 409);
    assert_string_equal(api_fault(&answer), "The health monitor of pool workers is disabled: "
                                            "lbnode healthmonitor set --enable workers");
    api_answer_free(&answer);
    answer = call_id("DELETE", LBAAS "/healthmonitors/", guide.monitor, "", NULL);
    api_answer_free(&answer);
    answer = call_id("POST", "/v1/pools/", guide.pool, "/probe", NULL);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(api_fault(&answer), "lbnode healthmonitor create workers"));
    api_answer_free(&answer);
}

int main(void)
{
#define RULE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RULE(a_failing_member_says_why_since_when_and_how_often),
        RULE(a_member_on_its_way_back_is_blamed_for_no_good_status),
        RULE(a_node_that_cannot_probe_says_so),
        RULE(what_traffic_found_stands_beside_it),
        RULE(the_history_has_64_results_at_most),
        RULE(a_member_without_results_has_no_figures),
        RULE(only_a_newer_probe_answers_a_question),
        RULE(a_probe_is_asked_for_with_its_limit),
        RULE(a_status_is_that_of_the_node_that_is_active),
        RULE(the_reason_is_that_of_the_node_that_is_active),
        RULE(before_the_active_node_has_a_verdict_the_own_one_counts),
        RULE(a_pool_without_monitor_is_told_the_remedy),
    };
#undef RULE
    return cmocka_run_group_tests(tests, NULL, NULL);
}

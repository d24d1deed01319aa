/* Octavia's API from outside, over the node's socket. */
#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_guide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void the_guide_can_be_played(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "/status", NULL);
    const struct json_value *balancer =
        json_value_get(json_value_get(answer.json, "statuses"), "loadbalancer");
    assert_int_equal(json_value_count(balancer), 5);
    const struct json_value *listener = json_value_at(json_value_get(balancer, "listeners"), 0);
    assert_string_equal(json_value_get_text(listener, "name"), "http");
    const struct json_value *pool = json_value_at(json_value_get(listener, "pools"), 0);
    assert_string_equal(json_value_get_text(pool, "name"), "workers");
    assert_string_equal(json_value_get_text(json_value_get(pool, "health_monitor"), "type"),
                        "HTTP");
    assert_int_equal(json_value_count(json_value_get(pool, "members")), 2);
    api_answer_free(&answer);
}

static void keys_stand_in_octavias_order(void **state)
{
    static const char *const expected[] = {"id",
                                           "name",
                                           "description",
                                           "provisioning_status",
                                           "operating_status",
                                           "admin_state_up",
                                           "project_id",
                                           "created_at",
                                           "updated_at",
                                           "vip_address",
                                           "vip_port_id",
                                           "vip_subnet_id",
                                           "vip_network_id"};
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    const struct json_value *object = json_value_get(answer.json, "loadbalancer");
    void *at = json_value_first(object);
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        assert_string_equal(json_value_key(at), expected[i]);
        assert_false(json_value_is_null(json_value_of(at)));
        at = json_value_next(object, at);
    }
    const struct json_value *stub = json_value_at(json_value_get(object, "listeners"), 0);
    assert_string_equal(json_value_get_text(stub, "id"), guide.listener);
    assert_string_equal(json_value_get_text(object, "tenant_id"),
                        json_value_get_text(object, "project_id"));
    assert_non_null(api_field(&answer, "X-Openstack-Request-Id"));
    api_answer_free(&answer);
}

static void a_pool_shows_its_listener_members_and_monitor(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer = call_id("GET", LBAAS "/pools/", guide.pool, "", NULL);
    const struct json_value *pool = json_value_get(answer.json, "pool");
    assert_string_equal(json_value_get_text(pool, "healthmonitor_id"), guide.monitor);
    assert_string_equal(
        json_value_get_text(json_value_at(json_value_get(pool, "listeners"), 0), "id"),
        guide.listener);
    assert_int_equal(json_value_count(json_value_get(pool, "members")), 2);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/listeners/", guide.listener, "", NULL);
    assert_string_equal(
        json_value_get_text(json_value_get(answer.json, "listener"), "default_pool_id"),
        guide.pool);
    api_answer_free(&answer);
}

static void a_change_is_answered_with_the_new_value(void **state)
{
    struct guide guide = play_guide();
    char path[160];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide.pool, guide.first);
    struct api_answer answer =
        api_call(api_guide_node(), "PUT", path, "{\"member\":{\"weight\":5}}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(
        json_value_number(json_value_get(json_value_get(answer.json, "member"), "weight")), 5);
    assert_non_null(api_field(&answer, "X-Lbnode-Change"));
    assert_string_equal(api_field(&answer, "X-Lbnode-Replicated"), "0/1");
    api_answer_free(&answer);
}

static void the_author_is_the_user_of_the_socket(void **state)
{
    char expected[32];
    play_guide();
    snprintf(expected, sizeof(expected), "uid:%u", (unsigned)getuid());
    assert_string_equal(fake_replication_last_author(api_guide_node()->state.replication),
                        getuid() == 0 ? "root" : expected);
}

static void cascade_takes_everything_along(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("DELETE", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    assert_int_equal(answer.status, 400);
    assert_non_null(strstr(api_fault(&answer), "it has children"));
    api_answer_free(&answer);
    answer = call_id("DELETE", LBAAS "/loadbalancers/", guide.balancer, "?cascade=True", NULL);
    assert_int_equal(answer.status, 204);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/loadbalancers/", guide.balancer, "", NULL);
    assert_int_equal(answer.status, 404);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", LBAAS "/pools", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "pools")), 0);
    api_answer_free(&answer);
}

static void lists_are_looked_up_by_name(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        api_call(api_guide_node(), "GET", LBAAS "/listeners?name=http", NULL);
    const struct json_value *list = json_value_get(answer.json, "listeners");
    assert_int_equal(json_value_count(list), 1);
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "id"), guide.listener);
    assert_int_equal(json_value_count(json_value_get(answer.json, "listeners_links")), 0);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/pools?loadbalancer_id=", guide.balancer, "", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "pools")), 1);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "GET", LBAAS "/pools?colour=red", NULL);
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

static void a_batch_replaces_the_members(void **state)
{
    struct guide guide = play_guide();
    struct api_answer answer =
        call_id("PUT", LBAAS "/pools/", guide.pool, "/members",
                "{\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80,\"weight\":9},"
                "{\"address\":\"10.77.0.23\",\"protocol_port\":80}]}");
    assert_int_equal(answer.status, 202);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/pools/", guide.pool, "/members?sort=address", NULL);
    const struct json_value *list = json_value_get(answer.json, "members");
    assert_int_equal(json_value_count(list), 2);
    assert_string_equal(json_value_get_text(json_value_at(list, 0), "id"), guide.first);
    assert_int_equal(json_value_number(json_value_get(json_value_at(list, 0), "weight")), 9);
    assert_string_equal(json_value_get_text(json_value_at(list, 1), "address"), "10.77.0.23");
    api_answer_free(&answer);
    answer = call_id("PUT", LBAAS "/pools/", guide.pool, "/members?additive_only=True",
                     "{\"members\":[{\"address\":\"10.77.0.24\",\"protocol_port\":80}]}");
    assert_int_equal(answer.status, 202);
    api_answer_free(&answer);
    answer = call_id("GET", LBAAS "/pools/", guide.pool, "/members", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "members")), 3);
    api_answer_free(&answer);
}

static void one_call_creates_a_whole_tree(void **state)
{
    static const char body[] =
        "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\",\"flavor_id\":"
        "null,"
        "\"listeners\":[{\"name\":\"http\",\"protocol\":\"HTTP\",\"protocol_port\":80,"
        "\"default_pool\":{\"name\":\"workers\",\"protocol\":\"HTTP\",\"lb_algorithm\":"
        "\"ROUND_ROBIN\",\"members\":[{\"address\":\"10.77.0.21\",\"protocol_port\":80},"
        "{\"address\":\"10.77.0.22\",\"protocol_port\":80}],\"healthmonitor\":{\"type\":"
        "\"TCP\","
        "\"delay\":5,\"timeout\":3,\"max_retries\":2}}},"
        "{\"name\":\"second\",\"protocol\":\"HTTP\",\"protocol_port\":81,\"default_pool\":"
        "{\"name\":\"workers\"}}]}}";
    struct api_answer answer = api_call(api_guide_node(), "POST", LBAAS "/loadbalancers", body);
    if (answer.status != 201)
        fail_msg("%d %s", answer.status, text_string(&answer.body));
    const struct json_value *balancer = json_value_get(answer.json, "loadbalancer");
    const struct json_value *pool = json_value_at(json_value_get(balancer, "pools"), 0);
    assert_int_equal(json_value_count(json_value_get(balancer, "listeners")), 2);
    assert_int_equal(json_value_count(json_value_get(balancer, "pools")), 1);
    assert_int_equal(json_value_count(json_value_get(pool, "members")), 2);
    assert_string_equal(json_value_get_text(json_value_get(pool, "healthmonitor"), "type"),
                        "TCP");
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), 1);
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "POST", LBAAS "/loadbalancers", body);
    assert_int_equal(answer.status, 409);
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), 1);
    api_answer_free(&answer);
}

static void repeating_a_change_id_changes_nothing_twice(void **state)
{
    static const char fields[] = "X-Lbnode-Change-Id: 11111111-2222-4333-8444-555555555555\r\n";
    static const char body[] =
        "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}";
    struct api_answer first =
        api_call_with(api_guide_node(), "POST", LBAAS "/loadbalancers", fields, body);
    struct api_answer second =
        api_call_with(api_guide_node(), "POST", LBAAS "/loadbalancers", fields, body);
    assert_int_equal(first.status, 201);
    assert_int_equal(second.status, 201);
    assert_string_equal(json_value_get_text(json_value_get(first.json, "loadbalancer"), "id"),
                        json_value_get_text(json_value_get(second.json, "loadbalancer"), "id"));
    assert_int_equal(fake_replication_submissions(api_guide_node()->state.replication), 1);
    api_answer_free(&first);
    api_answer_free(&second);
}

static void the_first_change_starts_a_cluster(void **state)
{
    struct api_answer answer =
        api_call(api_guide_node(), "POST", LBAAS "/loadbalancers",
                 "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}");
    assert_int_equal(answer.status, 201);
    assert_non_null(strstr(api_field(&answer, "X-Lbnode-Note"), "started a new one"));
    api_answer_free(&answer);
    answer = api_call(api_guide_node(), "POST", LBAAS "/loadbalancers",
                      "{\"loadbalancer\":{\"name\":\"b\",\"vip_address\":\"10.77.0.101\"}}");
    assert_null(strstr(api_field(&answer, "X-Lbnode-Note"), "started a new one"));
    api_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(the_guide_can_be_played),
        API_TEST(keys_stand_in_octavias_order),
        API_TEST(a_pool_shows_its_listener_members_and_monitor),
        API_TEST(a_change_is_answered_with_the_new_value),
        API_TEST(the_author_is_the_user_of_the_socket),
        API_TEST(cascade_takes_everything_along),
        API_TEST(lists_are_looked_up_by_name),
        API_TEST(a_batch_replaces_the_members),
        API_TEST(one_call_creates_a_whole_tree),
        API_TEST(repeating_a_change_id_changes_nothing_twice),
        API_TEST(the_first_change_starts_a_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The API on a real store in a temporary directory: what was answered is there after a restart,
 * and what was refused left no trace. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "tests/unit/admin/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LBAAS "/v2.0/lbaas"

static struct store_fixture node;

static int setup(void **state)
{
    store_fixture_open(&node);
    return 0;
}

static int teardown(void **state)
{
    store_fixture_close(&node);
    return 0;
}

static void create(const char *path, const char *root, const char *body, char id[40])
{
    struct api_answer answer = api_call(&node.api, "POST", path, body);
    if (answer.status != 201)
        fail_msg("%s %s: %d %s", path, body, answer.status, text_string(&answer.body));
    const struct json_value *object = json_value_get(answer.json, root);
    assert_string_equal(json_value_get_text(object, "provisioning_status"), "ACTIVE");
    snprintf(id, 40, "%s", json_value_get_text(object, "id"));
    api_answer_free(&answer);
}

static char *export_text(void)
{
    struct api_answer answer = api_call(&node.api, "GET", "/v1/export", NULL);
    assert_int_equal(answer.status, 200);
    char *text = strdup(text_string(&answer.body));
    api_answer_free(&answer);
    return text;
}

struct guide {
    char balancer[40], listener[40], pool[40], member[40], monitor[40];
};

static struct guide play_guide(void)
{
    struct guide guide;
    char body[512], path[128];
    create(LBAAS "/loadbalancers", "loadbalancer",
           "{\"loadbalancer\":{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}}",
           guide.balancer);
    snprintf(body, sizeof(body),
             "{\"listener\":{\"name\":\"http\",\"protocol\":\"HTTP\",\"protocol_port\":80,"
             "\"loadbalancer_id\":\"%s\"}}",
             guide.balancer);
    create(LBAAS "/listeners", "listener", body, guide.listener);
    snprintf(body, sizeof(body),
             "{\"pool\":{\"name\":\"workers\",\"protocol\":\"HTTP\",\"lb_algorithm\":"
             "\"ROUND_ROBIN\",\"listener_id\":\"%s\"}}",
             guide.listener);
    create(LBAAS "/pools", "pool", body, guide.pool);
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members", guide.pool);
    create(path, "member",
           "{\"member\":{\"name\":\"w1\",\"address\":\"10.77.0.21\",\"protocol_port\":80}}",
           guide.member);
    snprintf(body, sizeof(body),
             "{\"healthmonitor\":{\"type\":\"HTTP\",\"delay\":5,\"timeout\":3,"
             "\"max_retries\":3,\"url_path\":\"/\",\"pool_id\":\"%s\"}}",
             guide.pool);
    create(LBAAS "/healthmonitors", "healthmonitor", body, guide.monitor);
    return guide;
}

static void what_was_answered_survives_a_restart(void **state)
{
    struct guide guide = play_guide();
    char path[160];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide.pool, guide.member);
    struct api_answer answer = api_call(&node.api, "PUT", path, "{\"member\":{\"weight\":7}}");
    assert_int_equal(answer.status, 200);
    assert_int_equal(
        json_value_number(json_value_get(json_value_get(answer.json, "member"), "weight")), 7);
    api_answer_free(&answer);
    char *before = export_text();
    store_fixture_restart(&node);
    char *after = export_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
    snprintf(path, sizeof(path), LBAAS "/loadbalancers/%s?cascade=true", guide.balancer);
    answer = api_call(&node.api, "DELETE", path, NULL);
    assert_int_equal(answer.status, 204);
    api_answer_free(&answer);
    answer = api_call(&node.api, "GET", LBAAS "/listeners", NULL);
    assert_int_equal(json_value_count(json_value_get(answer.json, "listeners")), 0);
    api_answer_free(&answer);
}

static void two_first_changes_at_once_start_one_cluster(void **state)
{
    static const char format[] = "POST " LBAAS "/loadbalancers HTTP/1.1\r\nHost: a\r\n"
                                 "Content-Length: 58\r\n\r\n{\"loadbalancer\":"
                                 "{\"name\":\"lb\",\"vip_address\":\"10.77.0.10%d\"}}";
    char request[256];
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = api_connect(&node.api);
        snprintf(request, sizeof(request), format, i);
        assert_int_equal(send(fds[i], request, strlen(request), 0), strlen(request));
    }
    for (int i = 0; i < 2; i++) {
        struct api_answer answer = api_receive(&node.api, fds[i]);
        if (answer.status != 201)
            fail_msg("%d %s", answer.status, text_string(&answer.body));
        api_answer_free(&answer);
        close(fds[i]);
    }
}

static void a_client_that_stops_sending_still_gets_its_answer(void **state)
{
    static const char request[] = "POST " LBAAS "/loadbalancers HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Length: 58\r\n\r\n{\"loadbalancer\":"
                                  "{\"name\":\"lb\",\"vip_address\":\"10.77.0.100\"}}";
    int fd = api_connect(&node.api);
    api_send(&node.api, fd, request, sizeof(request) - 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    struct api_answer answer = api_receive(&node.api, fd);
    assert_int_equal(answer.status, 201);
    api_answer_free(&answer);
    assert_true(api_is_closed(&node.api, fd));
    close(fd);
}

static void a_change_is_made_though_its_client_went_away(void **state)
{
    static const char request[] = "POST " LBAAS "/loadbalancers HTTP/1.1\r\nHost: a\r\n"
                                  "Content-Length: 58\r\n\r\n{\"loadbalancer\":"
                                  "{\"name\":\"lb\",\"vip_address\":\"10.77.0.100\"}}";
    size_t count = 0;
    int fd = api_connect(&node.api);
    api_send(&node.api, fd, request, sizeof(request) - 1);
    close(fd);
    uint64_t deadline_ms = monotime_now_ms() + ANSWER_DEADLINE_MS;
    while (count == 0 && monotime_now_ms() < deadline_ms) {
        struct api_answer answer = api_call(&node.api, "GET", LBAAS "/loadbalancers", NULL);
        count = json_value_count(json_value_get(answer.json, "loadbalancers"));
        api_answer_free(&answer);
    }
    assert_int_equal(count, 1);
}

static void refused_changes_leave_no_trace(void **state)
{
    static const struct {
        const char *path, *body;
        int status;
    } refused[] = {
        {LBAAS "/loadbalancers",
         "{\"loadbalancer\":{\"vip_address\":\"10.77.0.100\",\"name\":\"second\"}}", 409},
        {LBAAS "/loadbalancers", "{\"loadbalancer\":{\"vip_address\":\"10.77.0.999\"}}", 400},
        {LBAAS "/loadbalancers", "{", 400},
        {"/v1/apply",
         "{\"document\":{\"loadbalancers\":[{\"name\":\"good\",\"vip_address\":"
         "\"10.77.0.101\"},{\"name\":\"bad\",\"vip_address\":\"x\"}]}}",
         400},
        {"/v1/join", "{\"join\":{\"token\":\"not a token\"}}", 0},
    };
    play_guide();
    char *before = export_text();
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct api_answer answer =
            api_call(&node.api, "POST", refused[i].path, refused[i].body);
        if (refused[i].status && answer.status != refused[i].status)
            fail_msg("%s: %d %s", refused[i].body, answer.status, text_string(&answer.body));
        assert_true(answer.status >= 400);
        assert_true(strlen(api_fault(&answer)) > 10);
        api_answer_free(&answer);
        char *after = export_text();
        assert_string_equal(before, after);
        free(after);
    }
    free(before);
}

static void a_replica_can_be_required(void **state)
{
    play_guide();
    char *before = export_text();
    struct api_answer answer = api_call_with(
        &node.api, "POST", LBAAS "/loadbalancers", "X-Lbnode-Require-Replica: true\r\n",
        "{\"loadbalancer\":{\"name\":\"second\",\"vip_address\":\"10.77.0.101\"}}");
    assert_int_equal(answer.status, 503);
    assert_string_equal(api_field(&answer, "X-Lbnode-Error"), "UNREPLICATED");
    api_answer_free(&answer);
    char *after = export_text();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void the_cluster_is_named_at_its_birth(void **state)
{
    struct api_answer answer =
        api_call(&node.api, "POST", "/v1/cluster", "{\"cluster\":{\"name\":\"lab\"}}");
    assert_int_equal(answer.status, 201);
    const struct json_value *cluster = json_value_get(answer.json, "cluster");
    assert_string_equal(json_value_get_text(cluster, "name"), "lab");
    assert_non_null(json_value_get_text(cluster, "recovery_code"));
    assert_non_null(json_value_get_text(cluster, "join_token"));
    api_answer_free(&answer);
    answer = api_call(&node.api, "GET", "/v1/status", NULL);
    assert_string_equal(json_value_get_text(json_value_get(answer.json, "cluster"), "name"),
                        "lab");
    assert_int_equal(json_value_count(json_value_get(answer.json, "nodes")), 1);
    api_answer_free(&answer);
    answer = api_call(&node.api, "POST", "/v1/cluster", "{\"cluster\":{\"name\":\"b\"}}");
    assert_int_equal(answer.status, 409);
    api_answer_free(&answer);
}

#define STORE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static struct api_answer
put_weight(const struct guide *guide, const char *revision, const char *more, int weight)
{
    char path[160], fields[160], body[64];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide->pool, guide->member);
    snprintf(fields, sizeof(fields), "X-Lbnode-If-Rev: %s\r\n%s", revision, more);
    snprintf(body, sizeof(body), "{\"member\":{\"weight\":%d}}", weight);
    return api_call_with(&node.api, "PUT", path, fields, body);
}

static void a_change_of_what_was_read_refuses_later_changes(void **state)
{
    struct guide guide = play_guide();
    char path[160], revision[17];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide.pool, guide.member);
    struct api_answer answer = api_call(&node.api, "GET", path, NULL);
    snprintf(revision, sizeof(revision), "%s", api_field(&answer, "X-Lbnode-Revision"));
    assert_int_equal(strlen(revision), 16);
    api_answer_free(&answer);
    answer = put_weight(&guide, revision, "", 7);
    assert_int_equal(answer.status, 200);
    assert_string_not_equal(api_field(&answer, "X-Lbnode-Revision"), revision);
    api_answer_free(&answer);
    answer = put_weight(&guide, revision, "", 9);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(api_fault(&answer), "Member w1 was changed after you read it: "
                                               "weight, by "));
    api_answer_free(&answer);
    answer =
        api_call_with(&node.api, "DELETE", path, "X-Lbnode-If-Rev: 0011223344556677\r\n", NULL);
    assert_int_equal(answer.status, 409);
    api_answer_free(&answer);
    answer = put_weight(&guide, "soon", "", 9);
    assert_int_equal(answer.status, 400);
    api_answer_free(&answer);
}

/* The answer got lost; the client asks again with the revision that its own change ended. */
static void a_repeated_change_is_not_refused_for_its_own_revision(void **state)
{
    static const char change_id[] =
        "X-Lbnode-Change-Id: 2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01\r\n";
    struct guide guide = play_guide();
    char path[160], revision[17];
    snprintf(path, sizeof(path), LBAAS "/pools/%s/members/%s", guide.pool, guide.member);
    struct api_answer answer = api_call(&node.api, "GET", path, NULL);
    snprintf(revision, sizeof(revision), "%s", api_field(&answer, "X-Lbnode-Revision"));
    api_answer_free(&answer);
    answer = put_weight(&guide, revision, change_id, 7);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    answer = put_weight(&guide, revision, change_id, 7);
    assert_int_equal(answer.status, 200);
    api_answer_free(&answer);
    /* Another change is checked again where it is signed. */
    answer = put_weight(&guide, revision,
                        "X-Lbnode-Change-Id: 2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f02\r\n", 8);
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(api_fault(&answer), "read it again"));
    api_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_was_answered_survives_a_restart),
        STORE_TEST(two_first_changes_at_once_start_one_cluster),
        STORE_TEST(a_client_that_stops_sending_still_gets_its_answer),
        STORE_TEST(a_change_is_made_though_its_client_went_away),
        STORE_TEST(refused_changes_leave_no_trace),
        STORE_TEST(a_replica_can_be_required),
        STORE_TEST(the_cluster_is_named_at_its_birth),
        STORE_TEST(a_change_of_what_was_read_refuses_later_changes),
        STORE_TEST(a_repeated_change_is_not_refused_for_its_own_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

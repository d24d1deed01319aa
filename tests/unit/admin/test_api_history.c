/* Questions about the past, asked of the API on a real store in a temporary directory. */
#include "lbnode/base/monotime.h"
#include "tests/unit/admin/history_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whatever is older than a moment goes as soon as nothing needs it. */
static int setup_forgetful(void **state)
{
    node.retention = (struct retention){.keep_ms = 100};
    return setup(state);
}

static const struct json_value *attribute_of(const struct json_value *object, const char *name)
{
    const struct json_value *list = json_value_get(object, "attributes");
    for (size_t i = 0; i < json_value_count(list); i++)
        if (strcmp(json_value_get_text(json_value_at(list, i), "name"), name) == 0)
            return json_value_at(list, i);
    return NULL;
}

static void assert_differs(const struct json_value *object,
                           const char *name,
                           const char *before,
                           const char *after)
{
    const struct json_value *attribute = attribute_of(object, name);
    assert_non_null(attribute);
    assert_string_equal(json_value_get_text(attribute, "before"), before);
    assert_string_equal(json_value_get_text(attribute, "after"), after);
}

static void a_history_says_who_did_what_newest_first(void **state)
{
    char path[80], id[40];
    make_pool(path);
    describe(path, "one", NULL);
    describe(path, "two", id);
    struct api_answer answer = ask("GET", "/v1/history?object=workers", NULL, 200);
    const struct json_value *changes = json_value_get(answer.json, "history");
    assert_int_equal(json_value_count(changes), 3);
    const struct json_value *newest = json_value_at(changes, 0);
    assert_string_equal(json_value_get_text(newest, "id"), id);
    assert_string_equal(json_value_get_text(newest, "node"), "lb1");
    assert_string_equal(json_value_get_text(newest, "via"), "api");
    assert_true(*json_value_get_text(newest, "author"));
    const struct json_value *object = json_value_at(json_value_get(newest, "changes"), 0);
    assert_string_equal(json_value_get_text(object, "object_name"), "workers");
    assert_string_equal(json_value_get_text(object, "action"), "update");
    assert_differs(object, "description", "one", "two");
    assert_null(attribute_of(object, "name"));
    object = json_value_at(json_value_get(json_value_at(changes, 2), "changes"), 0);
    assert_string_equal(json_value_get_text(object, "action"), "create");
    api_answer_free(&answer);
}

static void a_history_can_be_cut_short(void **state)
{
    char path[80];
    make_pool(path);
    describe(path, "one", NULL);
    struct api_answer answer = ask("GET", "/v1/history?limit=1", NULL, 200);
    assert_int_equal(json_value_count(json_value_get(answer.json, "history")), 1);
    assert_true(json_value_truth(json_value_get(answer.json, "more")));
    api_answer_free(&answer);
    answer = ask("GET", "/v1/history?since=1h", NULL, 200);
    assert_true(json_value_count(json_value_get(answer.json, "history")) >= 4);
    assert_false(json_value_truth(json_value_get(answer.json, "more")));
    api_answer_free(&answer);
    answer = ask("GET", "/v1/history?since=2999-01-01T00:00:00Z", NULL, 200);
    assert_int_equal(json_value_count(json_value_get(answer.json, "history")), 0);
    api_answer_free(&answer);
}

static void what_was_deleted_has_a_history_too(void **state)
{
    char path[80], id[40], target[80];
    make_pool(path);
    change("DELETE", path, NULL, id);
    struct api_answer answer = ask("GET", "/v1/history?object=workers", NULL, 200);
    assert_int_equal(json_value_count(json_value_get(answer.json, "history")), 2);
    api_answer_free(&answer);
    snprintf(target, sizeof(target), "/v1/changes/%s", id);
    answer = ask("GET", target, NULL, 200);
    const struct json_value *object =
        json_value_at(json_value_get(json_value_get(answer.json, "change"), "changes"), 0);
    assert_string_equal(json_value_get_text(object, "action"), "delete");
    assert_string_equal(json_value_get_text(object, "object_name"), "workers");
    api_answer_free(&answer);
}

static void a_restarted_node_knows_the_past(void **state)
{
    char path[80];
    make_pool(path);
    describe(path, "one", NULL);
    struct api_answer answer = ask("GET", "/v1/history", NULL, 200);
    char *before = strdup(text_string(&answer.body));
    api_answer_free(&answer);
    store_fixture_restart(&node);
    answer = ask("GET", "/v1/history", NULL, 200);
    assert_string_equal(text_string(&answer.body), before);
    api_answer_free(&answer);
    free(before);
}

static void a_diff_compares_two_points(void **state)
{
    char path[80], first[40], second[40], third[40], target[160];
    make_pool(path);
    describe(path, "one", first);
    describe(path, "two", second);
    describe(path, "three", third);
    snprintf(target, sizeof(target), "/v1/diff?from=%s&to=%s", first, second);
    struct api_answer answer = ask("GET", target, NULL, 200);
    const struct json_value *objects = json_value_get(answer.json, "diff");
    assert_int_equal(json_value_count(objects), 1);
    assert_differs(json_value_at(objects, 0), "description", "one", "two");
    api_answer_free(&answer);
    snprintf(target, sizeof(target), "/v1/diff?from=%s&to=now", first);
    answer = ask("GET", target, NULL, 200);
    assert_differs(json_value_at(json_value_get(answer.json, "diff"), 0), "description", "one",
                   "three");
    api_answer_free(&answer);
    snprintf(target, sizeof(target), "/v1/diff?from=%s&to=%s", third, first);
    answer = ask("GET", target, NULL, 400);
    assert_non_null(strstr(api_fault(&answer), "later than"));
    api_answer_free(&answer);
    answer = ask("GET", "/v1/diff?from=1d&to=now", NULL, 200);
    objects = json_value_get(answer.json, "diff");
    for (size_t i = 0; i < json_value_count(objects); i++)
        assert_string_equal(json_value_get_text(json_value_at(objects, i), "action"), "create");
    assert_true(json_value_count(objects) >= 4);
    api_answer_free(&answer);
}

/* ---- rollback -----------------------------------------------------------------------------
 */

static struct api_answer roll_back(const char *wish, int status)
{
    char body[300];
    snprintf(body, sizeof(body), "{\"rollback\":{%s}}", wish);
    return ask("POST", "/v1/rollback", body, status);
}

static void assert_description(const char *path, const char *expected)
{
    struct api_answer answer = ask("GET", path, NULL, 200);
    const struct json_value *pool = json_value_get(answer.json, "pool");
    assert_string_equal(json_value_get_text(pool, "description"), expected);
    api_answer_free(&answer);
}

static void a_rolled_back_change_is_as_if_it_had_not_been(void **state)
{
    char path[80], first[40], wish[80];
    make_pool(path);
    describe(path, "one", NULL);
    describe(path, "two", first);
    snprintf(wish, sizeof(wish), "\"change\":\"%s\"", first);
    struct api_answer answer = roll_back(wish, 200);
    const struct json_value *objects =
        json_value_get(json_value_get(answer.json, "rollback"), "changes");
    assert_int_equal(json_value_count(objects), 1);
    assert_differs(json_value_at(objects, 0), "description", "two", "one");
    snprintf(wish, sizeof(wish), "\"change\":\"%s\"", api_field(&answer, "X-Lbnode-Change"));
    api_answer_free(&answer);
    assert_description(path, "one");
    answer = roll_back(wish, 200); /* of the rollback */
    api_answer_free(&answer);
    assert_description(path, "two");
}

static void another_attribute_of_the_same_facet_stays(void **state)
{
    char path[80], id[40], wish[80];
    make_pool(path);
    describe(path, "one", id);
    change("PUT", path, "{\"pool\":{\"name\":\"others\"}}", NULL);
    snprintf(wish, sizeof(wish), "\"change\":\"%s\"", id);
    struct api_answer answer = roll_back(wish, 200);
    api_answer_free(&answer);
    answer = ask("GET", path, NULL, 200);
    const struct json_value *pool = json_value_get(answer.json, "pool");
    assert_string_equal(json_value_get_text(pool, "description"), "");
    assert_string_equal(json_value_get_text(pool, "name"), "others");
    api_answer_free(&answer);
}

static void a_creation_and_a_deletion_go_back(void **state)
{
    char path[80], members[120], made[40], deleted[40], wish[80];
    make_pool(path);
    snprintf(members, sizeof(members), "%s/members", path);
    change("POST", members,
           "{\"member\":{\"name\":\"w1\",\"address\":\"10.77.0.21\",\"protocol_port\":80}}",
           made);
    change("DELETE", path, NULL, deleted);
    snprintf(wish, sizeof(wish), "\"change\":\"%s\"", deleted);
    struct api_answer answer = roll_back(wish, 200);
    api_answer_free(&answer);
    answer = ask("GET", members, NULL, 200);
    assert_int_equal(json_value_count(json_value_get(answer.json, "members")), 1);
    api_answer_free(&answer);
    snprintf(wish, sizeof(wish), "\"change\":\"%s\"", made);
    answer = roll_back(wish, 200);
    api_answer_free(&answer);
    answer = ask("GET", members, NULL, 200);
    assert_int_equal(json_value_count(json_value_get(answer.json, "members")), 0);
    api_answer_free(&answer);
}

static void all_since_a_point_goes_back(void **state)
{
    char path[80], id[40], wish[120];
    make_pool(path);
    describe(path, "one", id);
    describe(path, "two", NULL);
    change("PUT", path, "{\"pool\":{\"lb_algorithm\":\"SOURCE_IP\"}}", NULL);
    change("POST", LBAAS "/loadbalancers",
           "{\"loadbalancer\":{\"name\":\"second\",\"vip_address\":\"10.77.0.101\"}}", NULL);
    snprintf(wish, sizeof(wish), "\"to\":\"%s\",\"dry_run\":true", id);
    struct api_answer answer = roll_back(wish, 200);
    assert_false(
        json_value_truth(json_value_get(json_value_get(answer.json, "rollback"), "applied")));
    api_answer_free(&answer);
    assert_description(path, "two");
    snprintf(wish, sizeof(wish), "\"to\":\"%s\"", id);
    answer = roll_back(wish, 200);
    api_answer_free(&answer);
    assert_description(path, "one");
    answer = ask("GET", LBAAS "/loadbalancers", NULL, 200);
    assert_int_equal(json_value_count(json_value_get(answer.json, "loadbalancers")), 1);
    api_answer_free(&answer);
    answer = roll_back(wish, 200); /* what came since is as it should be */
    assert_int_equal(
        json_value_count(json_value_get(json_value_get(answer.json, "rollback"), "changes")),
        0);
    api_answer_free(&answer);
}

static void what_does_not_fit_any_more_is_refused(void **state)
{
    char path[80], deleted[40], wish[80];
    make_pool(path);
    struct api_answer answer = ask("GET", LBAAS "/loadbalancers", NULL, 200);
    const struct json_value *balancer =
        json_value_at(json_value_get(answer.json, "loadbalancers"), 0);
    char target[120];
    snprintf(target, sizeof(target), LBAAS "/loadbalancers/%s?cascade=true",
             json_value_get_text(balancer, "id"));
    api_answer_free(&answer);
    change("DELETE", target, NULL, deleted);
    change("POST", LBAAS "/loadbalancers",
           "{\"loadbalancer\":{\"name\":\"second\",\"vip_address\":\"10.77.0.100\"}}", NULL);
    snprintf(wish, sizeof(wish), "\"change\":\"%s\",\"force\":true", deleted);
    answer = roll_back(wish, 409);
    assert_non_null(strstr(api_fault(&answer), "does not fit"));
    api_answer_free(&answer);
}

static void a_rollback_that_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *wish;
        int status;
        const char *sentence;
    } cases[] = {
        {"", 400, "either"},
        {"\"to\":\"1h\",\"change\":\"2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01\"", 400, "either"},
        {"\"to\":\"soon\"", 400, "'soon'"},
        {"\"change\":\"last\"", 400, "'last'"},
        {"\"change\":\"2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01\"", 404, "not known here"},
        {"\"to\":\"1h\",\"object\":\"nobody\"", 404, "'nobody'"},
        {"\"to\":\"1h\",\"force\":1", 400, "true or false"},
        {"\"to\":\"1h\",\"hard\":true", 400, "'hard'"},
    };
    char path[80];
    make_pool(path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api_answer answer = roll_back(cases[i].wish, cases[i].status);
        if (!strstr(api_fault(&answer), cases[i].sentence))
            fail_msg("%s: %s", cases[i].wish, api_fault(&answer));
        api_answer_free(&answer);
    }
}

static void what_cannot_be_meant_is_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *sentence;
    } cases[] = {
        {"/v1/history?since=soon", 400, "'soon'"},
        {"/v1/history?limit=0", 400, "1 to 1000"},
        {"/v1/history?limit=many", 400, "1 to 1000"},
        {"/v1/history?object=nobody", 404, "'nobody'"},
        {"/v1/history?object=", 404, "''"},
        {"/v1/changes/nonsense", 404, "nonsense"},
        {"/v1/changes/2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01", 404, "not known here"},
        {"/v1/diff", 400, "from"},
        {"/v1/diff?from=1h", 400, "field/attribute to"},
        {"/v1/diff?from=1h&to=eventually", 400, "'eventually'"},
        {"/v1/diff?from=2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01&to=now", 404, "not known here"},
    };
    char path[80];
    make_pool(path);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api_answer answer = ask("GET", cases[i].target, NULL, cases[i].status);
        if (!strstr(api_fault(&answer), cases[i].sentence))
            fail_msg("%s: %s", cases[i].target, api_fault(&answer));
        api_answer_free(&answer);
    }
}

/* ---- what is no longer kept
 * ------------------------------------------------------------------ */

static size_t count_changes(void)
{
    struct api_answer answer = ask("GET", "/v1/history?object=workers", NULL, 200);
    size_t count = json_value_count(json_value_get(answer.json, "history"));
    api_answer_free(&answer);
    return count;
}

static void assert_told_as_gone(const char *gone, const char *kept)
{
    char target[80], wish[80];
    snprintf(target, sizeof(target), "/v1/changes/%s", gone);
    struct api_answer answer = ask("GET", target, NULL, 404);
    assert_non_null(strstr(api_fault(&answer), "is gone"));
    api_answer_free(&answer);
    answer = ask("GET", "/v1/history?object=workers", NULL, 200);
    assert_non_null(json_value_get_text(answer.json, "complete_since"));
    const struct json_value *newest = json_value_at(json_value_get(answer.json, "history"), 0);
    const struct json_value *object = json_value_at(json_value_get(newest, "changes"), 0);
    assert_string_equal(json_value_get_text(newest, "id"), kept);
    assert_true(json_value_truth(json_value_get(object, "before_is_gone")));
    api_answer_free(&answer);
    snprintf(wish, sizeof(wish), "\"change\":\"%s\"", kept);
    answer = roll_back(wish, 409);
    assert_non_null(strstr(api_fault(&answer), "no longer kept"));
    api_answer_free(&answer);
    answer = ask("GET", "/v1/audit", NULL, 200);
    const struct json_value *audit = json_value_get(answer.json, "audit");
    assert_true(json_value_truth(json_value_get(audit, "good")));
    assert_true(json_value_number(json_value_get(audit, "purged")) > 0);
    api_answer_free(&answer);
}

/* What was before the kept change could be taken for what its creation said: it is not. */
static void what_retention_removed_is_told_as_gone_and_never_guessed(void **state)
{
    const uint64_t deadline_ms = monotime_now_ms() + 20000;
    char path[80], gone[40], kept[40];
    make_pool(path);
    describe(path, "one", gone);
    describe(path, "two", kept);
    while (count_changes() > 2)
        if (monotime_now_ms() > deadline_ms)
            fail_msg("nothing was removed");
    assert_told_as_gone(gone, kept);
    store_fixture_restart(&node);
    assert_told_as_gone(gone, kept);
}

#define HISTORY_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HISTORY_TEST(a_history_says_who_did_what_newest_first),
        HISTORY_TEST(a_history_can_be_cut_short),
        HISTORY_TEST(what_was_deleted_has_a_history_too),
        HISTORY_TEST(a_restarted_node_knows_the_past),
        HISTORY_TEST(a_diff_compares_two_points),
        HISTORY_TEST(a_rolled_back_change_is_as_if_it_had_not_been),
        HISTORY_TEST(another_attribute_of_the_same_facet_stays),
        HISTORY_TEST(a_creation_and_a_deletion_go_back),
        HISTORY_TEST(all_since_a_point_goes_back),
        HISTORY_TEST(what_does_not_fit_any_more_is_refused),
        HISTORY_TEST(a_rollback_that_cannot_be_meant_is_refused),
        cmocka_unit_test_setup_teardown(
            what_retention_removed_is_told_as_gone_and_never_guessed, setup_forgetful,
            teardown),
        HISTORY_TEST(what_cannot_be_meant_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

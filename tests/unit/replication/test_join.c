/* Who is let in, and who is not. */
#include "tests/unit/replication/cluster_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct token_view only_token;

static void keep_token(void *context, const struct token_view *token)
{
    only_token = *token;
}

static const struct token_view *token_of(const struct test_node *inviter)
{
    memset(&only_token, 0, sizeof(only_token));
    replication_visit_tokens(inviter->replication, keep_token, NULL);
    return &only_token;
}

static void count_open(void *context, const struct token_view *token)
{
    *(int *)context += token->state == TOKEN_OPEN;
}

static int open_tokens(const struct test_node *inviter)
{
    int open = 0;
    replication_visit_tokens(inviter->replication, count_open, &open);
    return open;
}

static void a_token_works_once(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(node_at(0), token);
    assert_int_equal(token_of(node_at(0))->state, TOKEN_OPEN);
    join_cluster(node_at(1), token);
    assert_string_equal(last_answer()->error.text, "");
    assert_int_equal(token_of(node_at(0))->state, TOKEN_USED);
    join_cluster(node_at(2), token);
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    assert_non_null(strstr(last_answer()->error.text, "used already"));
    assert_false(replication_is_initialised(node_at(2)->replication));
    assert_int_equal(node_at(0)->events[EVENT_JOIN_REFUSED], 1);
    assert_non_null(strstr(node_at(0)->last_refusal, "used already"));
}

static void both_sides_of_a_join_show_the_same_six_words(void **state)
{
    char here[JOIN_FINGERPRINT_SIZE], there[JOIN_FINGERPRINT_SIZE];
    form_pair();
    const struct uuid joined = *replication_node_id(node_at(1)->replication);
    assert_true(replication_fingerprint(node_at(0)->replication, &joined, here));
    assert_true(replication_fingerprint(node_at(1)->replication, &joined, there));
    assert_string_equal(here, there);
    assert_string_equal(token_of(node_at(0))->fingerprint, here);
    assert_int_equal(node_at(0)->events[EVENT_NODE_FINGERPRINT], 1);
    assert_false(replication_fingerprint(node_at(1)->replication,
                                         replication_node_id(node_at(0)->replication), there));
}

/* As if it had crashed after it was let in: its disk knows nothing of the cluster. */
static void forget_the_cluster(struct test_node *node)
{
    char command[256];
    stop_node(node);
    snprintf(command, sizeof(command), "rm %s/config.mdb*", node->directory);
    assert_int_equal(system(command), 0);
    start_node(node);
    assert_false(replication_is_initialised(node->replication));
}

static void a_joiner_that_crashed_may_finish_with_its_token(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(node_at(0), token);
    join_cluster(node_at(1), token);
    assert_string_equal(last_answer()->error.text, "");
    forget_the_cluster(node_at(1));
    join_cluster(node_at(1), token);
    assert_string_equal(last_answer()->error.text, "");
    wait_until(pair_is_synced, "in sync");
    assert_same_state(node_at(0), node_at(1));
}

static void a_removed_node_is_not_let_in_again_with_its_old_key(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    struct submit_options options = {0};
    form_pair();
    const struct uuid removed = *replication_node_id(node_at(1)->replication);
    stop_node(node_at(1));
    replication_remove_node(node_at(0)->replication, &removed, false, &options, on_submitted,
                            NULL);
    await_done();
    assert_string_equal(last_answer()->error.text, "");
    start_node(node_at(1));
    forget_the_cluster(node_at(1));
    create_token(node_at(0), token);
    join_cluster(node_at(1), token);
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    assert_non_null(strstr(last_answer()->error.text, "was removed from the cluster"));
    assert_int_equal(open_tokens(node_at(0)), 1);
}

static void a_token_of_another_node_is_not_answered(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    form_pair();
    create_token(node_at(0), token);
    struct ip_endpoint first = node_at(0)->endpoint;
    stop_node(node_at(0));
    stop_node(node_at(1));
    node_at(1)->endpoint = first; /* the other node has that address now */
    start_node(node_at(1));
    join_cluster(node_at(2), token);
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    assert_non_null(strstr(last_answer()->error.text, "comes from another node"));
    assert_int_equal(node_at(1)->events[EVENT_JOIN_REFUSED], 1);
}

static void no_more_than_five_attempts_a_minute_are_examined(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    stop_node(node_at(1));
    snprintf(node_at(1)->name, sizeof(node_at(1)->name), "%s", "lb1");
    start_node(node_at(1));
    create_token(node_at(0), token);
    for (int i = 0; i < 5; i++) {
        join_cluster(node_at(1), token);
        assert_non_null(strstr(last_answer()->error.text, "this name"));
    }
    join_cluster(node_at(1), token);
    assert_non_null(strstr(last_answer()->error.text, "gave no answer"));
    assert_non_null(strstr(node_at(0)->last_refusal, "too many attempts"));
}

static void a_token_can_be_taken_back(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    struct error error = {0};
    init_first();
    create_token(node_at(0), token);
    assert_true(
        replication_token_delete(node_at(0)->replication, token_of(node_at(0))->id, &error));
    join_cluster(node_at(1), token);
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    assert_false(replication_token_delete(node_at(0)->replication, "0011223344556677", &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
}

static void a_flood_of_refusals_does_not_flood_the_events(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(node_at(0), token);
    join_cluster(node_at(1), token);
    for (int i = 0; i < 15; i++) {
        join_cluster(node_at(2), token);
        assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    }
    assert_int_equal(node_at(0)->events[EVENT_JOIN_REFUSED], 10);
}

static int joins_ended, joins_good;

static void on_one_of_two(void *context, const struct error *error)
{
    joins_ended++;
    joins_good += error->kind == ERROR_NONE;
}

static bool both_joins_ended(void)
{
    return joins_ended == 2;
}

static void a_token_lets_one_of_two_in_that_come_at_once(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    joins_ended = joins_good = 0;
    init_first();
    create_token(node_at(0), token);
    replication_join(node_at(1)->replication, token, on_one_of_two, NULL);
    replication_join(node_at(2)->replication, token, on_one_of_two, NULL);
    wait_until(both_joins_ended, "the end of both joins");
    assert_int_equal(joins_good, 1);
    assert_int_equal(node_at(0)->events[EVENT_JOIN_REFUSED], 1);
}

static void a_damaged_token_is_refused_before_anything_is_sent(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(node_at(0), token);
    token[30] = token[30] == 'A' ? 'B' : 'A';
    join_cluster(node_at(1), token);
    assert_int_equal(last_answer()->error.kind, ERROR_INVALID);
    assert_int_equal(node_at(0)->events[EVENT_JOIN_REFUSED], 0);
}

static void a_member_cannot_join_again(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    form_pair();
    create_token(node_at(0), token);
    join_cluster(node_at(1), token);
    assert_int_equal(last_answer()->error.kind, ERROR_CONFLICT);
}

static void two_nodes_cannot_have_one_name(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    stop_node(node_at(1));
    snprintf(node_at(1)->name, sizeof(node_at(1)->name), "%s", "lb1");
    start_node(node_at(1));
    create_token(node_at(0), token);
    join_cluster(node_at(1), token);
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    assert_non_null(strstr(last_answer()->error.text, "name"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_token_works_once),
        TEST(both_sides_of_a_join_show_the_same_six_words),
        TEST(a_joiner_that_crashed_may_finish_with_its_token),
        TEST(a_removed_node_is_not_let_in_again_with_its_old_key),
        TEST(a_token_of_another_node_is_not_answered),
        TEST(no_more_than_five_attempts_a_minute_are_examined),
        TEST(a_token_can_be_taken_back),
        TEST(a_flood_of_refusals_does_not_flood_the_events),
        TEST(a_token_lets_one_of_two_in_that_come_at_once),
        TEST(a_damaged_token_is_refused_before_anything_is_sent),
        TEST(a_member_cannot_join_again),
        TEST(two_nodes_cannot_have_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A node gets a new key, whenever the power fails meanwhile. */
#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "replication/node_key.h"
#include "replication/replication_internal.h"
#include "tests/unit/replication/cluster_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void key_path(const struct test_node *node, const char *more, char out[128])
{
    snprintf(out, 128, "%s/node.key%s", node->directory, more);
}

static bool has_next(const struct test_node *node)
{
    char path[128];
    key_path(node, ".new", path);
    return access(path, F_OK) == 0;
}

static void public_key(const struct test_node *node, uint8_t out[SIGN_PUBLIC_KEY_SIZE])
{
    memcpy(out, sign_key_public(node->replication->key), SIGN_PUBLIC_KEY_SIZE);
}

/* The key by which VIEWER knows NODE. */
static const uint8_t *known_key(const struct test_node *viewer, const struct test_node *node)
{
    return roster_find(core_roster(viewer->replication->core),
                       replication_node_id(node->replication))
        ->public_key;
}

static void rekey(struct test_node *node)
{
    struct error error = {0};
    if (!replication_rekey(node->replication, "ann", "cli", on_done, NULL, &error))
        fail_msg("%s", error.text);
    await_done();
    assert_string_equal(last_answer()->error.text, "");
}

static void a_node_goes_on_with_a_new_key(void **state)
{
    struct uuid object = uuid_random();
    uint8_t before[SIGN_PUBLIC_KEY_SIZE], after[SIGN_PUBLIC_KEY_SIZE];
    form_pair();
    submit_value(node_at(0), &object, "with the old key");
    public_key(node_at(0), before);
    rekey(node_at(0));
    public_key(node_at(0), after);
    assert_memory_not_equal(before, after, sizeof(before));
    assert_memory_equal(known_key(node_at(1), node_at(0)), after, sizeof(after));
    wait_until(pair_is_synced, "in sync");
    submit_value(node_at(0), &object, "with the new key");
    wait_until(pair_is_synced, "in sync");
    assert_string_equal(value_on(node_at(1), &object).value, "with the new key");
    assert_false(has_next(node_at(0)));
    stop_node(node_at(0));
    start_node(node_at(0));
    assert_memory_equal(sign_key_public(node_at(0)->replication->key), after, sizeof(after));
    submit_value(node_at(0), &object, "after a restart");
    wait_until(pair_is_synced, "in sync");
    assert_same_state(node_at(0), node_at(1));
}

static void both_nodes_of_a_pair_get_new_keys_one_after_the_other(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    rekey(node_at(0));
    wait_until(pair_is_synced, "in sync");
    rekey(node_at(1));
    wait_until(pair_is_synced, "in sync");
    rekey(node_at(0));
    wait_until(pair_is_synced, "in sync");
    submit_value(node_at(1), &object, "x");
    wait_until(pair_is_synced, "in sync");
    assert_string_equal(value_on(node_at(0), &object).value, "x");
}

static bool has_no_next(void)
{
    return !has_next(node_at(0));
}

/* Whether the record was never made or went with a disk: nobody can know. */
static void a_key_that_no_record_names_is_given_once_all_answer(void **state)
{
    char path[128];
    struct uuid object = uuid_random();
    uint8_t wanted[SIGN_PUBLIC_KEY_SIZE];
    struct error error = {0};
    form_pair();
    const struct uuid id = *replication_node_id(node_at(0)->replication);
    stop_node(node_at(0));
    stop_node(node_at(1));
    struct sign_key *next = sign_key_generate();
    memcpy(wanted, sign_key_public(next), sizeof(wanted));
    key_path(node_at(0), "", path);
    assert_true(node_key_write_next(path, &id, next, &error));
    sign_key_free(next);
    start_node(node_at(0));
    assert_memory_not_equal(sign_key_public(node_at(0)->replication->key), wanted,
                            sizeof(wanted));
    assert_false(rekey_allows(node_at(0)->replication, &error));
    assert_non_null(strstr(error.text, "new key"));
    assert_true(rekey_allows_removal(node_at(0)->replication, &error)); /* of who is silent */
    uint64_t started_us = monotime_now_us();
    start_node(node_at(1));
    wait_until(has_no_next, "the new key");
    /* What the other one may have been writing meanwhile is on its disk. */
    assert_true(monotime_now_us() - started_us >= 3000000);
    wait_until(pair_is_synced, "in sync");
    assert_memory_equal(known_key(node_at(1), node_at(0)), wanted, sizeof(wanted));
    submit_value(node_at(0), &object, "goes on");
    wait_until(pair_is_synced, "in sync");
    assert_string_equal(value_on(node_at(1), &object).value, "goes on");
}

/* Its disk is as it was before, the other one knows the new key alone. */
static void a_node_that_lost_the_record_of_its_new_key_goes_on_with_that(void **state)
{
    struct uuid object = uuid_random();
    uint8_t after[SIGN_PUBLIC_KEY_SIZE];
    char command[600];
    const char *directory = node_at(0)->directory;
    form_pair();
    stop_node(node_at(0));
    snprintf(command, sizeof(command), "cd %s && cp -p node.key old && cp -p config.mdb older",
             directory);
    assert_int_equal(system(command), 0);
    start_node(node_at(0));
    wait_until(pair_is_synced, "in sync");
    rekey(node_at(0));
    public_key(node_at(0), after);
    stop_node(node_at(0));
    snprintf(command, sizeof(command),
             "cd %s && mv node.key node.key.new && mv old node.key && mv older config.mdb",
             directory);
    assert_int_equal(system(command), 0);
    start_node(node_at(0));
    wait_until(has_no_next, "the new key");
    wait_until(pair_is_synced, "in sync");
    assert_memory_equal(sign_key_public(node_at(0)->replication->key), after, sizeof(after));
    submit_value(node_at(0), &object, "goes on");
    wait_until(pair_is_synced, "in sync");
    assert_string_equal(value_on(node_at(1), &object).value, "goes on");
}

static bool record_is_committed(void)
{
    return rekey_allows(node_at(0)->replication, NULL);
}

static void forget_answer(void *context, const struct error *error)
{}

/* The record is on its own disk alone: the other one knows the old key. */
static void a_node_that_dies_before_the_others_know_its_new_key_tells_them_later(void **state)
{
    struct uuid object = uuid_random();
    uint8_t before[SIGN_PUBLIC_KEY_SIZE];
    struct error error = {0};
    form_pair();
    public_key(node_at(0), before);
    assert_true(
        replication_rekey(node_at(0)->replication, "ann", "cli", forget_answer, NULL, &error));
    stop_node(node_at(1)); /* before anything reaches it */
    wait_until(record_is_committed, "the record");
    stop_node(node_at(0));
    assert_true(has_next(node_at(0)));
    start_node(node_at(1));
    start_node(node_at(0));
    wait_until(pair_is_synced, "in sync");
    assert_memory_not_equal(known_key(node_at(1), node_at(0)), before, sizeof(before));
    submit_value(node_at(0), &object, "goes on");
    wait_until(pair_is_synced, "in sync");
    assert_string_equal(value_on(node_at(1), &object).value, "goes on");
    assert_false(has_next(node_at(0)));
}

/* The record is everywhere, only the file was not renamed. */
static void a_node_that_dies_before_its_file_is_renamed_speaks_with_the_new_key(void **state)
{
    char path[128], next_path[128];
    uint8_t after[SIGN_PUBLIC_KEY_SIZE];
    char command[300];
    form_pair();
    key_path(node_at(0), "", path);
    key_path(node_at(0), ".new", next_path);
    snprintf(command, sizeof(command), "cp -p %s %s.old", path, path);
    assert_int_equal(system(command), 0);
    rekey(node_at(0));
    public_key(node_at(0), after);
    stop_node(node_at(0));
    snprintf(command, sizeof(command), "mv %s %s && mv %s.old %s", path, next_path, path, path);
    assert_int_equal(system(command), 0);
    start_node(node_at(0));
    assert_memory_equal(sign_key_public(node_at(0)->replication->key), after, sizeof(after));
    wait_until(pair_is_synced, "in sync");
    assert_same_state(node_at(0), node_at(1));
}

static bool peer_is_gone(void)
{
    return node_at(0)->events[EVENT_PEER_UNREACHABLE] > 0;
}

static void no_new_key_while_a_node_does_not_answer(void **state)
{
    struct error error = {0};
    form_pair();
    stop_node(node_at(1));
    wait_until(peer_is_gone, "lb2 unreachable");
    assert_false(
        replication_rekey(node_at(0)->replication, "ann", "cli", forget_answer, NULL, &error));
    assert_non_null(strstr(error.text, "lb2 does not answer"));
    assert_false(has_next(node_at(0)));
}

static void tokens_of_the_old_key_are_void(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    form_pair();
    create_token(node_at(0), token);
    rekey(node_at(0));
    join_cluster(node_at(2), token);
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    join_through(node_at(2), node_at(0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_node_goes_on_with_a_new_key),
        TEST(both_nodes_of_a_pair_get_new_keys_one_after_the_other),
        TEST(a_key_that_no_record_names_is_given_once_all_answer),
        TEST(a_node_that_lost_the_record_of_its_new_key_goes_on_with_that),
        TEST(a_node_that_dies_before_the_others_know_its_new_key_tells_them_later),
        TEST(a_node_that_dies_before_its_file_is_renamed_speaks_with_the_new_key),
        TEST(no_new_key_while_a_node_does_not_answer),
        TEST(tokens_of_the_old_key_are_void),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

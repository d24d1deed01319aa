#include "replication/replication_internal.h"
#include "tests/unit/replication/cluster_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_change_on_either_node_is_on_both(void **state)
{
    struct uuid first = uuid_random(), second = uuid_random();
    form_pair();
    submit_value(node_at(0), &first, "from lb1");
    assert_int_equal(last_answer()->result.peers_running, 1);
    assert_non_null(
        strstr(last_answer()->result.text, "committed, replicated to 1/1 peers in "));
    assert_string_equal(value_on(node_at(1), &first).value, "from lb1");
    submit_value(node_at(1), &second, "from lb2");
    assert_int_equal(last_answer()->result.peers_durable, 1);
    assert_string_equal(value_on(node_at(0), &second).value, "from lb2");
    assert_same_state(node_at(0), node_at(1));
}

static bool peer_is_gone(void)
{
    return node_at(0)->events[EVENT_PEER_UNREACHABLE] > 0;
}

static void a_node_catches_up_after_an_absence(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    stop_node(node_at(1));
    wait_until(peer_is_gone, "lb2 unreachable");
    for (int i = 0; i < 20; i++)
        submit_value(node_at(0), &object, "while away");
    assert_non_null(
        strstr(last_answer()->result.text, "committed on lb1 ONLY: lb2 unreachable for "));
    assert_non_null(strstr(last_answer()->result.text, "20 changes waiting"));
    start_node(node_at(1));
    wait_until(pair_is_synced, "in sync again");
    assert_string_equal(value_on(node_at(1), &object).value, "while away");
    assert_same_state(node_at(0), node_at(1));
}

static bool second_took_a_snapshot(void)
{
    return pair_is_synced() && node_at(1)->events[EVENT_BOOTSTRAP_DONE] > 0;
}

static void a_node_takes_a_snapshot_after_a_long_absence(void **state)
{
    const struct uuid object = {{0x31}}, other = {{0x32}};
    char value[3000];
    form_pair();
    stop_node(node_at(0));
    submit_value(node_at(1), &other, "made alone");
    stop_node(node_at(1));
    start_node(node_at(0));
    for (int i = 0; i < 3 * SNAPSHOT_AFTER_RECORDS; i++) {
        memset(value, 'a' + i % 26, sizeof(value)); /* more than the stream takes at once */
        value[sizeof(value) - 1] = 0;
        submit_value(node_at(0), &object, value);
    }
    memset(node_at(1)->events, 0, sizeof(node_at(1)->events));
    start_node(node_at(1));
    wait_until(second_took_a_snapshot, "a snapshot is taken");
    assert_same_state(node_at(0), node_at(1));
    submit_value(node_at(1), &object, "after");
    wait_until(pair_is_synced, "changes travel as before");
    stop_node(node_at(1));
    start_node(node_at(1));
    wait_until(pair_is_synced, "the disk has it");
    assert_same_state(node_at(0), node_at(1));
}

static void both_sides_of_a_cut_keep_the_conflict_until_a_later_write(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    submit_value(node_at(0), &object, "before");
    stop_node(node_at(1));
    wait_until(peer_is_gone, "lb2 unreachable");
    submit_value(node_at(0), &object, "lb1 says");
    stop_node(node_at(0));
    start_node(node_at(1));
    submit_value(node_at(1), &object, "lb2 says");
    start_node(node_at(0));
    wait_until(pair_is_synced, "in sync again");
    struct wanted a = value_on(node_at(0), &object), b = value_on(node_at(1), &object);
    assert_string_equal(a.value, b.value);
    assert_int_equal(a.entries, 2);
    assert_int_equal(b.entries, 2);
    submit_value(node_at(0), &object, "settled");
    assert_int_equal(value_on(node_at(0), &object).entries, 1);
    wait_until(pair_is_synced, "in sync again");
    assert_int_equal(value_on(node_at(1), &object).entries, 1);
}

static void a_large_change_travels_by_stream(void **state)
{
    struct uuid object = uuid_random();
    char large[20000];
    form_pair();
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = 0;
    submit_value(node_at(0), &object, large);
    assert_int_equal(last_answer()->result.peers_durable, 1);
    assert_same_state(node_at(0), node_at(1));
}

static bool survivor_is_synced(void)
{
    return synced_peers(node_at(1)) == 1 && synced_peers(node_at(2)) == 1;
}

static void the_survivor_removes_the_dead_and_invites_a_new_one(void **state)
{
    struct uuid object = uuid_random(), dead = {0};
    struct submit_options options = {.author = "ann", .via = "cli"};
    form_pair();
    dead = *replication_node_id(node_at(0)->replication);
    submit_value(node_at(0), &object, "kept");
    stop_node(node_at(0)); /* the one that founded the cluster */
    replication_remove_node(node_at(1)->replication, &dead, false, &options, on_submitted,
                            NULL);
    await_done();
    assert_int_equal(last_answer()->error.kind, ERROR_NONE);
    assert_string_equal(last_answer()->result.text, "committed on lb2");
    join_through(node_at(2), node_at(1));
    assert_string_equal(value_on(node_at(2), &object).value, "kept");
    wait_until(survivor_is_synced, "the new node and the survivor in sync");
    submit_value(node_at(2), &object, "newer");
    assert_string_equal(value_on(node_at(1), &object).value, "newer");
}

static bool removed_node_knows(void)
{
    return node_at(0)->events[EVENT_NODE_REMOVED] > 0;
}

static void a_removed_node_that_comes_back_is_told(void **state)
{
    struct uuid object = uuid_random(), dead;
    struct submit_options options = {0};
    form_pair();
    dead = *replication_node_id(node_at(0)->replication);
    stop_node(node_at(0));
    replication_remove_node(node_at(1)->replication, &dead, false, &options, on_submitted,
                            NULL);
    await_done();
    node_at(0)->events[EVENT_NODE_REMOVED] = 0;
    start_node(node_at(0));
    wait_until(removed_node_knows, "the removed node knows it");
    submit_value(node_at(0), &object, "too late");
    assert_int_equal(last_answer()->error.kind, ERROR_REFUSED);
    assert_string_equal(value_on(node_at(1), &object).value, "");
}

static void a_third_node_joins_through_the_second(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    submit_value(node_at(0), &object, "old");
    join_through(node_at(2), node_at(1));
    wait_until(trio_is_synced, "three nodes in sync");
    submit_value(node_at(2), &object, "new");
    assert_int_equal(last_answer()->result.peers, 2);
    assert_int_equal(last_answer()->result.peers_durable, 2);
    assert_string_equal(value_on(node_at(0), &object).value, "new");
    assert_same_state(node_at(0), node_at(2));
}

static void a_node_that_joins_opens_the_same_keys(void **state)
{
    form_pair();
    join_through(node_at(2), node_at(1));
    wait_until(trio_is_synced, "three nodes in sync");
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        size_t count;
        const struct keyring_key *keys =
            keyring_keys(node_at(0)->replication->keyring, purpose, &count);
        assert_int_equal(count, 1);
        for (int i = 1; i < NODES; i++) {
            const struct keyring_key *key =
                keyring_in_use(node_at(i)->replication->keyring, purpose);
            assert_non_null(key);
            assert_memory_equal(key->secret, keys[0].secret, KEY_SIZE);
            assert_true(key->everywhere);
        }
    }
}

static bool clone_is_reported(void)
{
    return node_at(0)->events[EVENT_NODE_CLONED] > 0;
}

static void find_clone(void *context, const struct evidence *evidence)
{
    if (evidence->kind == EVIDENCE_CLONED)
        snprintf(context, sizeof(evidence->text), "%s", evidence->text);
}

static void a_node_on_a_copied_disk_is_noticed(void **state)
{
    char command[256], text[sizeof((struct evidence){0}.text)] = "";
    form_pair();
    stop_node(node_at(1));
    stop_node(node_at(2));
    snprintf(command, sizeof(command), "rm -r %s && cp -a %s %s", node_at(2)->directory,
             node_at(1)->directory, node_at(2)->directory);
    assert_int_equal(system(command), 0);
    start_node(node_at(1));
    start_node(node_at(2));
    wait_until(clone_is_reported, "lb1 hears lb2 twice");
    replication_visit_evidence(node_at(0)->replication, find_clone, text);
    assert_non_null(strstr(text, "node lb2 runs twice, at 127.0.0.1 and 127.0.0.1"));
    assert_int_equal(node_at(0)->events[EVENT_NODE_CLONED], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_change_on_either_node_is_on_both),
        TEST(a_node_catches_up_after_an_absence),
        TEST(a_node_takes_a_snapshot_after_a_long_absence),
        TEST(both_sides_of_a_cut_keep_the_conflict_until_a_later_write),
        TEST(a_large_change_travels_by_stream),
        TEST(the_survivor_removes_the_dead_and_invites_a_new_one),
        TEST(a_removed_node_that_comes_back_is_told),
        TEST(a_node_on_a_copied_disk_is_noticed),
        TEST(a_third_node_joins_through_the_second),
        TEST(a_node_that_joins_opens_the_same_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

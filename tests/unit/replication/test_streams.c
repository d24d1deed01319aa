/* Streams between whole nodes. */
#include "cluster_nodes.h"

#include <string.h>

/* Of the streams that others opened to the node. */
static uint64_t count_of(int node, const char *name)
{
    struct named_count wanted = {name, UINT64_MAX};
    replication_visit_streams(node_at(node)->replication, note_named_count, &wanted);
    return wanted.count;
}

/* A change that no datagram holds. */
static void submit_large(int node, char of)
{
    struct uuid object = uuid_random();
    char large[20000];
    memset(large, of, sizeof(large) - 1);
    large[sizeof(large) - 1] = 0;
    submit_value(node_at(node), &object, large);
    assert_int_equal(last_answer()->result.peers_durable, 1);
}

static void large_changes_travel_encrypted_on_one_stream(void **state)
{
    form_pair();
    for (int i = 0; i < 3; i++)
        submit_large(0, 'a');
    assert_int_equal(count_of(1, "answered"), 1);
    assert_int_equal(count_of(1, "signed"), 0);
    assert_int_equal(count_of(0, "answered"), 0); /* each answers by a stream of its own */
    submit_large(1, 'b');
    assert_int_equal(count_of(0, "answered"), 1);
}

static void
a_node_of_the_previous_version_gets_signed_streams_until_it_is_upgraded(void **state)
{
    restart_node(node_at(1), REPLICATION_PROTOCOL_SIGNED);
    form_pair();
    submit_large(0, 'a');
    submit_large(1, 'b');
    assert_int_equal(count_of(0, "signed"), 1);
    assert_int_equal(count_of(1, "signed"), 1);
    assert_int_equal(count_of(0, "answered"), 0);
    restart_node(node_at(1), 0);
    wait_until(pair_is_synced, "lb2 is back");
    submit_large(1, 'c');
    assert_int_equal(count_of(0, "answered") + count_of(0, "signed"), 2);
}

static bool first_saw_the_end(void)
{
    return count_of(1, "ended") == 1;
}

static void a_node_that_stops_ends_its_stream(void **state)
{
    form_pair();
    submit_large(0, 'a');
    stop_node(node_at(0));
    wait_until(first_saw_the_end, "the end of the stream");
    assert_int_equal(count_of(1, "cut"), 0);
}

static void count_secret(void *context, const struct key_summary *key)
{
    if (key->purpose == KEY_CLUSTER_SECRET)
        ++*(int *)context;
}

static bool old_secrets_are_gone(void)
{
    int secrets[2] = {0};
    for (int i = 0; i < 2; i++)
        replication_visit_keys(node_at(i)->replication, count_secret, &secrets[i]);
    return secrets[0] == 1 && secrets[1] == 1;
}

static void streams_end_with_the_secret_that_they_are_under(void **state)
{
    struct submit_options options = {.author = "ann", .via = "cli"};
    form_pair();
    submit_large(0, 'a');
    replication_rotate_keys(node_at(0)->replication, 1 << KEY_CLUSTER_SECRET, &options,
                            on_submitted, NULL);
    await_done();
    assert_int_equal(last_answer()->error.kind, ERROR_NONE);
    wait_until(old_secrets_are_gone, "the end of the secret");
    submit_large(0, 'b');
    assert_int_equal(count_of(1, "answered"), 2);
    assert_same_state(node_at(0), node_at(1));
}

static bool first_is_told(void)
{
    return node_at(1)->events[EVENT_NODE_REMOVED] > 0;
}

static void a_removed_node_has_no_stream_any_more(void **state)
{
    struct submit_options options = {.author = "ann", .via = "cli"};
    struct uuid object = uuid_random();
    form_pair();
    submit_large(0, 'a');
    submit_large(1, 'b');
    replication_remove_node(node_at(0)->replication,
                            replication_node_id(node_at(1)->replication), false, &options,
                            on_submitted, NULL);
    await_done();
    wait_until(first_is_told, "the removed node knows it");
    submit_value(node_at(0), &object, "alone");
    assert_int_equal(count_of(0, "answered"), 1);
    assert_int_equal(count_of(1, "answered"), 1);
    assert_int_equal(count_of(1, "ended") + count_of(1, "cut"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(large_changes_travel_encrypted_on_one_stream),
        TEST(a_node_of_the_previous_version_gets_signed_streams_until_it_is_upgraded),
        TEST(a_node_that_stops_ends_its_stream),
        TEST(streams_end_with_the_secret_that_they_are_under),
        TEST(a_removed_node_has_no_stream_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Two and three whole nodes in one process, over real sockets on the loopback. */
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NODES = 3,
    SNAPSHOT_AFTER_RECORDS = 20
};

struct test_node {
    struct replication *replication;
    char directory[64], name[8];
    struct ip_endpoint endpoint;
    unsigned events[EVENT_CODE_COUNT];
    char last_refusal[256];
};

static struct loop *loop;
static struct test_node nodes[NODES];

static struct {
    bool done;
    struct error error;
    struct submit_result result;
} last;

static void on_applied(void *context, uint64_t position)
{
    struct test_node *node = context;
    replication_set_running(node->replication, position);
}

static void on_event(void *context, enum event_code code, const char *text)
{
    struct test_node *node = context;
    node->events[code]++;
    if (code == EVENT_JOIN_REFUSED)
        snprintf(node->last_refusal, sizeof(node->last_refusal), "%s", text);
}

static void on_done(void *context, const struct error *error)
{
    last.error = *error;
    last.done = true;
}

static void on_submitted(void *context, const struct submit_result *result)
{
    last.result = *result;
    last.error = result->error;
    last.done = true;
}

static void start_node(struct test_node *node)
{
    struct replication_settings settings = {
        .state_dir = node->directory,
        .node_name = node->name,
        .listen = node->endpoint,
        .snapshot_after = SNAPSHOT_AFTER_RECORDS,
    };
    struct replication_handler handler = {
        .applied = on_applied, .event = on_event, .context = node};
    struct error error = {0};
    char address[IP_ENDPOINT_TEXT_SIZE];
    ip_endpoint_format(&node->endpoint, address);
    text_list_add(&settings.addresses, address, strlen(address));
    node->replication = replication_open(loop, &settings, &handler, &error);
    if (!node->replication || replication_start(node->replication, &error) != 0)
        fail_msg("%s", error.text);
    text_list_free(&settings.addresses);
}

static void stop_node(struct test_node *node)
{
    replication_close(node->replication);
    node->replication = NULL;
}

static bool is_free(int type, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    bool is_bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return is_bound;
}

/* Below those that the kernel gives to whoever connects, and in a range of this process: nobody
 * takes it before the node does, nor while the node is away. */
static uint16_t free_port(int index)
{
    enum {
        FIRST_PORT = 20000,
        PORTS = 12000,
        RANGE = 61 * NODES
    };
    for (int i = 0; i < PORTS; i += NODES) {
        uint16_t port = (uint16_t)(FIRST_PORT + (getpid() * RANGE + i + index) % PORTS);
        if (is_free(SOCK_STREAM, port) && is_free(SOCK_DGRAM, port))
            return port;
    }
    fail_msg("no port of %d is free", PORTS);
    return 0;
}

static void wait_until(bool (*condition)(void), const char *what)
{
    uint64_t deadline = monotime_now_ms() + 8000;
    while (!condition()) {
        if (monotime_now_ms() > deadline)
            fail_msg("never: %s", what);
        loop_turn(loop, true);
    }
}

static bool is_done(void)
{
    return last.done;
}

static void await_done(void)
{
    wait_until(is_done, "the answer");
    last.done = false;
}

static void init_first(void)
{
    char code[RECOVERY_CODE_SIZE];
    struct error error = {0};
    assert_true(replication_init(nodes[0].replication, "test", code, on_done, NULL, &error));
    await_done();
    assert_int_equal(last.error.kind, ERROR_NONE);
}

static void create_token(struct test_node *inviter, char token[JOIN_TOKEN_SIZE])
{
    struct error error = {0};
    if (!replication_token_create(inviter->replication, 60, token, &error))
        fail_msg("%s", error.text);
}

static void join(struct test_node *joiner, const char *token)
{
    replication_join(joiner->replication, token, on_done, NULL);
    await_done();
}

static void join_through(struct test_node *joiner, struct test_node *inviter)
{
    char token[JOIN_TOKEN_SIZE];
    create_token(inviter, token);
    join(joiner, token);
    assert_string_equal(last.error.text, "");
}

static void count_synced(void *context, const struct peer_view *peer)
{
    *(int *)context += peer->state == PEER_IS_ALIVE && peer->in_sync;
}

static int synced_peers(const struct test_node *node)
{
    int synced = 0;
    if (node->replication)
        replication_visit_peers(node->replication, count_synced, &synced);
    return synced;
}

static bool pair_is_synced(void)
{
    return synced_peers(&nodes[0]) == 1 && synced_peers(&nodes[1]) == 1;
}

static bool trio_is_synced(void)
{
    return synced_peers(&nodes[0]) == 2 && synced_peers(&nodes[1]) == 2 &&
           synced_peers(&nodes[2]) == 2;
}

static void form_pair(void)
{
    init_first();
    join_through(&nodes[1], &nodes[0]);
    wait_until(pair_is_synced, "two nodes in sync");
}

static void submit_value(struct test_node *node, const struct uuid *object, const char *value)
{
    struct change_set changes = {0};
    struct uuid none = {0};
    struct submit_options options = {.author = "ann", .via = "cli"};
    change_set_add(&changes, object, &none, 5, FACET_LIFE,
                   (struct bytes){(const uint8_t *)"\1", 1});
    change_set_add(&changes, object, &none, 5, 10,
                   (struct bytes){(const uint8_t *)value, strlen(value)});
    replication_submit(node->replication, &changes, &options, on_submitted, NULL);
    change_set_free(&changes);
    await_done();
}

struct wanted {
    struct uuid object;
    char value[64];
    unsigned entries;
};

static bool find_value(void *context, const struct raw_facet *facet)
{
    struct wanted *wanted = context;
    if (uuid_equal(&facet->object_id, &wanted->object) && facet->facet == 10) {
        snprintf(wanted->value, sizeof(wanted->value), "%.*s", (int)facet->value.size,
                 (const char *)facet->value.data);
        wanted->entries = facet->entry_count;
    }
    return true;
}

static struct wanted value_on(const struct test_node *node, const struct uuid *object)
{
    struct wanted wanted = {.object = *object};
    replication_visit_facets(node->replication, find_value, &wanted);
    return wanted;
}

static void assert_same_state(const struct test_node *a, const struct test_node *b)
{
    uint8_t left[32], right[32];
    replication_state_hash(a->replication, left);
    replication_state_hash(b->replication, right);
    assert_memory_equal(left, right, sizeof(left));
}

/* ---- tests ------------------------------------------------------------------------------ */

static void a_change_on_either_node_is_on_both(void **state)
{
    struct uuid first = uuid_random(), second = uuid_random();
    form_pair();
    submit_value(&nodes[0], &first, "from lb1");
    assert_int_equal(last.result.peers_running, 1);
    assert_non_null(strstr(last.result.text, "committed, replicated to 1/1 peers in "));
    assert_string_equal(value_on(&nodes[1], &first).value, "from lb1");
    submit_value(&nodes[1], &second, "from lb2");
    assert_int_equal(last.result.peers_durable, 1);
    assert_string_equal(value_on(&nodes[0], &second).value, "from lb2");
    assert_same_state(&nodes[0], &nodes[1]);
}

static void a_token_works_once(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(&nodes[0], token);
    join(&nodes[1], token);
    assert_string_equal(last.error.text, "");
    join(&nodes[2], token);
    assert_int_equal(last.error.kind, ERROR_REFUSED);
    assert_non_null(strstr(last.error.text, "used already"));
    assert_false(replication_is_initialised(nodes[2].replication));
    assert_int_equal(nodes[0].events[EVENT_JOIN_REFUSED], 1);
    assert_non_null(strstr(nodes[0].last_refusal, "lb3"));
}

static void a_flood_of_refusals_does_not_flood_the_events(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(&nodes[0], token);
    join(&nodes[1], token);
    for (int i = 0; i < 15; i++) {
        join(&nodes[2], token);
        assert_int_equal(last.error.kind, ERROR_REFUSED);
    }
    assert_int_equal(nodes[0].events[EVENT_JOIN_REFUSED], 10);
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
    create_token(&nodes[0], token);
    replication_join(nodes[1].replication, token, on_one_of_two, NULL);
    replication_join(nodes[2].replication, token, on_one_of_two, NULL);
    wait_until(both_joins_ended, "the end of both joins");
    assert_int_equal(joins_good, 1);
    assert_int_equal(nodes[0].events[EVENT_JOIN_REFUSED], 1);
}

static void a_damaged_token_is_refused_before_anything_is_sent(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    create_token(&nodes[0], token);
    token[30] = token[30] == 'A' ? 'B' : 'A';
    join(&nodes[1], token);
    assert_int_equal(last.error.kind, ERROR_INVALID);
    assert_int_equal(nodes[0].events[EVENT_JOIN_REFUSED], 0);
}

static void a_member_cannot_join_again(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    form_pair();
    create_token(&nodes[0], token);
    join(&nodes[1], token);
    assert_int_equal(last.error.kind, ERROR_CONFLICT);
}

static void two_nodes_cannot_have_one_name(void **state)
{
    char token[JOIN_TOKEN_SIZE];
    init_first();
    stop_node(&nodes[1]);
    snprintf(nodes[1].name, sizeof(nodes[1].name), "%s", "lb1");
    start_node(&nodes[1]);
    create_token(&nodes[0], token);
    join(&nodes[1], token);
    assert_int_equal(last.error.kind, ERROR_REFUSED);
    assert_non_null(strstr(last.error.text, "name"));
}

static bool peer_is_gone(void)
{
    return nodes[0].events[EVENT_PEER_UNREACHABLE] > 0;
}

static void a_node_catches_up_after_an_absence(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    stop_node(&nodes[1]);
    wait_until(peer_is_gone, "lb2 unreachable");
    for (int i = 0; i < 20; i++)
        submit_value(&nodes[0], &object, "while away");
    assert_non_null(strstr(last.result.text, "committed on lb1 ONLY: lb2 unreachable for "));
    assert_non_null(strstr(last.result.text, "20 changes waiting"));
    start_node(&nodes[1]);
    wait_until(pair_is_synced, "in sync again");
    assert_string_equal(value_on(&nodes[1], &object).value, "while away");
    assert_same_state(&nodes[0], &nodes[1]);
}

static bool second_took_a_snapshot(void)
{
    return pair_is_synced() && nodes[1].events[EVENT_BOOTSTRAP_DONE] > 0;
}

static void a_node_takes_a_snapshot_after_a_long_absence(void **state)
{
    const struct uuid object = {{0x31}}, other = {{0x32}};
    char value[3000];
    form_pair();
    stop_node(&nodes[0]);
    submit_value(&nodes[1], &other, "made alone");
    stop_node(&nodes[1]);
    start_node(&nodes[0]);
    for (int i = 0; i < 3 * SNAPSHOT_AFTER_RECORDS; i++) {
        memset(value, 'a' + i % 26, sizeof(value)); /* more than the stream takes at once */
        value[sizeof(value) - 1] = 0;
        submit_value(&nodes[0], &object, value);
    }
    memset(nodes[1].events, 0, sizeof(nodes[1].events));
    start_node(&nodes[1]);
    wait_until(second_took_a_snapshot, "a snapshot is taken");
    assert_same_state(&nodes[0], &nodes[1]);
    submit_value(&nodes[1], &object, "after");
    wait_until(pair_is_synced, "changes travel as before");
    stop_node(&nodes[1]);
    start_node(&nodes[1]);
    wait_until(pair_is_synced, "the disk has it");
    assert_same_state(&nodes[0], &nodes[1]);
}

static void both_sides_of_a_cut_keep_the_conflict_until_a_later_write(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    submit_value(&nodes[0], &object, "before");
    stop_node(&nodes[1]);
    wait_until(peer_is_gone, "lb2 unreachable");
    submit_value(&nodes[0], &object, "lb1 says");
    stop_node(&nodes[0]);
    start_node(&nodes[1]);
    submit_value(&nodes[1], &object, "lb2 says");
    start_node(&nodes[0]);
    wait_until(pair_is_synced, "in sync again");
    struct wanted a = value_on(&nodes[0], &object), b = value_on(&nodes[1], &object);
    assert_string_equal(a.value, b.value);
    assert_int_equal(a.entries, 2);
    assert_int_equal(b.entries, 2);
    submit_value(&nodes[0], &object, "settled");
    assert_int_equal(value_on(&nodes[0], &object).entries, 1);
    wait_until(pair_is_synced, "in sync again");
    assert_int_equal(value_on(&nodes[1], &object).entries, 1);
}

static void a_large_change_travels_by_stream(void **state)
{
    struct uuid object = uuid_random();
    char large[20000];
    form_pair();
    memset(large, 'x', sizeof(large) - 1);
    large[sizeof(large) - 1] = 0;
    submit_value(&nodes[0], &object, large);
    assert_int_equal(last.result.peers_durable, 1);
    assert_same_state(&nodes[0], &nodes[1]);
}

static void the_survivor_removes_the_dead_and_invites_a_new_one(void **state)
{
    struct uuid object = uuid_random(), dead = {0};
    struct submit_options options = {.author = "ann", .via = "cli"};
    form_pair();
    dead = *replication_node_id(nodes[0].replication);
    submit_value(&nodes[0], &object, "kept");
    stop_node(&nodes[0]); /* the one that founded the cluster */
    replication_remove_node(nodes[1].replication, &dead, &options, on_submitted, NULL);
    await_done();
    assert_int_equal(last.error.kind, ERROR_NONE);
    assert_string_equal(last.result.text, "committed on lb2");
    join_through(&nodes[2], &nodes[1]);
    assert_string_equal(value_on(&nodes[2], &object).value, "kept");
    submit_value(&nodes[2], &object, "newer");
    assert_string_equal(value_on(&nodes[1], &object).value, "newer");
}

static bool removed_node_knows(void)
{
    return nodes[0].events[EVENT_NODE_REMOVED] > 0;
}

static void a_removed_node_that_comes_back_is_told(void **state)
{
    struct uuid object = uuid_random(), dead;
    struct submit_options options = {0};
    form_pair();
    dead = *replication_node_id(nodes[0].replication);
    stop_node(&nodes[0]);
    replication_remove_node(nodes[1].replication, &dead, &options, on_submitted, NULL);
    await_done();
    nodes[0].events[EVENT_NODE_REMOVED] = 0;
    start_node(&nodes[0]);
    wait_until(removed_node_knows, "the removed node knows it");
    submit_value(&nodes[0], &object, "too late");
    assert_int_equal(last.error.kind, ERROR_REFUSED);
    assert_string_equal(value_on(&nodes[1], &object).value, "");
}

static void a_third_node_joins_through_the_second(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    submit_value(&nodes[0], &object, "old");
    join_through(&nodes[2], &nodes[1]);
    wait_until(trio_is_synced, "three nodes in sync");
    submit_value(&nodes[2], &object, "new");
    assert_int_equal(last.result.peers, 2);
    assert_int_equal(last.result.peers_durable, 2);
    assert_string_equal(value_on(&nodes[0], &object).value, "new");
    assert_same_state(&nodes[0], &nodes[2]);
}

static void a_node_that_joins_opens_the_same_keys(void **state)
{
    form_pair();
    join_through(&nodes[2], &nodes[1]);
    wait_until(trio_is_synced, "three nodes in sync");
    for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++) {
        size_t count;
        const struct keyring_key *keys =
            keyring_keys(nodes[0].replication->keyring, purpose, &count);
        assert_int_equal(count, 1);
        for (size_t i = 1; i < NODES; i++) {
            const struct keyring_key *key =
                keyring_in_use(nodes[i].replication->keyring, purpose);
            assert_non_null(key);
            assert_memory_equal(key->secret, keys[0].secret, KEY_SIZE);
            assert_true(key->everywhere);
        }
    }
}

static bool clone_is_reported(void)
{
    return nodes[0].events[EVENT_NODE_CLONED] > 0;
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
    stop_node(&nodes[1]);
    stop_node(&nodes[2]);
    snprintf(command, sizeof(command), "rm -r %s && cp -a %s %s", nodes[2].directory,
             nodes[1].directory, nodes[2].directory);
    assert_int_equal(system(command), 0);
    start_node(&nodes[1]);
    start_node(&nodes[2]);
    wait_until(clone_is_reported, "lb1 hears lb2 twice");
    replication_visit_evidence(nodes[0].replication, find_clone, text);
    assert_non_null(strstr(text, "node lb2 runs twice, at 127.0.0.1 and 127.0.0.1"));
    assert_int_equal(nodes[0].events[EVENT_NODE_CLONED], 1);
}

static int set_up(void **state)
{
    loop = loop_new();
    memset(&last, 0, sizeof(last));
    memset(nodes, 0, sizeof(nodes));
    for (int i = 0; i < NODES; i++) {
        snprintf(nodes[i].directory, sizeof(nodes[i].directory), "%s",
                 "/tmp/lbnode-cluster-XXXXXX");
        assert_non_null(mkdtemp(nodes[i].directory));
        snprintf(nodes[i].name, sizeof(nodes[i].name), "lb%d", i + 1);
        ip_address_parse("127.0.0.1", &nodes[i].endpoint.address);
        nodes[i].endpoint.port = free_port(i);
        start_node(&nodes[i]);
    }
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < NODES; i++) {
        char command[128];
        replication_close(nodes[i].replication);
        snprintf(command, sizeof(command), "rm -r %s", nodes[i].directory);
        assert_int_equal(system(command), 0);
    }
    loop_free(loop);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_change_on_either_node_is_on_both),
        TEST(a_token_works_once),
        TEST(a_flood_of_refusals_does_not_flood_the_events),
        TEST(a_token_lets_one_of_two_in_that_come_at_once),
        TEST(a_damaged_token_is_refused_before_anything_is_sent),
        TEST(a_member_cannot_join_again),
        TEST(two_nodes_cannot_have_one_name),
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

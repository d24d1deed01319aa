#include "tests/unit/replication/cluster_nodes.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct test_node nodes[NODES];
static struct loop *loop;
static struct last_answer last;

struct test_node *node_at(int index)
{
    return &nodes[index];
}

struct last_answer *last_answer(void)
{
    return &last;
}

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

void note_named_count(void *context, const char *name, uint64_t count)
{
    struct named_count *wanted = context;
    if (strcmp(wanted->name, name) == 0)
        wanted->count = count;
}

void on_done(void *context, const struct error *error)
{
    last.error = *error;
    last.done = true;
}

void on_submitted(void *context, const struct submit_result *result)
{
    last.result = *result;
    last.error = result->error;
    last.done = true;
}

void start_node(struct test_node *node)
{
    struct replication_settings settings = {
        .state_dir = node->directory,
        .node_name = node->name,
        .listen = node->endpoint,
        .snapshot_after = SNAPSHOT_AFTER_RECORDS,
        .protocol = node->protocol,
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

void stop_node(struct test_node *node)
{
    replication_close(node->replication);
    node->replication = NULL;
}

void restart_node(struct test_node *node, uint16_t protocol)
{
    stop_node(node);
    node->protocol = protocol;
    start_node(node);
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

void wait_until(bool (*condition)(void), const char *what)
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

void await_done(void)
{
    wait_until(is_done, "the answer");
    last.done = false;
}

void init_first(void)
{
    char code[RECOVERY_CODE_SIZE];
    struct error error = {0};
    assert_true(replication_init(nodes[0].replication, "test", code, on_done, NULL, &error));
    await_done();
    assert_int_equal(last.error.kind, ERROR_NONE);
}

void create_token(struct test_node *inviter, char token[JOIN_TOKEN_SIZE])
{
    struct error error = {0};
    if (!replication_token_create(inviter->replication, 60, token, &error))
        fail_msg("%s", error.text);
}

void join_cluster(struct test_node *joiner, const char *token)
{
    replication_join(joiner->replication, token, on_done, NULL);
    await_done();
}

void join_through(struct test_node *joiner, struct test_node *inviter)
{
    char token[JOIN_TOKEN_SIZE];
    create_token(inviter, token);
    join_cluster(joiner, token);
    assert_string_equal(last.error.text, "");
}

static void count_synced(void *context, const struct peer_view *peer)
{
    *(int *)context += peer->state == PEER_IS_ALIVE && peer->in_sync;
}

int synced_peers(const struct test_node *node)
{
    int synced = 0;
    if (node->replication)
        replication_visit_peers(node->replication, count_synced, &synced);
    return synced;
}

bool pair_is_synced(void)
{
    return synced_peers(&nodes[0]) == 1 && synced_peers(&nodes[1]) == 1;
}

bool trio_is_synced(void)
{
    return synced_peers(&nodes[0]) == 2 && synced_peers(&nodes[1]) == 2 &&
           synced_peers(&nodes[2]) == 2;
}

void form_pair(void)
{
    init_first();
    join_through(&nodes[1], &nodes[0]);
    wait_until(pair_is_synced, "two nodes in sync");
}

void submit_value(struct test_node *node, const struct uuid *object, const char *value)
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

struct wanted value_on(const struct test_node *node, const struct uuid *object)
{
    struct wanted wanted = {.object = *object};
    replication_visit_facets(node->replication, find_value, &wanted);
    return wanted;
}

void assert_same_state(const struct test_node *a, const struct test_node *b)
{
    uint8_t left[32], right[32];
    replication_state_hash(a->replication, left);
    replication_state_hash(b->replication, right);
    assert_memory_equal(left, right, sizeof(left));
}

int cluster_set_up(void **state)
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

int cluster_tear_down(void **state)
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

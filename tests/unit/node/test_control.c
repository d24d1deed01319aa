/* A whole control process; the test stands in the supervisor's place, and asks over the API. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/loop/channel.h"
#include "lbnode/model/counter_board.h"
#include "lbnode/model/snapshot.h"
#include "lbnode/node/control.h"
#include "lbnode/node/supervisor.h"
#include "tests/support/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    JOURNAL_SIZE = 512,
    DEADLINE_MS = 5000,
    TURN_MS = 5
};

struct node_under_test {
    char directory[64];
    struct node_settings settings;
    struct process_context context;
    pid_t pid;
    struct loop *loop;
    struct channel *channel;
    struct loop_timer turn;
    union message_buffer journal[JOURNAL_SIZE];
    size_t count;
    int snapshot_fd; /* the last one */
};

static void take(void *context, const struct message *message, const int *fds, size_t fd_count)
{
    struct node_under_test *node = context;
    if (node->count < JOURNAL_SIZE)
        memcpy(&node->journal[node->count++], message, message->size);
    if (message->type != MESSAGE_SNAPSHOT)
        return;
    assert_int_equal(fd_count, 1);
    if (node->snapshot_fd >= 0)
        close(node->snapshot_fd);
    node->snapshot_fd = fds[0];
    struct message_running running = MESSAGE_OF(RUNNING, struct message_running);
    running.generation = ((const struct message_snapshot *)(const void *)message)->generation;
    channel_send(node->channel, &running.header, NULL, 0);
}

static void nothing(struct loop_timer *timer)
{}

static void turn(struct node_under_test *node)
{
    loop_timer_start(node->loop, &node->turn, TURN_MS, nothing);
    loop_turn(node->loop, true);
}

static size_t count_of(const struct node_under_test *node, enum message_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < node->count; i++)
        count += node->journal[i].header.type == type;
    return count;
}

static bool wait_for(struct node_under_test *node, enum message_type type, size_t times)
{
    uint64_t end_ms = monotime_now_ms() + DEADLINE_MS;
    while (count_of(node, type) < times && monotime_now_ms() < end_ms)
        turn(node);
    return count_of(node, type) >= times;
}

/* EARLIER must have been sent before control starts, or nothing (fd -1). */
static void start(struct node_under_test *node, int earlier_fd, uint64_t earlier_generation)
{
    int fds[2];
    struct channel_handler handler = {take, NULL, node};
    assert_int_equal(channel_pair(fds), 0);
    node->loop = loop_new();
    node->channel = channel_new(node->loop, fds[0], &handler);
    node->count = 0;
    node->snapshot_fd = -1;
    if (earlier_fd >= 0) {
        struct message_snapshot earlier = MESSAGE_OF(SNAPSHOT, struct message_snapshot);
        earlier.generation = earlier_generation;
        assert_int_equal(channel_send(node->channel, &earlier.header, &earlier_fd, 1), 0);
        struct message_vrrp_status status = MESSAGE_OF(VRRP_STATUS, struct message_vrrp_status);
        assert_int_equal(channel_send(node->channel, &status.header, NULL, 0), 0);
    }
    node->pid = fork();
    if (node->pid == 0) {
        close(fds[0]);
        node->context.channel_fd = fds[1];
        _exit(control_main(&node->context, &node->settings));
    }
    close(fds[1]);
}

static int end(struct node_under_test *node)
{
    struct message_stop stop = MESSAGE_OF(STOP, struct message_stop);
    int status = -1;
    channel_send(node->channel, &stop.header, NULL, 0);
    assert_int_equal(waitpid(node->pid, &status, 0), node->pid);
    loop_timer_stop(&node->turn);
    channel_free(node->channel);
    loop_free(node->loop);
    if (node->snapshot_fd >= 0)
        close(node->snapshot_fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int set_up(void **state)
{
    struct node_under_test *node = calloc(1, sizeof(*node));
    if (!node)
        return -1;
    snprintf(node->directory, sizeof(node->directory), "/tmp/lbnode-control-XXXXXX");
    if (!mkdtemp(node->directory))
        return -1;
    snprintf(node->settings.state_dir, sizeof(node->settings.state_dir), "%s", node->directory);
    snprintf(node->settings.run_dir, sizeof(node->settings.run_dir), "%s", node->directory);
    snprintf(node->settings.name, sizeof(node->settings.name), "lb1");
    ip_endpoint_parse("127.0.0.1:7850", 0, &node->settings.addresses[0]);
    node->settings.address_count = 1;
    ip_address_parse("127.0.0.1", &node->settings.gossip_listen.address);
    node->context.verdicts = verdict_board_create();
    node->context.counters = counter_board_create();
    node->context.worker_count = 1;
    node->context.incarnation = 1;
    *state = node;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"config.mdb", "config.mdb-lock", "node.key",
                                        "projecting", "withheld",        "lbnode.sock"};
    struct node_under_test *node = *state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", node->directory, names[i]);
        unlink(path);
    }
    rmdir(node->directory);
    free(node);
    return 0;
}

/* One request; the node's messages are served meanwhile. The answer's bytes, terminated. */
static void
ask(struct node_under_test *node, const char *path, const char *body, char *answer, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char request[1024];
    size_t length = 0;
    ssize_t got = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/lbnode.sock", node->directory);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    snprintf(
        request, sizeof(request),
        "POST %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n"
        "%s",
        path, strlen(body), body);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    uint64_t end_ms = monotime_now_ms() + DEADLINE_MS;
    while (length < size - 1 && monotime_now_ms() < end_ms) {
        got = recv(fd, answer + length, size - 1 - length, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        length += got > 0 ? (size_t)got : 0;
        turn(node);
    }
    close(fd);
    answer[length] = '\0';
}

/* Creates one object and copies its id. */
static void
create(struct node_under_test *node, const char *path, const char *body, char id[37])
{
    char answer[8192];
    ask(node, path, body, answer, sizeof(answer));
    const char *found = strstr(answer, "\"id\": \"");
    if (!strstr(answer, "HTTP/1.1 201") || !found)
        fail_msg("%s", answer);
    snprintf(id, 37, "%s", found + strlen("\"id\": \""));
}

static void begin(struct node_under_test *node)
{
    start(node, -1, 0);
    assert_true(wait_for(node, MESSAGE_EVENT, 1)); /* NODE_STARTED: the API answers */
}

static void a_fresh_node_runs_an_empty_snapshot_and_stands_for_no_election(void **state)
{
    struct node_under_test *node = *state;
    begin(node);
    assert_int_equal(count_of(node, MESSAGE_SNAPSHOT), 1);
    assert_int_equal(count_of(node, MESSAGE_BINDING), 0);
    assert_int_equal(count_of(node, MESSAGE_VRRP_COMMIT), 1);
    assert_int_equal(count_of(node, MESSAGE_VRRP_GROUP), 0);
    assert_int_equal(end(node), 0);
}

static void a_listener_is_bound_and_its_address_elected(void **state)
{
    struct node_under_test *node = *state;
    char id[37], body[256];
    begin(node);
    create(node, "/v2.0/lbaas/loadbalancers",
           "{\"loadbalancer\": {\"name\": \"web\", \"vip_address\": \"192.0.2.100\"}}", id);
    assert_true(wait_for(node, MESSAGE_VRRP_ADDRESS, 1)); /* may be behind the answer */
    assert_int_equal(count_of(node, MESSAGE_VRRP_GROUP), 1);
    assert_int_equal(count_of(node, MESSAGE_VRRP_ADDRESS), 1);
    snprintf(body, sizeof(body),
             "{\"listener\": {\"protocol\": \"HTTP\", \"protocol_port\": 80, "
             "\"loadbalancer_id\": \"%s\"}}",
             id);
    size_t snapshots = count_of(node, MESSAGE_SNAPSHOT);
    create(node, "/v2.0/lbaas/listeners", body, id);
    assert_true(wait_for(node, MESSAGE_SNAPSHOT, snapshots + 1));
    assert_int_equal(count_of(node, MESSAGE_BINDING), 1);
    for (size_t i = 0; i + 1 < node->count; i++) {
        if (node->journal[i].header.type != MESSAGE_BINDING)
            continue;
        assert_int_equal(node->journal[i].member_BINDING.endpoint.port, 80);
        assert_true(node->journal[i].member_BINDING.defer_accept);
        assert_int_equal(node->journal[i + 1].header.type, MESSAGE_SNAPSHOT);
    }
    assert_int_equal(end(node), 0);
}

/* Generations grow and slots stay, so that the proxy's state stays what it is about. */
static void a_restarted_control_goes_on_where_the_last_one_was(void **state)
{
    struct node_under_test *node = *state;
    struct error error = {0};
    char id[37], body[256];
    begin(node);
    create(node, "/v2.0/lbaas/loadbalancers",
           "{\"loadbalancer\": {\"name\": \"web\", \"vip_address\": \"127.0.0.1\"}}", id);
    snprintf(body, sizeof(body),
             "{\"listener\": {\"protocol\": \"TCP\", \"protocol_port\": 81, "
             "\"loadbalancer_id\": \"%s\"}}",
             id);
    create(node, "/v2.0/lbaas/listeners", body, id);
    const struct snapshot *before = snapshot_open(node->snapshot_fd, &error);
    int fd = dup(node->snapshot_fd);
    assert_non_null(before);
    assert_int_equal(end(node), 0);
    start(node, fd, 1000);
    assert_true(wait_for(node, MESSAGE_EVENT, 1));
    const struct snapshot *after = snapshot_open(node->snapshot_fd, &error);
    assert_non_null(after);
    assert_true(after->generation > 1000);
    assert_int_equal(after->listeners.count, 1);
    assert_int_equal(snapshot_listeners(after)->slot, snapshot_listeners(before)->slot);
    assert_int_equal(snapshot_listeners(after)->incarnation,
                     snapshot_listeners(before)->incarnation);
    snapshot_close(before);
    snapshot_close(after);
    close(fd);
    assert_int_equal(end(node), 0);
}

static void a_store_that_cannot_be_opened_is_said_to_be_unusable(void **state)
{
    struct node_under_test *node = *state;
    snprintf(node->settings.state_dir, sizeof(node->settings.state_dir), "%s/missing",
             node->directory);
    start(node, -1, 0);
    assert_int_equal(end(node), EXIT_UNUSABLE);
}

static void the_end_of_the_supervisor_is_the_end_of_control(void **state)
{
    struct node_under_test *node = *state;
    int status = -1;
    begin(node);
    channel_free(node->channel);
    assert_int_equal(waitpid(node->pid, &status, 0), node->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    loop_timer_stop(&node->turn);
    loop_free(node->loop);
    close(node->snapshot_fd);
}

int main(void)
{
#define WITH_CONTROL(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CONTROL(a_fresh_node_runs_an_empty_snapshot_and_stands_for_no_election),
        WITH_CONTROL(a_listener_is_bound_and_its_address_elected),
        WITH_CONTROL(a_restarted_control_goes_on_where_the_last_one_was),
        WITH_CONTROL(a_store_that_cannot_be_opened_is_said_to_be_unusable),
        WITH_CONTROL(the_end_of_the_supervisor_is_the_end_of_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

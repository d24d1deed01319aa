#include "lbnode/admin/metrics.h"

#include "lbnode/admin/traffic.h"
#include "lbnode/base/bytes.h"
#include "lbnode/model/field_table.h"
#include "tests/support/test.h"
#include "tests/unit/admin/api_fixture.h"
#include "tests/unit/admin/fake_replication.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct api_fixture fixture;

static int setup(void **state)
{
    const struct replication_handler handler = {.applied = api_fixture_applied,
                                                .context = &fixture};
    api_fixture_prepare(&fixture);
    fixture.state.replication = fake_replication_new(fixture.loop, "lb\"1", &handler);
    fixture.state.counters = counter_board_create();
    fixture.state.verdicts = verdict_board_create();
    fixture.state.worker_count = 2;
    return 0;
}

static int teardown(void **state)
{
    munmap((void *)(uintptr_t)fixture.state.counters, sizeof(*fixture.state.counters));
    munmap((void *)(uintptr_t)fixture.state.verdicts, sizeof(*fixture.state.verdicts));
    api_fixture_stop(&fixture);
    fake_replication_free(fixture.state.replication);
    loop_free(fixture.loop);
    return 0;
}

static void labels_are_escaped(void **state)
{
    struct text out = {0};
    metrics_append_label(&out, "name", "a\"b\\c\nd");
    assert_string_equal(text_string(&out), "name=\"a\\\"b\\\\c\\nd\"");
    text_free(&out);
}

/* A listener in the configuration and in the slot map, counted by two workers. */
static struct slot_map *one_listener(struct uuid *out_id)
{
    struct error error = {0};
    struct change_set changes = {0};
    static const char balancer_json[] = "{\"name\":\"web\",\"vip_address\":\"10.77.0.100\"}";
    struct json_value *object =
        json_value_parse(balancer_json, sizeof(balancer_json) - 1, &error);
    struct resource *balancer =
        resource_from_json(resource_class_of(RESOURCE_LOAD_BALANCER), object, &error);
    json_value_free(object);
    static const char listener_json[] =
        "{\"name\":\"http\",\"protocol\":\"HTTP\",\"protocol_port\":80}";
    object = json_value_parse(listener_json, sizeof(listener_json) - 1, &error);
    struct resource *listener =
        resource_from_json(resource_class_of(RESOURCE_LISTENER), object, &error);
    json_value_free(object);
    assert_true(balancer && listener);
    listener->owner = balancer->id;
    *out_id = listener->id;
    assert_true(change_set_add_create(&changes, balancer));
    assert_true(change_set_add_create(&changes, listener));
    fake_replication_store(fixture.state.replication, &changes);
    change_set_free(&changes);
    resource_free(balancer);
    resource_free(listener);
    struct slot_map *slots = slot_map_new();
    int fd = snapshot_build(fixture.configuration, slots, 1, &error);
    assert_true(fd >= 0);
    close(fd);
    return slots;
}

static void workers_are_added_up(void **state)
{
    struct uuid id;
    uint32_t slot, incarnation;
    struct text out = {0};
    struct slot_map *slots = one_listener(&id);
    fixture.state.slots = slots;
    assert_true(slot_map_find(slots, &id, &slot, &incarnation));
    struct counter_board *board = (struct counter_board *)(uintptr_t)fixture.state.counters;
    for (unsigned worker = 0; worker < 3; worker++) {
        struct listener_counters *cells = &board->workers[worker].listeners[slot];
        cells->incarnation = incarnation;
        counter_add(&cells->requests, 100 + worker);
    }
    metrics_append(&fixture.state, &out);
    const char *line = strstr(text_string(&out), "\nlbnode_listener_requests{");
    assert_non_null(line);
    assert_non_null(strstr(line, "listener=\"http\",loadbalancer=\"web\"} 201\n"));
    assert_non_null(strstr(text_string(&out), "# TYPE lbnode_listener_requests counter\n"));
    board->workers[0].listeners[slot].incarnation = incarnation + 1;
    text_clear(&out);
    metrics_append(&fixture.state, &out);
    assert_non_null(strstr(text_string(&out), "listener=\"http\",loadbalancer=\"web\"} 101\n"));
    text_free(&out);
    slot_map_free(slots);
}

static void latencies_are_cumulative_and_in_seconds(void **state)
{
    struct uuid id;
    uint32_t slot, incarnation;
    struct text out = {0};
    struct slot_map *slots = one_listener(&id);
    fixture.state.slots = slots;
    assert_true(slot_map_find(slots, &id, &slot, &incarnation));
    struct counter_board *board = (struct counter_board *)(uintptr_t)fixture.state.counters;
    metrics_append(&fixture.state, &out);
    assert_null(strstr(text_string(&out), "lbnode_listener_total_seconds_bucket"));
    for (unsigned worker = 0; worker < 2; worker++) {
        struct worker_counters *cells = &board->workers[worker];
        cells->listeners[slot].incarnation = incarnation;
        counter_add(&cells->listeners[slot].terminations[TERMINATION_NO_MEMBER], 2);
        counter_add(&cells->proxy.suspicions[SUSPICION_EMPTY], 3);
        latency_add(&cells->listener_latencies[slot].total, latency_bucket(200), 200);
        latency_add(&cells->listener_latencies[slot].total, latency_bucket(4000000), 4000000);
    }
    text_clear(&out);
    metrics_append(&fixture.state, &out);
    static const char *const lines[] = {
        "\"web\",le=\"0.0001\"} 0\n",
        "\"web\",le=\"0.00025\"} 2\n",
        "\"web\",le=\"1\"} 2\n",
        "\"web\",le=\"5\"} 4\n",
        "\"web\",le=\"+Inf\"} 4\n",
        "\"web\"} 8.000400\n",
        "reason=\"no_member\"} 4\n",
        "# TYPE lbnode_listener_total_seconds histogram\n",
        "_total{kind=\"empty\"} 6\n",
        "# TYPE lbnode_suspicions_total counter\n",
        "; connect: a connection could not be opened; ",
        "reason=\"member_failed\"} 0\n",
        "# TYPE lbnode_member_total_seconds summary\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        assert_non_null(strstr(text_string(&out), lines[i]));
    text_free(&out);
    slot_map_free(slots);
}

static void percentiles_are_bounds_of_buckets(void **state)
{
    struct latency_sum sum = {0};
    assert_int_equal(latency_percentile_us(&sum, 50), 0);
    sum.buckets[2] = 98;
    sum.buckets[LATENCY_BUCKETS - 1] = 2;
    sum.count = 100;
    assert_int_equal(latency_percentile_us(&sum, 50), 500);
    assert_int_equal(latency_percentile_us(&sum, 98), 500);
    assert_int_equal(latency_percentile_us(&sum, 99), UINT32_MAX);
}

static void peers_events_and_the_node_are_there(void **state)
{
    struct text out = {0};
    fake_replication_set_peer(fixture.state.replication, "lb2", PEER_IS_ALIVE);
    event_ring_add(fixture.state.events, EVENT_VIP_ACTIVE, PROCESS_VRRP, 1, "x");
    metrics_append(&fixture.state, &out);
    assert_non_null(strstr(text_string(&out), "\nlbnode_peer_up{node=\"lb2\"} 1\n"));
    assert_non_null(strstr(text_string(&out), "\nlbnode_peer_session{node=\"lb2\"} 1\n"));
    assert_non_null(
        strstr(text_string(&out), "\nlbnode_gossip_datagrams_total{outcome=\"opened\"} 7\n"));
    assert_non_null(strstr(text_string(&out),
                           "\nlbnode_gossip_connections_total{outcome=\"answered\"} 3\n"));
    assert_non_null(
        strstr(text_string(&out), "\nlbnode_events_total{code=\"VIP_ACTIVE\"} 1\n"));
    assert_non_null(strstr(text_string(&out), "\nlbnode_storage_degraded 0\n"));
    assert_non_null(strstr(text_string(&out), "lbnode_node_info{node=\"lb\\\"1\",version="));
    text_free(&out);
}

/* Prometheus refuses a page that describes a metric twice or has a line without value. */
static void every_line_is_a_comment_or_a_sample(void **state)
{
    struct text out = {0};
    metrics_append(&fixture.state, &out);
    for (const char *line = text_string(&out); *line; line = strchr(line, '\n') + 1) {
        assert_non_null(strchr(line, '\n'));
        if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# TYPE ", 7) == 0)
            continue;
        assert_int_equal(strncmp(line, "lbnode_", 7), 0);
        size_t length = strcspn(line, "\n");
        assert_true(line[length - 1] >= '0' && line[length - 1] <= '9');
    }
    text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test_setup_teardown(workers_are_added_up, setup, teardown),
        cmocka_unit_test_setup_teardown(latencies_are_cumulative_and_in_seconds, setup,
                                        teardown),
        cmocka_unit_test(percentiles_are_bounds_of_buckets),
        cmocka_unit_test_setup_teardown(peers_events_and_the_node_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(every_line_is_a_comment_or_a_sample, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

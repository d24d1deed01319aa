#include "lbnode/base/random.h"
#include "lbnode/model/snapshot_build.h"
#include "tests/unit/model/raw_state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct snapshot *build(struct raw_state *state, struct slot_map *slots)
{
    struct error error = {0};
    struct configuration *configuration = raw_state_project(state);
    int fd = snapshot_build(configuration, slots, 7, &error);
    if (fd < 0)
        fail_msg("%s", error.text);
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    if (!snapshot)
        fail_msg("%s", error.text);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
    configuration_free(configuration);
    return snapshot;
}

static const struct snapshot_member *member_of(const struct snapshot *snapshot, struct uuid id)
{
    for (uint32_t i = 0; i < snapshot->members.count; i++) {
        if (uuid_equal(&snapshot_members(snapshot)[i].id, &id))
            return &snapshot_members(snapshot)[i];
    }
    return NULL;
}

static void the_example_compiles_to_what_it_says(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct slot_map *slots = slot_map_new();
    const struct snapshot *s = build(state, slots);
    assert_int_equal(s->generation, 7);
    assert_int_equal(s->endpoints.count, 1);
    char text[IP_ENDPOINT_TEXT_SIZE];
    ip_endpoint_format(&snapshot_endpoints(s)[0].endpoint, text);
    assert_string_equal(text, "10.77.0.100:80");
    const struct snapshot_listener *listener = &snapshot_listeners(s)[0];
    assert_int_equal(listener->protocol, SNAPSHOT_HTTP);
    assert_int_equal(listener->timeout_client_data_ms, 50000);
    assert_int_equal(listener->connection_limit, -1);
    assert_string_equal(snapshot_text(s, listener->name), "http");
    const struct snapshot_pool *pool = &snapshot_pools(s)[listener->pool];
    assert_int_equal(pool->member_count, 2);
    assert_int_equal(pool->schedule_length, 2);
    assert_int_equal(pool->backup_schedule_length, 0);
    const struct snapshot_monitor *monitor = &snapshot_monitors(s)[pool->monitor];
    assert_int_equal(monitor->delay_ms, 5000);
    assert_int_equal(monitor->transition_delay_ms, 5000); /* not set: the delay */
    assert_int_equal(monitor->http_version, 10);
    assert_string_equal(snapshot_text(s, monitor->url_path), "/");
    assert_string_equal(snapshot_text(s, monitor->domain_name), "");
    ip_endpoint_format(&member_of(s, ids.w2)->monitor_endpoint, text);
    assert_string_equal(text, "10.77.0.22:80");
    snapshot_close(s);
    slot_map_free(slots);
    raw_state_free(state);
}

static void a_pool_says_whose_address_it_serves_and_how_members_begin(void **context)
{
    struct raw_state *state = raw_state_new();
    struct slot_map *slots = slot_map_new();
    char text[160], id[UUID_TEXT_SIZE];
    struct uuid group =
        raw_state_create(state, RESOURCE_VRRP_GROUP, NULL, "{'name': 'blue', 'vrid': 9}");
    uuid_format(&group, id);
    snprintf(text, sizeof(text), "{'vip_address': '10.0.0.1', 'vrrp_group_id': '%s'}", id);
    struct uuid balancer = raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, text);
    struct uuid pool = raw_state_create(
        state, RESOURCE_POOL, &balancer,
        "{'protocol': 'TCP', 'lb_algorithm': 'ROUND_ROBIN', 'initial_state': 'ONLINE'}");
    raw_state_create(state, RESOURCE_HEALTH_MONITOR, &pool,
                     "{'type': 'TCP', 'delay': 5, 'timeout': 2, 'max_retries': 1, "
                     "'transition_delay_ms': 500}");
    const struct snapshot *s = build(state, slots);
    assert_true(uuid_equal(&snapshot_pools(s)[0].group, &group));
    assert_int_equal(snapshot_pools(s)[0].initial_state, SNAPSHOT_INITIAL_ONLINE);
    assert_int_equal(snapshot_monitors(s)[0].transition_delay_ms, 500);
    snapshot_close(s);
    slot_map_free(slots);
    raw_state_free(state);
}

static void every_address_of_a_load_balancer_is_served(void **context)
{
    struct raw_state *state = raw_state_new();
    struct uuid id =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                         "{'vip_address': 'fd77::100', 'additional_vips': ['10.77.0.100']}");
    raw_state_create(state, RESOURCE_LISTENER, &id,
                     "{'protocol': 'TCP', 'protocol_port': 443}");
    struct slot_map *slots = slot_map_new();
    const struct snapshot *s = build(state, slots);
    assert_int_equal(s->endpoints.count, 2);
    assert_int_equal(snapshot_endpoints(s)[0].endpoint.address.family, 4);
    assert_int_equal(snapshot_listeners(s)[0].pool, SNAPSHOT_NONE);
    snapshot_close(s);
    slot_map_free(slots);
    raw_state_free(state);
}

static void what_is_disabled_is_not_served(void **context)
{
    struct raw_state *state = raw_state_new();
    struct uuid off = raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                                       "{'vip_address': '10.0.0.1', 'admin_state_up': false}");
    struct uuid on =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.0.0.2'}");
    raw_state_create(state, RESOURCE_LISTENER, &off, "{'protocol': 'TCP', 'protocol_port': 1}");
    raw_state_create(state, RESOURCE_LISTENER, &on,
                     "{'protocol': 'TCP', 'protocol_port': 1, 'admin_state_up': false}");
    struct slot_map *slots = slot_map_new();
    const struct snapshot *s = build(state, slots);
    assert_int_equal(s->listeners.count, 2);
    assert_int_equal(s->endpoints.count, 0);
    assert_false(snapshot_listeners(s)[0].enabled || snapshot_listeners(s)[1].enabled);
    snapshot_close(s);
    slot_map_free(slots);
    raw_state_free(state);
}

static void drained_disabled_and_backup_members_are_not_in_the_schedule(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                     "{'address': '10.0.0.3', 'protocol_port': 80, 'weight': 0}");
    raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                     "{'address': '10.0.0.4', 'protocol_port': 80, 'admin_state_up': false}");
    struct uuid backup =
        raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                         "{'address': '10.0.0.5', 'protocol_port': 80, 'backup': true}");
    struct slot_map *slots = slot_map_new();
    const struct snapshot *s = build(state, slots);
    const struct snapshot_pool *pool = &snapshot_pools(s)[0];
    assert_int_equal(pool->member_count, 5);
    assert_int_equal(pool->schedule_length, 2);
    assert_int_equal(pool->backup_schedule_length, 1);
    uint16_t number = snapshot_schedule(s)[pool->backup_schedule_offset];
    assert_true(uuid_equal(&snapshot_members(s)[pool->first_member + number].id, &backup));
    snapshot_close(s);
    slot_map_free(slots);
    raw_state_free(state);
}

static void a_pool_without_members_has_an_empty_schedule(void **context)
{
    struct raw_state *state = raw_state_new();
    struct uuid id =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.0.0.1'}");
    raw_state_create(state, RESOURCE_POOL, &id,
                     "{'protocol': 'TCP', 'lb_algorithm': 'SOURCE_IP'}");
    struct slot_map *slots = slot_map_new();
    const struct snapshot *s = build(state, slots);
    assert_int_equal(s->pools.count, 1);
    assert_int_equal(snapshot_pools(s)[0].member_count, 0);
    assert_int_equal(snapshot_pools(s)[0].schedule_length, 0);
    assert_int_equal(snapshot_pools(s)[0].monitor, SNAPSHOT_NONE);
    snapshot_close(s);
    slot_map_free(slots);
    raw_state_free(state);
}

static void slots_stay_when_others_come_and_go(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct slot_map *slots = slot_map_new();
    const struct snapshot *first = build(state, slots);
    uint32_t slot = member_of(first, ids.w2)->slot;
    uint32_t incarnation = member_of(first, ids.w2)->incarnation;
    uint32_t freed = member_of(first, ids.w1)->slot;
    raw_state_delete(state, &ids.w1);
    struct uuid w3 = raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                                      "{'address': '10.0.0.3', 'protocol_port': 80}");
    const struct snapshot *second = build(state, slots);
    assert_int_equal(member_of(second, ids.w2)->slot, slot);
    assert_int_equal(member_of(second, ids.w2)->incarnation, incarnation);
    assert_int_not_equal(member_of(second, w3)->slot, freed); /* reused as late as possible */
    uint32_t found_slot = 0, found_incarnation = 0;
    assert_true(slot_map_find(slots, &w3, &found_slot, &found_incarnation));
    assert_int_equal(found_slot, member_of(second, w3)->slot);
    assert_int_equal(found_incarnation, member_of(second, w3)->incarnation);
    assert_false(slot_map_find(slots, &ids.w1, &found_slot, &found_incarnation));
    snapshot_close(first);
    snapshot_close(second);
    slot_map_free(slots);
    raw_state_free(state);
}

static void a_new_control_process_adopts_the_slots(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct slot_map *old = slot_map_new(), *young = slot_map_new();
    const struct snapshot *first = build(state, old);
    raw_state_delete(state, &ids.w1);
    raw_state_create(state, RESOURCE_MEMBER, &ids.workers,
                     "{'address': '10.0.0.3', 'protocol_port': 80}");
    slot_map_adopt(young, first);
    const struct snapshot *second = build(state, young);
    assert_int_equal(member_of(second, ids.w2)->slot, member_of(first, ids.w2)->slot);
    assert_int_equal(snapshot_listeners(second)[0].slot, snapshot_listeners(first)[0].slot);
    snapshot_close(first);
    snapshot_close(second);
    slot_map_free(old);
    slot_map_free(young);
    raw_state_free(state);
}

static void a_new_monitor_target_is_a_new_incarnation(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct slot_map *slots = slot_map_new();
    const struct snapshot *first = build(state, slots);
    struct configuration *configuration = raw_state_project(state);
    const struct resource *before = configuration_find(configuration, &ids.w1)->resource;
    struct resource *after = resource_copy(before);
    struct change_set changes = {0};
    ((struct member *)after)->monitor_port = 8081;
    assert_int_equal(change_set_add_update(&changes, before, after), 1);
    raw_state_apply(state, &changes);
    const struct snapshot *second = build(state, slots);
    assert_int_equal(member_of(first, ids.w1)->slot, member_of(second, ids.w1)->slot);
    assert_int_not_equal(member_of(first, ids.w1)->incarnation,
                         member_of(second, ids.w1)->incarnation);
    change_set_free(&changes);
    resource_free(after);
    configuration_free(configuration);
    snapshot_close(first);
    snapshot_close(second);
    slot_map_free(slots);
    raw_state_free(state);
}

static void only_a_sealed_descriptor_is_opened(void **context)
{
    struct error error = {0};
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_null(snapshot_open(fd, &error));
    assert_non_null(strstr(error.text, "not sealed"));
    assert_int_equal(
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_null(snapshot_open(fd, &error)); /* zeros are no snapshot */
    assert_non_null(strstr(error.text, "damaged"));
    close(fd);
}

static void a_built_snapshot_cannot_be_changed(void **context)
{
    struct error error = {0};
    struct raw_state *state = raw_state_new();
    struct slot_map *slots = slot_map_new();
    struct configuration *configuration = raw_state_project(state);
    int fd = snapshot_build(configuration, slots, 1, &error);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    close(fd);
    configuration_free(configuration);
    slot_map_free(slots);
    raw_state_free(state);
}

/* A copy of a good image in exactly as many bytes, so that a sanitizer sees every overrun. */
static void check_damage(const struct snapshot *good, size_t offset, uint8_t value)
{
    uint8_t *copy = malloc(good->size);
    memcpy(copy, good, good->size);
    copy[offset] = value;
    snapshot_is_valid(copy, good->size);
    free(copy);
}

static void every_damaged_index_is_noticed(void **context)
{
    struct raw_state *state = raw_state_new();
    raw_state_example(state);
    struct slot_map *slots = slot_map_new();
    const struct snapshot *good = build(state, slots);
    const uint32_t wrong[] = {100000, UINT32_MAX - 1};
    struct {
        const char *what;
        size_t offset;
    } indexes[] = {
        {"size", offsetof(struct snapshot, size)},
        {"array offset", offsetof(struct snapshot, members.offset)},
        {"array count", offsetof(struct snapshot, members.count)},
        {"strings", offsetof(struct snapshot, strings.count)},
        {"listener of endpoint",
         good->endpoints.offset + offsetof(struct snapshot_endpoint, listener)},
        {"pool of listener", good->listeners.offset + offsetof(struct snapshot_listener, pool)},
        {"cidrs", good->listeners.offset + offsetof(struct snapshot_listener, first_cidr)},
        {"name", good->listeners.offset + offsetof(struct snapshot_listener, name)},
        {"members", good->pools.offset + offsetof(struct snapshot_pool, member_count)},
        {"monitor", good->pools.offset + offsetof(struct snapshot_pool, monitor)},
        {"schedule", good->pools.offset + offsetof(struct snapshot_pool, schedule_length)},
        {"pool of member", good->members.offset + offsetof(struct snapshot_member, pool)},
        {"slot", good->members.offset + offsetof(struct snapshot_member, slot)},
        {"member number", good->schedule.offset},
        {"path", good->monitors.offset + offsetof(struct snapshot_monitor, url_path)},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(indexes); i++) {
        for (size_t w = 0; w < ARRAY_LENGTH(wrong); w++) {
            uint8_t *copy = malloc(good->size);
            memcpy(copy, good, good->size);
            memcpy(copy + indexes[i].offset, &wrong[w], sizeof(wrong[w]));
            if (snapshot_is_valid(copy, good->size))
                fail_msg("%s = %u is accepted", indexes[i].what, wrong[w]);
            free(copy);
        }
    }
    struct random_sequence random;
    random_sequence_init(&random, 11);
    for (int round = 0; round < 5000; round++)
        check_damage(good, random_sequence_below(&random, good->size),
                     (uint8_t)random_sequence_next(&random));
    snapshot_close(good);
    slot_map_free(slots);
    raw_state_free(state);
}

static void a_merge_that_exceeds_the_slots_is_refused_whole(void **context)
{
    struct error error = {0};
    struct raw_state *state = raw_state_new();
    struct slot_map *slots = slot_map_new();
    struct uuid id =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.0.0.1'}");
    for (int i = 0; i <= LISTENER_SLOTS; i++) {
        char text[96];
        snprintf(text, sizeof(text), "{'protocol': 'TCP', 'protocol_port': %d}", i + 1);
        raw_state_create(state, RESOURCE_LISTENER, &id, text);
    }
    struct configuration *configuration = raw_state_project(state);
    assert_int_equal(snapshot_build(configuration, slots, 1, &error), -E2BIG);
    assert_string_equal(error.text,
                        "2049 listeners are more than the 2048 that a node can run");
    configuration_free(configuration);
    slot_map_free(slots);
    raw_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_compiles_to_what_it_says),
        cmocka_unit_test(a_pool_says_whose_address_it_serves_and_how_members_begin),
        cmocka_unit_test(every_address_of_a_load_balancer_is_served),
        cmocka_unit_test(what_is_disabled_is_not_served),
        cmocka_unit_test(drained_disabled_and_backup_members_are_not_in_the_schedule),
        cmocka_unit_test(a_pool_without_members_has_an_empty_schedule),
        cmocka_unit_test(slots_stay_when_others_come_and_go),
        cmocka_unit_test(a_new_control_process_adopts_the_slots),
        cmocka_unit_test(a_new_monitor_target_is_a_new_incarnation),
        cmocka_unit_test(only_a_sealed_descriptor_is_opened),
        cmocka_unit_test(a_built_snapshot_cannot_be_changed),
        cmocka_unit_test(every_damaged_index_is_noticed),
        cmocka_unit_test(a_merge_that_exceeds_the_slots_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lbnode/base/random.h"
#include "tests/unit/model/raw_state.h"

#include <time.h>

static const struct effective *find(const struct configuration *configuration, struct uuid id)
{
    const struct effective *object = configuration_find(configuration, &id);
    assert_non_null(object);
    return object;
}

static void
assert_reason(const struct effective *object, bool effective, enum ineffective_reason reason)
{
    assert_int_equal(object->effective, effective);
    assert_string_equal(ineffective_reason_name(object->reason),
                        ineffective_reason_name(reason));
    assert_int_equal(object->reason_text != NULL, reason != REASON_NONE);
}

static void objects_are_effective_and_found_below_their_owner(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, ids.w1), true, REASON_NONE);
    const struct effective *child = configuration_child(c, &ids.workers, RESOURCE_MEMBER, 1);
    assert_ptr_equal(child, configuration_find(c, &ids.w2));
    assert_null(configuration_child(c, &ids.workers, RESOURCE_MEMBER, 2));
    assert_ptr_equal(configuration_at(c, RESOURCE_LISTENER, 0),
                     configuration_find(c, &ids.http));
    assert_true(
        uuid_equal(&configuration_monitor_of(c, &ids.workers)->resource.id, &ids.monitor));
    const struct load_balancer *web = (const struct load_balancer *)find(c, ids.web)->resource;
    assert_true(uuid_equal(&configuration_group_of(c, web)->resource.id, &ids.group));
    configuration_free(c);
    raw_state_free(state);
}

static void creation_and_last_change_give_the_times(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct configuration *before = raw_state_project(state);
    const struct resource *w1 = find(before, ids.w1)->resource;
    struct resource *heavier = resource_copy(w1);
    struct change_set changes = {0};
    ((struct member *)heavier)->weight = 5;
    assert_int_equal(change_set_add_update(&changes, w1, heavier), 1);
    raw_state_apply(state, &changes);
    struct configuration *after = raw_state_project(state);
    const struct resource *found = find(after, ids.w1)->resource;
    assert_int_equal(found->created_wall_ms, w1->created_wall_ms);
    assert_int_equal(found->updated_wall_ms, state->now >> 16);
    assert_int_equal(((const struct member *)found)->weight, 5);
    resource_free(heavier);
    change_set_free(&changes);
    configuration_free(before);
    configuration_free(after);
    raw_state_free(state);
}

static void p1_a_deleted_object_is_not_found(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    raw_state_delete(state, &ids.w1);
    struct configuration *c = raw_state_project(state);
    assert_null(configuration_find(c, &ids.w1));
    assert_ptr_equal(configuration_child(c, &ids.workers, RESOURCE_MEMBER, 0),
                     configuration_find(c, &ids.w2));
    configuration_free(c);
    raw_state_free(state);
}

static void p2_what_lost_its_owner_is_an_orphan_down_to_the_leaves(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    raw_state_delete(state, &ids.web);
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, ids.workers), false, REASON_ORPHAN);
    assert_reason(find(c, ids.http), false, REASON_ORPHAN);
    assert_reason(find(c, ids.w1), false, REASON_ORPHAN);
    assert_reason(find(c, ids.monitor), false, REASON_ORPHAN);
    configuration_free(c);
    raw_state_free(state);
}

static void write_facet(struct raw_state *state,
                        const struct uuid *id,
                        const struct uuid *owner,
                        enum resource_type type,
                        uint16_t facet,
                        const char *bytes,
                        size_t size)
{
    struct change_set changes = {0};
    assert_true(change_set_add(&changes, id, owner, (uint8_t)type, facet,
                               (struct bytes){(const uint8_t *)bytes, size}));
    raw_state_apply(state, &changes);
    change_set_free(&changes);
}

static void p3_a_value_out_of_range_disables_that_object_alone(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    /* weight (facet 10, tag 1) 300: a varint of two bytes */
    write_facet(state, &ids.w1, &ids.workers, RESOURCE_MEMBER, 10, "\x08\xac\x02", 3);
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, ids.w1), false, REASON_INVALID);
    assert_reason(find(c, ids.w2), true, REASON_NONE);
    configuration_free(c);
    raw_state_free(state);
}

static void p3_a_mandatory_attribute_that_is_missing_disables_the_object(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    write_facet(state, &ids.monitor, &ids.workers, RESOURCE_HEALTH_MONITOR, 11, "", 0);
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, ids.monitor), false, REASON_INVALID);
    assert_null(configuration_monitor_of(c, &ids.workers));
    configuration_free(c);
    raw_state_free(state);
}

static void a_type_of_a_newer_version_is_left_out(void **context)
{
    struct raw_state *state = raw_state_new();
    struct uuid id = uuid_random(), none = {{0}};
    write_facet(state, &id, &none, (enum resource_type)30, FACET_LIFE, "\1", 1);
    struct configuration *c = raw_state_project(state);
    assert_null(configuration_find(c, &id));
    configuration_free(c);
    raw_state_free(state);
}

/* Each row creates the same claim twice below the same owner. */
static void p4_the_older_claim_is_effective_and_the_next_takes_over(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    const struct {
        enum resource_type type;
        const struct uuid *first, *owner;
        const char *second;
    } rows[] = {
        {RESOURCE_LISTENER, &ids.http, &ids.web, "{'protocol': 'TCP', 'protocol_port': 80}"},
        {RESOURCE_MEMBER, &ids.w1, &ids.workers,
         "{'address': '10.77.0.21', 'protocol_port': 80}"},
        {RESOURCE_HEALTH_MONITOR, &ids.monitor, &ids.workers,
         "{'type': 'TCP', 'delay': 5, 'timeout': 3, 'max_retries': 3}"},
        {RESOURCE_VRRP_GROUP, &ids.group, NULL, "{'name': 'other', 'vrid': 51}"},
        {RESOURCE_LOAD_BALANCER, &ids.web, NULL, "{'vip_address': '10.77.0.100'}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct uuid second =
            raw_state_create(state, rows[i].type, rows[i].owner, rows[i].second);
        struct configuration *c = raw_state_project(state);
        assert_reason(find(c, *rows[i].first), true, REASON_NONE);
        assert_reason(find(c, second), false, REASON_CONFLICT);
        configuration_free(c);
        raw_state_delete(state, rows[i].first);
        c = raw_state_project(state);
        assert_reason(find(c, second), true, REASON_NONE);
        configuration_free(c);
    }
    raw_state_free(state);
}

static void p4_an_additional_vip_belongs_to_the_older_load_balancer(void **context)
{
    struct raw_state *state = raw_state_new();
    struct uuid old = raw_state_create(
        state, RESOURCE_LOAD_BALANCER, NULL,
        "{'vip_address': '10.0.0.1', 'additional_vips': ['fd77::1', 'fd77::2']}");
    struct uuid second =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': 'fd77::2'}");
    struct uuid additional =
        raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                         "{'vip_address': '10.0.0.2', 'additional_vips': ['fd77::1']}");
    struct uuid after = raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                                         "{'vip_address': '10.0.0.3', 'additional_vips': "
                                         "['10.0.0.2']}");
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, old), true, REASON_NONE);
    assert_reason(find(c, second), false, REASON_CONFLICT);
    assert_reason(find(c, additional), false, REASON_CONFLICT);
    assert_reason(find(c, after), true, REASON_NONE); /* the loser holds no address */
    configuration_free(c);
    raw_state_free(state);
}

static void p6_a_listener_survives_its_deleted_pool(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    raw_state_delete(state, &ids.workers);
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, ids.http), true, REASON_DANGLING);
    configuration_free(c);
    raw_state_free(state);
}

static void p7_a_timeout_above_the_delay_is_clamped(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    /* delay 5, timeout 9, max_retries 3, max_retries_down 3 */
    write_facet(state, &ids.monitor, &ids.workers, RESOURCE_HEALTH_MONITOR, 11,
                "\x08\x05\x10\x09\x18\x03\x20\x03", 8);
    struct configuration *c = raw_state_project(state);
    assert_reason(find(c, ids.monitor), true, REASON_INVALID);
    assert_int_equal(configuration_monitor_of(c, &ids.workers)->timeout, 5);
    configuration_free(c);
    raw_state_free(state);
}

static void open_conflicts_are_counted(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct configuration_builder *builder = configuration_builder_new();
    for (size_t i = 0; i < state->ops.count; i++) {
        struct raw_facet facet = raw_state_facet(state, i);
        facet.entry_count = facet.facet == 10 && uuid_equal(&facet.object_id, &ids.w1) ? 2 : 1;
        assert_true(configuration_builder_add(builder, &facet));
    }
    struct configuration *c = configuration_builder_finish(builder);
    assert_int_equal(find(c, ids.w1)->open_conflicts, 1);
    assert_int_equal(find(c, ids.w2)->open_conflicts, 0);
    configuration_free(c);
    raw_state_free(state);
}

/* Everything about a configuration that others can see, as text. */
static char *portrait(const struct configuration *configuration)
{
    struct json_value *all = json_value_array();
    const struct resource_class *class;
    const struct effective *at;
    for (size_t k = 0; (class = resource_class_at(k)); k++) {
        for (size_t i = 0; (at = configuration_at(configuration, class->type, i)); i++) {
            char id[UUID_TEXT_SIZE];
            struct json_value *object = resource_to_json(at->resource);
            uuid_format(&at->resource->id, id);
            json_value_set_text(object, "id", id);
            json_value_set_text(object, "reason", ineffective_reason_name(at->reason));
            json_value_set_text(object, "reason_text", at->reason_text);
            json_value_set_bool(object, "effective", at->effective);
            json_value_append(all, object);
        }
    }
    char *text = json_value_print(all, 1);
    json_value_free(all);
    return text;
}

static void the_order_of_facets_does_not_matter(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    raw_state_create(state, RESOURCE_LISTENER, &ids.web,
                     "{'protocol': 'TCP', 'protocol_port': 80}");
    raw_state_create(state, RESOURCE_MEMBER, &ids.http,
                     "{'address': '10.0.0.9', 'protocol_port': 80}");
    raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL, "{'vip_address': '10.77.0.100'}");
    struct uuid elsewhere = uuid_random(); /* forged: the id of w1 below another owner */
    write_facet(state, &ids.w1, &elsewhere, RESOURCE_MEMBER, FACET_LIFE, "\1", 1);
    struct configuration *straight = raw_state_project(state);
    char *expected = portrait(straight);
    size_t *order = calloc(state->ops.count, sizeof(*order));
    struct random_sequence random;
    random_sequence_init(&random, 3);
    for (int round = 0; round < 50; round++) {
        struct configuration_builder *builder = configuration_builder_new();
        for (size_t i = 0; i < state->ops.count; i++) {
            size_t j = random_sequence_below(&random, i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (size_t i = 0; i < state->ops.count; i++) {
            struct raw_facet facet = raw_state_facet(state, order[i]);
            assert_true(configuration_builder_add(builder, &facet));
        }
        struct configuration *shuffled = configuration_builder_finish(builder);
        char *text = portrait(shuffled);
        assert_string_equal(text, expected);
        free(text);
        configuration_free(shuffled);
    }
    free(order);
    free(expected);
    configuration_free(straight);
    raw_state_free(state);
}

static void lookup_takes_names_and_ids_and_says_what_is_wrong(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    struct error error = {0};
    char id[UUID_TEXT_SIZE];
    raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                     "{'name': 'twin', 'vip_address': '10.77.0.101'}");
    raw_state_create(state, RESOURCE_LOAD_BALANCER, NULL,
                     "{'name': 'twin', 'vip_address': '10.77.0.102'}");
    struct configuration *c = raw_state_project(state);
    const struct effective *web = configuration_find(c, &ids.web);
    uuid_format(&ids.web, id);
    assert_ptr_equal(configuration_lookup(c, RESOURCE_LOAD_BALANCER, NULL, "web", &error), web);
    assert_ptr_equal(configuration_lookup(c, RESOURCE_LOAD_BALANCER, NULL, id, &error), web);
    assert_null(configuration_lookup(c, RESOURCE_POOL, NULL, id, &error));
    assert_non_null(configuration_lookup(c, RESOURCE_MEMBER, &ids.workers, "w1", &error));
    assert_null(configuration_lookup(c, RESOURCE_MEMBER, &ids.web, "w1", &error));
    assert_null(configuration_lookup(c, RESOURCE_LOAD_BALANCER, NULL, "nope", &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
    assert_string_equal(error.text, "Load Balancer nope not found.");
    assert_null(configuration_lookup(c, RESOURCE_LOAD_BALANCER, NULL, "twin", &error));
    assert_int_equal(error.kind, ERROR_CONFLICT);
    assert_string_equal(error.text, "2 Load Balancers are named twin; use the id.");
    assert_null(configuration_lookup(c, RESOURCE_HEALTH_MONITOR, NULL, "", &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
    configuration_free(c);
    raw_state_free(state);
}

/* All of one name and one claim: the worst case of the chains. A quadratic rule would need
 * minutes under a sanitizer; CPU time is bounded generously. */
static void nine_thousand_objects_take_no_quadratic_time(void **context)
{
    struct raw_state *state = raw_state_new();
    struct example_ids ids = raw_state_example(state);
    for (int i = 0; i < 9000; i++) {
        char text[128];
        snprintf(text, sizeof(text),
                 "{'name': 'same', 'address': '10.1.%d.%d', 'protocol_port': 80}", i / 250,
                 i % 250);
        raw_state_create(state, RESOURCE_MEMBER, &ids.workers, text);
    }
    clock_t started = clock();
    struct configuration *c = raw_state_project(state);
    assert_true(clock() - started < 2 * CLOCKS_PER_SEC);
    assert_non_null(configuration_child(c, &ids.workers, RESOURCE_MEMBER, 9001));
    configuration_free(c);
    raw_state_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_effective_and_found_below_their_owner),
        cmocka_unit_test(creation_and_last_change_give_the_times),
        cmocka_unit_test(p1_a_deleted_object_is_not_found),
        cmocka_unit_test(p2_what_lost_its_owner_is_an_orphan_down_to_the_leaves),
        cmocka_unit_test(p3_a_value_out_of_range_disables_that_object_alone),
        cmocka_unit_test(p3_a_mandatory_attribute_that_is_missing_disables_the_object),
        cmocka_unit_test(a_type_of_a_newer_version_is_left_out),
        cmocka_unit_test(p4_the_older_claim_is_effective_and_the_next_takes_over),
        cmocka_unit_test(p4_an_additional_vip_belongs_to_the_older_load_balancer),
        cmocka_unit_test(p6_a_listener_survives_its_deleted_pool),
        cmocka_unit_test(p7_a_timeout_above_the_delay_is_clamped),
        cmocka_unit_test(open_conflicts_are_counted),
        cmocka_unit_test(the_order_of_facets_does_not_matter),
        cmocka_unit_test(lookup_takes_names_and_ids_and_says_what_is_wrong),
        cmocka_unit_test(nine_thousand_objects_take_no_quadratic_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

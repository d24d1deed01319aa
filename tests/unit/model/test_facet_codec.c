#include "tests/unit/model/resources.h"

static struct resource *resource_of_ops(const struct change_set *set)
{
    struct resource *resource = resource_new((enum resource_type)set->ops[0].type);
    resource->id = set->ops[0].object_id;
    resource->owner = set->ops[0].owner;
    for (size_t i = 0; i < set->count; i++) {
        const struct change_op *op = &set->ops[i];
        struct error error = {0};
        struct bytes value = {op->value, op->value_size};
        if (!resource_read_facet(resource, op->facet, value, &error))
            fail_msg("facet %u: %s", op->facet, error.text);
    }
    return resource;
}

/* JSON -> resource -> ops -> resource -> JSON loses nothing, for every class. */
static void a_resource_survives_its_records(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        struct change_set set = {0};
        struct resource *before = good_resource(examples[i].type, examples[i].json);
        assert_true(change_set_add_create(&set, before));
        struct resource *after = resource_of_ops(&set);
        assert_same_resource(before, after);
        assert_true(uuid_equal(&before->id, &after->id));
        assert_true(uuid_equal(&before->owner, &after->owner));
        assert_int_equal(change_set_add_update(&set, before, after), 0);
        change_set_free(&set);
        resource_free(before);
        resource_free(after);
    }
}

static void every_example_differs_from_the_defaults(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        const struct resource_class *class = resource_class_of(examples[i].type);
        struct resource *given = good_resource(examples[i].type, examples[i].json);
        struct resource *usual = resource_new(examples[i].type);
        for (size_t f = 0; f < class->field_count; f++) {
            const struct field *field = &class->fields[f];
            bool free_choice = !(field->flags & (FIELD_INTERNAL | FIELD_REQUIRED));
            struct json_value *left = field_to_json(field, given);
            struct json_value *right = field_to_json(field, usual);
            char *a = json_value_print(left, 0), *b = json_value_print(right, 0);
            if (free_choice && strcmp(a, b) == 0)
                fail_msg("%s.%s is not exercised", class->noun, field->name);
            free(a);
            free(b);
            json_value_free(left);
            json_value_free(right);
        }
        resource_free(given);
        resource_free(usual);
    }
}

static void creation_says_alive_first(void **state)
{
    struct change_set set = {0};
    struct resource *pool = good_resource(RESOURCE_POOL, examples[3].json);
    assert_true(change_set_add_create(&set, pool));
    assert_int_equal(set.ops[0].facet, FACET_LIFE);
    assert_int_equal(set.ops[0].value_size, 1);
    assert_int_equal(set.ops[0].value[0], 1);
    change_set_free(&set);
    resource_free(pool);
}

static void deletion_is_one_byte(void **state)
{
    struct change_set set = {0};
    struct resource *pool = good_resource(RESOURCE_POOL, examples[3].json);
    assert_true(change_set_add_delete(&set, pool));
    assert_int_equal(set.count, 1);
    assert_int_equal(set.ops[0].facet, FACET_LIFE);
    assert_int_equal(set.ops[0].value[0], 0);
    change_set_free(&set);
    resource_free(pool);
}

/* Facets are the unit of merge: a weight changed here must not touch a backup flag changed
 * there. */
static void an_update_writes_only_the_changed_facets(void **state)
{
    struct change_set set = {0};
    struct error error = {0};
    struct resource *before = good_resource(RESOURCE_MEMBER, examples[4].json);
    struct resource *after = resource_copy(before);
    struct json_value *change = parse("{\"weight\": 5}");
    assert_true(resource_update_from_json(after, change, &error));
    assert_int_equal(change_set_add_update(&set, before, after), 1);
    assert_int_equal(set.ops[0].facet, 10);
    const uint8_t weight_is_5[] = {1 << 3, 5};
    assert_int_equal(set.ops[0].value_size, 2);
    assert_memory_equal(set.ops[0].value, weight_is_5, 2);
    json_value_free(change);
    change_set_free(&set);
    resource_free(before);
    resource_free(after);
}

/* Setting a value again must be a write: that is how a conflict about it is closed. */
static void a_named_attribute_is_written_though_it_is_equal(void **state)
{
    struct change_set set = {0};
    struct resource *member = good_resource(RESOURCE_MEMBER, examples[4].json);
    struct json_value *same = parse("{\"weight\": 0, \"monitor_port\": 8081}");
    assert_int_equal(change_set_add_named(&set, member, same), 2);
    assert_int_equal(set.ops[0].facet, 10);
    assert_int_equal(set.ops[1].facet, 12);
    json_value_free(same);
    change_set_free(&set);
    resource_free(member);
}

static void a_negative_number_survives(void **state)
{
    struct change_set set = {0};
    struct resource *before =
        good_resource(RESOURCE_LISTENER, "{\"protocol\": \"TCP\", \"protocol_port\": 1}");
    assert_int_equal(((struct listener *)before)->connection_limit, -1);
    assert_true(change_set_add_create(&set, before));
    struct resource *after = resource_of_ops(&set);
    assert_int_equal(((struct listener *)after)->connection_limit, -1);
    change_set_free(&set);
    resource_free(before);
    resource_free(after);
}

static bool read_bytes(enum resource_type type, unsigned facet, const char *bytes, size_t size)
{
    struct error error = {0};
    struct resource *resource = resource_new(type);
    struct resource *before = resource_copy(resource);
    struct bytes value = {(const uint8_t *)bytes, size};
    bool good = resource_read_facet(resource, (uint16_t)facet, value, &error);
    assert_true(good == (error.kind == ERROR_NONE));
    if (!good)
        assert_same_resource(before, resource);
    resource_free(resource);
    resource_free(before);
    return good;
}

#define READ(type, facet, bytes) read_bytes(type, facet, bytes, sizeof(bytes) - 1)

static void a_newer_nodes_attribute_is_skipped(void **state)
{
    assert_true(READ(RESOURCE_MEMBER, 10, "\x08\x05\x10\x01\x1a\x02xy"));
    assert_true(READ(RESOURCE_MEMBER, 40, "\x08\x05")); /* and a whole facet */
}

static void malformed_records_are_refused(void **state)
{
    assert_false(READ(RESOURCE_MEMBER, 10, "\x08"));                   /* cut short */
    assert_false(READ(RESOURCE_MEMBER, 10, "\x08\x85\x00"));           /* not minimal */
    assert_false(READ(RESOURCE_MEMBER, 10, "\x08\x05\x08\x05"));       /* twice */
    assert_false(READ(RESOURCE_MEMBER, 10, "\x0a\x01\x05"));           /* wrong wire type */
    assert_false(READ(RESOURCE_MEMBER, 10, "\x08\x81\x02"));           /* 257 > 256 */
    assert_false(READ(RESOURCE_MEMBER, 11, "\x08\x02"));               /* no boolean */
    assert_false(READ(RESOURCE_MEMBER, 12, "\x0a\x03\x01\x02\x03"));   /* no address */
    assert_false(READ(RESOURCE_POOL, 10, "\x08\x09"));                 /* no such algorithm */
    assert_false(READ(RESOURCE_POOL, FACET_META, "\x0a\x01\x07"));     /* control character */
    assert_false(READ(RESOURCE_POOL, FACET_META, "\x0a\x02\xc0\x80")); /* overlong UTF-8 */
    assert_false(READ(RESOURCE_POOL, FACET_LIFE, "\x02"));
    assert_false(READ(RESOURCE_POOL, FACET_LIFE, ""));
}

static void a_record_without_a_mandatory_attribute_is_refused(void **state)
{
    assert_true(READ(RESOURCE_POOL, FACET_CREATION, "\x18\x01"));
    assert_false(READ(RESOURCE_POOL, FACET_CREATION, ""));
    assert_true(READ(RESOURCE_MEMBER, 12, "")); /* nothing of it is mandatory */
}

/* Equal meaning has equal bytes, or merged copies would look like conflicts. */
static void lists_and_maps_have_one_form(void **state)
{
    assert_true(READ(RESOURCE_LISTENER, 14,
                     "\x0a\x0a"
                     "10.0.0.0/8"));
    assert_false(READ(RESOURCE_LISTENER, 14,
                      "\x0a\x0a"
                      "10.1.0.0/8"));
    assert_true(READ(RESOURCE_VRRP_GROUP, 11,
                     "\x0a\x03"
                     "a=1\x0a\x03"
                     "b=1"));
    assert_false(READ(RESOURCE_VRRP_GROUP, 11,
                      "\x0a\x03"
                      "b=1\x0a\x03"
                      "a=1"));
    assert_false(READ(RESOURCE_VRRP_GROUP, 11,
                      "\x0a\x03"
                      "a=1\x0a\x03"
                      "a=2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resource_survives_its_records),
        cmocka_unit_test(every_example_differs_from_the_defaults),
        cmocka_unit_test(creation_says_alive_first),
        cmocka_unit_test(deletion_is_one_byte),
        cmocka_unit_test(an_update_writes_only_the_changed_facets),
        cmocka_unit_test(a_named_attribute_is_written_though_it_is_equal),
        cmocka_unit_test(a_negative_number_survives),
        cmocka_unit_test(a_newer_nodes_attribute_is_skipped),
        cmocka_unit_test(malformed_records_are_refused),
        cmocka_unit_test(a_record_without_a_mandatory_attribute_is_refused),
        cmocka_unit_test(lists_and_maps_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

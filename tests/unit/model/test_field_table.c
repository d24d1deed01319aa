#include "lbnode/model/field_table.h"
#include "tests/support/test.h"

#include <string.h>

static bool has_range(const struct field *field)
{
    return field->type == FIELD_INTEGER || field->type == FIELD_TEXT ||
           field->type == FIELD_TEXT_LIST || field->type == FIELD_TEXT_MAP;
}

/* Every row is complete: what is derived from it needs no special case. */
static void rows_are_complete(void **state)
{
    for (size_t c = 0; resource_class_at(c); c++) {
        const struct resource_class *class = resource_class_at(c);
        for (size_t i = 0; i < class->field_count; i++) {
            const struct field *field = &class->fields[i];
            assert_non_null(field->help);
            assert_ptr_equal(field_find(class, field->name), field); /* names are unique */
            assert_true(field->facet >= 1 && field->facet < 64 && field->tag >= 1);
            assert_true((field->type == FIELD_ENUM) == (field->choices != NULL));
            assert_true(!has_range(field) || field->maximum > field->minimum);
        }
    }
}

/* The codec writes rows in table order, and its format wants ascending numbers. */
static void tags_ascend_within_a_facet(void **state)
{
    for (size_t c = 0; resource_class_at(c); c++) {
        const struct resource_class *class = resource_class_at(c);
        uint16_t last[64] = {0};
        for (size_t i = 0; i < class->field_count; i++) {
            const struct field *field = &class->fields[i];
            assert_true(field->tag > last[field->facet]);
            last[field->facet] = field->tag;
        }
    }
}

/* What cannot change stands in the creation facet, and nothing else does. */
static void creation_facet_is_create_only(void **state)
{
    for (size_t c = 0; resource_class_at(c); c++) {
        const struct resource_class *class = resource_class_at(c);
        for (size_t i = 0; i < class->field_count; i++) {
            bool create_only = class->fields[i].flags & FIELD_CREATE_ONLY;
            assert_true(create_only == (class->fields[i].facet == FACET_CREATION));
        }
    }
}

static void nouns_find_their_class(void **state)
{
    const char *const nouns[] = {"lb", "loadbalancer", "loadbalancers"};
    for (size_t i = 0; i < ARRAY_LENGTH(nouns); i++)
        assert_int_equal(resource_class_by_noun(nouns[i])->type, RESOURCE_LOAD_BALANCER);
    assert_int_equal(resource_class_by_noun("hm")->type, RESOURCE_HEALTH_MONITOR);
    assert_int_equal(resource_class_by_noun("vrrpgroup")->type, RESOURCE_VRRP_GROUP);
    assert_null(resource_class_by_noun("balancer"));
    assert_null(resource_class_of(RESOURCE_NONE));
}

static void the_description_names_every_attribute(void **state)
{
    struct json_value *root = field_table_describe();
    const struct json_value *resources = json_value_get(root, "resources");
    bool found = false;
    for (size_t i = 0; i < json_value_count(resources); i++) {
        const struct json_value *resource = json_value_at(resources, i);
        const struct json_value *attributes = json_value_get(resource, "attributes");
        if (strcmp(json_value_get_text(resource, "noun"), "member") != 0)
            continue;
        for (size_t a = 0; a < json_value_count(attributes); a++) {
            const struct json_value *attribute = json_value_at(attributes, a);
            if (strcmp(json_value_get_text(attribute, "name"), "weight") != 0)
                continue;
            found = true;
            assert_string_equal(json_value_get_text(attribute, "type"), "integer");
            assert_int_equal(json_value_number(json_value_get(attribute, "maximum")), 256);
        }
    }
    assert_true(found);
    json_value_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(tags_ascend_within_a_facet),
        cmocka_unit_test(creation_facet_is_create_only),
        cmocka_unit_test(nouns_find_their_class),
        cmocka_unit_test(the_description_names_every_attribute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Taking back what was done to sensitive values, across a change of the key that seals them. */
#include "lbnode/crypto/crypto.h"
#include "lbnode/model/sensitive.h"
#include "lbnode/model/undo.h"
#include "tests/support/test.h"

#include <string.h>

enum {
    PAYLOAD = 10, /* facet */
    WRITES = 6
};

static const uint8_t old_secret[SECRET_BOX_KEY_SIZE] = "the first key of this cluster...";
static const uint8_t new_secret[SECRET_BOX_KEY_SIZE] = "the second key of this cluster..";
static const struct sensitive_keys old_keys = {{{{"old"}, old_secret}}, 1};
static const struct sensitive_keys new_keys = {{{{"new"}, new_secret}}, 1};
static const struct uuid secret_id = {{1}};

struct history {
    struct change_set ops; /* owns the bytes of the writes */
    struct undo_write writes[WRITES];
    struct undo_value current;
};

static const struct field *payload_field(void)
{
    return field_find(resource_class_of(RESOURCE_SECRET), "payload");
}

static struct undo_write *
add(struct history *history, const char *payload, const struct sensitive_keys *keys)
{
    struct json_value *object = json_value_object();
    json_value_set_text(object, "payload", payload);
    struct resource *resource =
        resource_from_json(resource_class_of(RESOURCE_SECRET), object, NULL);
    assert_non_null(resource);
    resource->id = secret_id;
    assert_true(sensitive_seal(resource, NULL, keys, NULL));
    assert_true(change_set_add_facet(&history->ops, resource, PAYLOAD));
    struct undo_write *write = &history->writes[history->ops.count - 1];
    const struct change_op *op = &history->ops.ops[history->ops.count - 1];
    *write = (struct undo_write){.facet = PAYLOAD, .value = {op->value, op->value_size}};
    history->current = (struct undo_value){PAYLOAD, write->value};
    resource_free(resource);
    json_value_free(object);
    return write;
}

static struct undo_plan undo(struct history *history, enum undo_mode mode)
{
    struct undo_plan plan = {.keys = &new_keys};
    static const uint8_t alive = 1;
    const struct undo_value current[] = {{FACET_LIFE, {&alive, 1}}, history->current};
    const struct undo_object object = {.id = secret_id,
                                       .type = RESOURCE_SECRET,
                                       .writes = history->writes,
                                       .write_count = history->ops.count,
                                       .current = current,
                                       .current_count = 2};
    assert_true(undo_add_object(&plan, &object, mode));
    change_set_free(&history->ops);
    return plan;
}

static void expect_payload(const struct undo_plan *plan, const char *expected)
{
    struct resource *resource = resource_new(RESOURCE_SECRET);
    size_t size = 0;
    assert_int_equal(plan->changes.count, 1);
    const struct change_op *op = &plan->changes.ops[0];
    assert_true(resource_read_facet(resource, op->facet,
                                    (struct bytes){op->value, op->value_size}, NULL));
    resource->id = secret_id;
    uint8_t *plain = sensitive_open(resource, payload_field(), &new_keys, &size, NULL);
    assert_non_null(plain);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(plain, expected, size);
    secret_free(plain);
    resource_free(resource);
}

static void sealing_anew_hides_no_earlier_value(void **state)
{
    struct history history = {0};
    add(&history, "first", &old_keys);
    add(&history, "first", &new_keys)->resealed = true;
    add(&history, "second", &new_keys)->undone = true;
    struct undo_plan plan = undo(&history, UNDO_UNTOUCHED);
    expect_payload(&plan, "first");
    undo_plan_free(&plan);
}

static void sealing_anew_is_no_change_that_would_be_taken_back(void **state)
{
    struct history history = {0};
    add(&history, "first", &old_keys);
    add(&history, "first", &old_keys)->undone = true; /* of another attribute of the facet */
    history.writes[1].value = history.writes[0].value;
    add(&history, "first", &new_keys)->resealed = true;
    struct undo_plan plan = undo(&history, UNDO_UNTOUCHED);
    assert_int_equal(plan.changes.count, 0);
    assert_int_equal(plan.left_count, 0);
    undo_plan_free(&plan);
}

static void an_undone_value_that_was_sealed_anew_goes_back(void **state)
{
    struct history history = {0};
    add(&history, "first", &new_keys);
    add(&history, "second", &old_keys)->undone = true;
    add(&history, "second", &new_keys)->resealed = true;
    struct undo_plan plan = undo(&history, UNDO_UNTOUCHED);
    expect_payload(&plan, "first");
    undo_plan_free(&plan);
}

static void a_value_that_nobody_can_open_does_not_come_back(void **state)
{
    for (int forced = 0; forced < 2; forced++) {
        struct history history = {0};
        add(&history, "first", &old_keys);
        add(&history, "second", &new_keys)->undone = true;
        struct undo_plan plan = undo(&history, forced ? UNDO_FORCED : UNDO_UNTOUCHED);
        assert_int_equal(plan.changes.count, 0);
        assert_int_equal(plan.left_count, 1);
        assert_int_equal(plan.left[0].obstacle, UNDO_UNREADABLE);
        assert_string_equal(plan.left[0].attribute, "payload");
        undo_plan_free(&plan);
    }
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_anew_hides_no_earlier_value),
        cmocka_unit_test(sealing_anew_is_no_change_that_would_be_taken_back),
        cmocka_unit_test(an_undone_value_that_was_sealed_anew_goes_back),
        cmocka_unit_test(a_value_that_nobody_can_open_does_not_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lbnode/crypto/crypto.h"
#include "lbnode/model/configuration.h"
#include "lbnode/model/sensitive.h"
#include "tests/support/test.h"
#include "tests/unit/model/raw_state.h"

#include <stdlib.h>
#include <string.h>

#define MARKER "the payload that nobody may see"

static const uint8_t first_secret[SECRET_BOX_KEY_SIZE] = "the first key of this cluster...";
static const uint8_t second_secret[SECRET_BOX_KEY_SIZE] = "the second key of this cluster..";
static const struct sensitive_keys first_only = {{{{"first"}, first_secret}}, 1};
static const struct sensitive_keys second_only = {{{{"second"}, second_secret}}, 1};
static const struct sensitive_keys second_first = {
    {{{"second"}, second_secret}, {{"first"}, first_secret}}, 2};

static const struct field *payload_field(void)
{
    return field_find(resource_class_of(RESOURCE_SECRET), "payload");
}

static const struct sealed_value *payload_of(const struct resource *resource)
{
    return &((const struct secret *)resource)->payload;
}

static struct resource *plain_secret(const char *payload)
{
    struct error error = {0};
    struct json_value *object = json_value_object();
    json_value_set_text(object, "name", "web-key");
    json_value_set_text(object, "payload", payload);
    struct resource *resource =
        resource_from_json(resource_class_of(RESOURCE_SECRET), object, &error);
    json_value_free(object);
    if (!resource)
        fail_msg("%s", error.text);
    return resource;
}

static struct resource *sealed_secret(const struct sensitive_keys *keys)
{
    struct error error = {0};
    struct resource *resource = plain_secret(MARKER);
    if (!sensitive_seal(resource, NULL, keys, &error))
        fail_msg("%s", error.text);
    return resource;
}

static void expect_payload(const struct resource *resource,
                           const struct sensitive_keys *keys,
                           const char *expected)
{
    struct error error = {0};
    size_t size = 0;
    uint8_t *plain = sensitive_open(resource, payload_field(), keys, &size, &error);
    if (!plain)
        fail_msg("%s", error.text);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(plain, expected, size);
    secret_free(plain);
}

static void a_plain_value_is_neither_encoded_nor_printed(void **state)
{
    struct resource *resource = plain_secret(MARKER);
    struct change_set changes = {0};
    assert_true(payload_of(resource)->is_plain);
    assert_false(change_set_add_create(&changes, resource));
    struct json_value *shown = field_to_json(payload_field(), resource);
    assert_string_equal(json_value_text(shown), FIELD_MASK);
    json_value_free(shown);
    change_set_free(&changes);
    resource_free(resource);
}

static void a_sealed_value_travels_as_a_box_and_opens_again(void **state)
{
    struct resource *resource = sealed_secret(&first_only);
    struct change_set changes = {0};
    struct resource *read = resource_new(RESOURCE_SECRET);
    assert_true(change_set_add_create(&changes, resource));
    read->id = resource->id;
    for (size_t i = 0; i < changes.count; i++) {
        const struct change_op *op = &changes.ops[i];
        assert_null(memmem(op->value, op->value_size, MARKER, strlen(MARKER)));
        assert_true(resource_read_facet(read, op->facet,
                                        (struct bytes){op->value, op->value_size}, NULL));
    }
    expect_payload(read, &first_only, MARKER);
    assert_true(sealed_value_equal(payload_of(resource), payload_of(read)));
    change_set_free(&changes);
    resource_free(read);
    resource_free(resource);
}

static void a_box_of_another_object_does_not_open(void **state)
{
    struct error error = {0};
    size_t size;
    struct resource *resource = sealed_secret(&first_only);
    resource->id = uuid_random();
    assert_null(sensitive_open(resource, payload_field(), &first_only, &size, &error));
    assert_int_equal(error.kind, ERROR_REFUSED);
    resource_free(resource);
}

static void it_is_known_whether_there_is_a_key(void **state)
{
    struct resource *resource = sealed_secret(&first_only),
                    *empty = resource_new(RESOURCE_SECRET);
    assert_true(sensitive_has_keys(resource, &second_first));
    assert_false(sensitive_has_keys(resource, &second_only));
    assert_true(sensitive_has_keys(empty, &second_only));
    resource_free(resource);
    resource_free(empty);
}

static void the_same_payload_again_is_the_same_box(void **state)
{
    struct resource *before = sealed_secret(&first_only);
    struct resource *same = plain_secret(MARKER), *other = plain_secret("another payload");
    struct change_set changes = {0};
    same->id = other->id = before->id;
    assert_true(sensitive_seal(same, before, &second_first, NULL));
    assert_int_equal(change_set_add_update(&changes, before, same), 0);
    assert_true(sensitive_seal(other, before, &second_first, NULL));
    assert_int_equal(change_set_add_update(&changes, before, other), 1);
    expect_payload(other, &second_only, "another payload");
    change_set_free(&changes);
    resource_free(before);
    resource_free(same);
    resource_free(other);
}

static void without_a_key_nothing_is_sealed(void **state)
{
    struct error error = {0};
    const struct sensitive_keys none = {0};
    struct resource *resource = plain_secret(MARKER);
    assert_false(sensitive_seal(resource, NULL, &none, &error));
    assert_int_equal(error.kind, ERROR_UNAVAILABLE);
    assert_null(strstr(error.text, MARKER));
    resource_free(resource);
}

static void a_payload_has_a_bound_and_no_sentence_repeats_it(void **state)
{
    struct error error = {0};
    const struct resource_class *class = resource_class_of(RESOURCE_SECRET);
    char *longest = calloc(1, SEALED_MAXIMUM_SIZE + 2);
    memset(longest, 'x', SEALED_MAXIMUM_SIZE + 1);
    struct json_value *object = json_value_object();
    json_value_set_text(object, "payload", longest);
    assert_null(resource_from_json(class, object, &error));
    assert_null(strstr(error.text, "xxxx"));
    longest[SEALED_MAXIMUM_SIZE] = '\0';
    json_value_set_text(object, "payload", longest);
    struct resource *resource = resource_from_json(class, object, &error);
    struct change_set changes = {0};
    assert_non_null(resource);
    assert_true(sensitive_seal(resource, NULL, &first_only, NULL));
    assert_true(change_set_add_create(&changes, resource));
    change_set_free(&changes);
    resource_free(resource);
    json_value_set_number(object, "payload", 4711);
    assert_null(resource_from_json(class, object, &error));
    assert_null(strstr(error.text, "4711"));
    json_value_free(object);
    free(longest);
}

/* Seals the facets of RESOURCE anew with the key KEY_ID; what became of that with the payload.
 */
static enum sensitive_reseal reseal(const struct resource *resource,
                                    const struct sensitive_keys *keys,
                                    const char *key_id,
                                    struct change_set *out)
{
    struct raw_state *raw = raw_state_new();
    struct change_set changes = {0};
    struct uuid id = {{0}};
    enum sensitive_reseal result = SENSITIVE_AS_IT_IS;
    memcpy(id.bytes, key_id, strlen(key_id));
    assert_true(change_set_add_create(&changes, resource));
    raw_state_apply(raw, &changes);
    for (size_t i = 0; i < raw->ops.count; i++) {
        struct raw_facet facet = raw_state_facet(raw, i);
        enum sensitive_reseal one = sensitive_reseal_facet(&facet, keys, &id, out);
        assert_true(facet.facet == payload_field()->facet || one == SENSITIVE_AS_IT_IS);
        result = one > result ? one : result;
    }
    change_set_free(&changes);
    raw_state_free(raw);
    return result;
}

static void a_new_key_seals_anew_what_older_ones_sealed(void **state)
{
    struct change_set changes = {0};
    struct resource *resource = sealed_secret(&first_only);
    const struct uuid first = {"first"}, second = {"second"};
    assert_int_equal(reseal(resource, &second_first, "second", &changes), SENSITIVE_RESEALED);
    assert_int_equal(changes.count, 1);
    const struct change_op *op = &changes.ops[0];
    const struct raw_facet facet = {.object_id = op->object_id,
                                    .type = op->type,
                                    .facet = op->facet,
                                    .value = {op->value, op->value_size}};
    assert_true(sensitive_is_sealed_with(&facet, &second_first, &second));
    assert_false(sensitive_is_sealed_with(&facet, &second_first, &first));
    op->value[op->value_size - 1] ^= 1; /* it does not open any more */
    assert_false(sensitive_is_sealed_with(&facet, &second_first, &second));
    op->value[op->value_size - 1] ^= 1;
    assert_true(resource_read_facet(resource, op->facet, facet.value, NULL));
    expect_payload(resource, &second_only, MARKER);
    change_set_free(&changes);
    resource_free(resource);
}

static void what_that_key_or_a_newer_one_sealed_stays(void **state)
{
    struct change_set changes = {0};
    struct resource *old = sealed_secret(&first_only), *new = sealed_secret(&second_first);
    assert_int_equal(reseal(old, &second_first, "first", &changes), SENSITIVE_AS_IT_IS);
    assert_int_equal(reseal(new, &second_first, "first", &changes), SENSITIVE_AS_IT_IS);
    assert_int_equal(reseal(new, &second_first, "second", &changes), SENSITIVE_AS_IT_IS);
    assert_int_equal(changes.count, 0);
    resource_free(old);
    resource_free(new);
}

static void what_no_key_opens_is_left_alone(void **state)
{
    struct change_set changes = {0};
    struct resource *resource = sealed_secret(&first_only);
    assert_int_equal(reseal(resource, &second_only, "second", &changes), SENSITIVE_UNREADABLE);
    assert_int_equal(changes.count, 0);
    resource_free(resource);
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_value_is_neither_encoded_nor_printed),
        cmocka_unit_test(a_sealed_value_travels_as_a_box_and_opens_again),
        cmocka_unit_test(a_box_of_another_object_does_not_open),
        cmocka_unit_test(it_is_known_whether_there_is_a_key),
        cmocka_unit_test(the_same_payload_again_is_the_same_box),
        cmocka_unit_test(without_a_key_nothing_is_sealed),
        cmocka_unit_test(a_payload_has_a_bound_and_no_sentence_repeats_it),
        cmocka_unit_test(a_new_key_seals_anew_what_older_ones_sealed),
        cmocka_unit_test(what_that_key_or_a_newer_one_sealed_stays),
        cmocka_unit_test(what_no_key_opens_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

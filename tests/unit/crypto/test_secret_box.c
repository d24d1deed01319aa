#include "lbnode/crypto/crypto.h"
#include "lbnode/crypto/secret_box.h"
#include "tests/support/test.h"

#include <string.h>

enum {
    CONTENT_SIZE = 11,
    BOX_SIZE = CONTENT_SIZE + SECRET_BOX_OVERHEAD
};

static const uint8_t secret[SECRET_BOX_KEY_SIZE] = "a key of thirty-two bytes, just.";
static const struct secret_box_key key = {{"the id of a key"}, secret};
static const struct secret_box_place place = {{"object number 1"}, 10};
static const struct bytes content = {(const uint8_t *)"hello world", CONTENT_SIZE};

static bool opens(const struct secret_box_key *with,
                  const struct secret_box_place *at,
                  const uint8_t *box,
                  size_t size)
{
    uint8_t out[CONTENT_SIZE];
    memset(out, 'x', sizeof(out));
    bool opened = secret_box_open(with, at, (struct bytes){box, size}, out);
    if (opened)
        assert_memory_equal(out, content.data, CONTENT_SIZE);
    return opened;
}

static void what_was_sealed_opens_at_its_place(void **state)
{
    uint8_t box[BOX_SIZE];
    struct uuid id;
    secret_box_seal(&key, &place, content, box);
    assert_true(opens(&key, &place, box, sizeof(box)));
    assert_true(secret_box_key_id((struct bytes){box, sizeof(box)}, &id));
    assert_true(uuid_equal(&id, &key.id));
}

static void another_key_object_or_facet_opens_nothing(void **state)
{
    uint8_t box[BOX_SIZE];
    const struct secret_box_key other_secret = {
        key.id, (const uint8_t *)"another key, as long as that one"};
    const struct secret_box_key other_id = {{"the id of a kez"}, secret};
    const struct secret_box_place other_object = {{"object number 2"}, 10};
    const struct secret_box_place other_facet = {place.object_id, 11};
    secret_box_seal(&key, &place, content, box);
    assert_false(opens(&other_secret, &place, box, sizeof(box)));
    assert_false(opens(&other_id, &place, box, sizeof(box)));
    assert_false(opens(&key, &other_object, box, sizeof(box)));
    assert_false(opens(&key, &other_facet, box, sizeof(box)));
}

static void the_key_id_in_the_box_is_authenticated(void **state)
{
    uint8_t box[BOX_SIZE];
    struct secret_box_key renamed = {{"the id of a kez"}, secret};
    secret_box_seal(&key, &place, content, box);
    memcpy(box + 1, renamed.id.bytes, sizeof(renamed.id.bytes));
    assert_false(opens(&renamed, &place, box, sizeof(box)));
}

static void a_changed_bit_or_a_missing_byte_opens_nothing(void **state)
{
    uint8_t box[BOX_SIZE];
    secret_box_seal(&key, &place, content, box);
    for (size_t i = 0; i < sizeof(box); i++) {
        box[i] ^= 1;
        assert_false(opens(&key, &place, box, sizeof(box)));
        box[i] ^= 1;
    }
    for (size_t size = 0; size < sizeof(box); size++)
        assert_false(opens(&key, &place, box, size));
    assert_true(opens(&key, &place, box, sizeof(box)));
}

static void equal_contents_have_different_boxes(void **state)
{
    uint8_t one[BOX_SIZE], two[BOX_SIZE];
    secret_box_seal(&key, &place, content, one);
    secret_box_seal(&key, &place, content, two);
    assert_memory_not_equal(one, two, sizeof(one));
}

static void an_empty_content_has_a_box_too(void **state)
{
    uint8_t box[SECRET_BOX_OVERHEAD], nothing[1];
    secret_box_seal(&key, &place, (struct bytes){NULL, 0}, box);
    assert_true(secret_box_open(&key, &place, (struct bytes){box, sizeof(box)}, nothing));
    box[SECRET_BOX_OVERHEAD - 1] ^= 1;
    assert_false(secret_box_open(&key, &place, (struct bytes){box, sizeof(box)}, nothing));
}

/* Made by another implementation, with the nonce 40 41 .. 57. */
static void the_layout_is_that_of_the_protocol(void **state)
{
    static const char hex[] =
        "01746865206964206f662061206b657900404142434445464748494a4b4c4d4e4f5051525354"
        "555657f11432269cbd886de250d9a611e5bbfe5a80d4e0b2192c36dee2bc";
    uint8_t box[BOX_SIZE];
    assert_true(bytes_from_hex(hex, box, sizeof(box)));
    assert_true(opens(&key, &place, box, sizeof(box)));
}

int main(void)
{
    crypto_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_is_that_of_the_protocol),
        cmocka_unit_test(what_was_sealed_opens_at_its_place),
        cmocka_unit_test(another_key_object_or_facet_opens_nothing),
        cmocka_unit_test(the_key_id_in_the_box_is_authenticated),
        cmocka_unit_test(a_changed_bit_or_a_missing_byte_opens_nothing),
        cmocka_unit_test(equal_contents_have_different_boxes),
        cmocka_unit_test(an_empty_content_has_a_box_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lbnode/crypto/sealed_box.h"
#include "tests/support/test.h"

#include <string.h>

static const struct bytes plain = {(const uint8_t *)"a key of 32 bytes for the cluster", 32};

static void key_of(uint8_t first, struct dh_key *out)
{
    uint8_t seed[SIGN_SEED_SIZE] = {first};
    struct sign_key *key = sign_key_from_seed(seed);
    dh_key_from_sign_key(key, out);
    sign_key_free(key);
}

static void the_owner_opens_it_and_nobody_else(void **state)
{
    struct dh_key own, other;
    uint8_t box[32 + SEALED_BOX_OVERHEAD], opened[32];
    crypto_start();
    key_of(1, &own);
    key_of(2, &other);
    assert_true(sealed_box_close(own.public, plain, box));
    assert_true(sealed_box_open(&own, (struct bytes){box, sizeof(box)}, opened));
    assert_memory_equal(opened, plain.data, plain.size);
    assert_false(sealed_box_open(&other, (struct bytes){box, sizeof(box)}, opened));
}

static void a_damaged_or_short_one_is_refused(void **state)
{
    struct dh_key own;
    uint8_t box[32 + SEALED_BOX_OVERHEAD], opened[32];
    crypto_start();
    key_of(1, &own);
    assert_true(sealed_box_close(own.public, plain, box));
    for (size_t size = 0; size < sizeof(box); size++)
        assert_false(sealed_box_open(&own, (struct bytes){box, size}, opened));
    for (size_t i = 0; i < sizeof(box); i++) {
        box[i] ^= 1;
        assert_false(sealed_box_open(&own, (struct bytes){box, sizeof(box)}, opened));
        box[i] ^= 1;
    }
}

static void two_of_the_same_content_have_nothing_in_common(void **state)
{
    struct dh_key own;
    uint8_t first[32 + SEALED_BOX_OVERHEAD], second[32 + SEALED_BOX_OVERHEAD];
    crypto_start();
    key_of(1, &own);
    assert_true(sealed_box_close(own.public, plain, first));
    assert_true(sealed_box_close(own.public, plain, second));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_memory_not_equal(first + 32, second + 32, sizeof(first) - 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owner_opens_it_and_nobody_else),
        cmocka_unit_test(a_damaged_or_short_one_is_refused),
        cmocka_unit_test(two_of_the_same_content_have_nothing_in_common),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

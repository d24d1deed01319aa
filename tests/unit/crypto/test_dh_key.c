#include "lbnode/crypto/dh_key.h"
#include "tests/support/test.h"

#include <string.h>

static void from_hex(const char *text, uint8_t out[32])
{
    assert_true(bytes_from_hex(text, out, 32));
}

/* RFC 7748, 5.2, the second part of the tests: k and u are 9; after one iteration. */
static void agrees_as_the_rfc_says(void **state)
{
    uint8_t nine[32] = {9}, expected[32], shared[32];
    struct dh_key key;
    dh_key_from_secret(nine, &key);
    assert_true(dh_key_agree(&key, nine, shared));
    from_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", expected);
    assert_memory_equal(shared, expected, 32);
    assert_memory_equal(key.public, expected, 32); /* 9 is the base point */
}

static void both_sides_of_signing_keys_agree(void **state)
{
    struct sign_key *signs[2] = {sign_key_generate(), sign_key_generate()};
    struct dh_key keys[2];
    uint8_t publics[2][32], shared[2][32];
    for (int i = 0; i < 2; i++) {
        dh_key_from_sign_key(signs[i], &keys[i]);
        assert_true(dh_key_public_of(sign_key_public(signs[i]), publics[i]));
        assert_memory_equal(publics[i], keys[i].public, 32);
    }
    assert_true(dh_key_agree(&keys[0], publics[1], shared[0]));
    assert_true(dh_key_agree(&keys[1], publics[0], shared[1]));
    assert_memory_equal(shared[0], shared[1], 32);
    sign_key_free(signs[0]);
    sign_key_free(signs[1]);
}

static void points_of_small_order_are_refused(void **state)
{
    uint8_t nine[32] = {9}, point[32] = {0}, shared[32];
    struct dh_key key;
    dh_key_from_secret(nine, &key);
    assert_false(dh_key_agree(&key, point, shared));
    point[0] = 1;
    assert_false(dh_key_agree(&key, point, shared));
    assert_false(dh_key_public_of(point, shared)); /* the neutral element of Ed25519 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_as_the_rfc_says),
        cmocka_unit_test(both_sides_of_signing_keys_agree),
        cmocka_unit_test(points_of_small_order_are_refused),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

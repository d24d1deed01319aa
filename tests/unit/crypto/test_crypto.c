#include "lbnode/crypto/crypto.h"
#include "tests/support/test.h"

#include <string.h>

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* RFC 8032, 7.1, test 1: the empty message. */
static void signs_as_the_rfc_says(void **state)
{
    uint8_t seed[32], expected_public[32], expected[64], signature[64];
    assert_true(bytes_from_hex(
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", seed, 32));
    assert_true(
        bytes_from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                       expected_public, 32));
    assert_true(
        bytes_from_hex("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                       "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
                       expected, 64));
    struct sign_key *key = sign_key_from_seed(seed);
    assert_memory_equal(sign_key_public(key), expected_public, 32);
    signature_make(key, NULL, 0, signature);
    assert_memory_equal(signature, expected, 64);
    sign_key_free(key);
}

static void a_signature_covers_every_part(void **state)
{
    struct sign_key *key = sign_key_generate();
    struct bytes parts[] = {text_bytes("context"), text_bytes("message")};
    uint8_t signature[64];
    signature_make(key, parts, 2, signature);
    assert_true(signature_verify(sign_key_public(key), parts, 2, signature));
    assert_false(signature_verify(sign_key_public(key), parts, 1, signature));
    parts[0] = text_bytes("Context");
    assert_false(signature_verify(sign_key_public(key), parts, 2, signature));
    sign_key_free(key);
}

static void a_key_survives_as_its_seed(void **state)
{
    struct sign_key *key = sign_key_generate();
    uint8_t seed[32];
    sign_key_seed(key, seed);
    struct sign_key *again = sign_key_from_seed(seed);
    assert_memory_equal(sign_key_public(again), sign_key_public(key), 32);
    sign_key_free(again);
    sign_key_free(key);
}

static void a_keyed_hash_depends_on_key_and_message(void **state)
{
    uint8_t a[32], b[32], c[8];
    struct bytes message = text_bytes("abc");
    hash_make(text_bytes("key-one-16-bytes"), &message, 1, a, 32);
    hash_make(text_bytes("key-two-16-bytes"), &message, 1, b, 32);
    assert_false(constant_time_equal(a, b, 32));
    hash_make((struct bytes){0}, &message, 1, c, sizeof(c));
    hash_make((struct bytes){0}, &message, 1, b, 16);
    assert_memory_equal(c, b, 8); /* shorter than 16 bytes: the start of the 16-byte hash */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_as_the_rfc_says),
        cmocka_unit_test(a_signature_covers_every_part),
        cmocka_unit_test(a_key_survives_as_its_seed),
        cmocka_unit_test(a_keyed_hash_depends_on_key_and_message),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "replication/fingerprint.h"
#include "tests/support/test.h"

#include <ctype.h>
#include <string.h>

static void words_differ_in_their_first_four_letters(void **state)
{
    for (int i = 0; i < 256; i++) {
        const char *word = fingerprint_word((uint8_t)i);
        assert_in_range(strlen(word), 3, 8);
        for (const char *at = word; *at; at++)
            assert_true(islower((unsigned char)*at));
        if (i > 0)
            assert_true(strncmp(fingerprint_word((uint8_t)(i - 1)), word, 4) < 0);
    }
}

static void six_bytes_are_six_words(void **state)
{
    const uint8_t smallest[FINGERPRINT_SIZE] = {0}, greatest[] = {255, 255, 255, 255, 255, 255};
    char text[FINGERPRINT_TEXT_SIZE];
    fingerprint_format(smallest, text);
    assert_string_equal(text, "acorn acorn acorn acorn acorn acorn");
    fingerprint_format(greatest, text);
    assert_string_equal(text, "zipper zipper zipper zipper zipper zipper");
}

static void a_fingerprint_covers_handshake_cluster_and_both_keys(void **state)
{
    uint8_t hash[64] = {1}, joiner[SIGN_PUBLIC_KEY_SIZE] = {2},
            inviter[] = {[SIGN_PUBLIC_KEY_SIZE - 1] = 3};
    struct uuid cluster = {{4}};
    uint8_t *const changed[] = {hash, joiner, inviter, cluster.bytes};
    uint8_t first[FINGERPRINT_SIZE], other[FINGERPRINT_SIZE];
    const struct bytes said = {hash, sizeof(hash)};
    fingerprint_make(said, &cluster, joiner, inviter, first);
    for (size_t i = 0; i < ARRAY_LENGTH(changed); i++) {
        changed[i][0] ^= 1;
        fingerprint_make(said, &cluster, joiner, inviter, other);
        assert_memory_not_equal(first, other, FINGERPRINT_SIZE);
        changed[i][0] ^= 1;
    }
    fingerprint_make(said, &cluster, inviter, joiner, other);
    assert_memory_not_equal(first, other, FINGERPRINT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_differ_in_their_first_four_letters),
        cmocka_unit_test(six_bytes_are_six_words),
        cmocka_unit_test(a_fingerprint_covers_handshake_cluster_and_both_keys),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

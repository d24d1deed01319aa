#include "replication/base32.h"
#include "replication/token.h"
#include "tests/support/test.h"

#include <string.h>

static struct join_token example(const char *address)
{
    struct join_token token = {.cluster_id = {{1, 2, 3}}, .expires_wall_ms = 1800000000000};
    assert_true(ip_endpoint_parse(address, 0, &token.inviter));
    memset(token.inviter_key, 0xaa, sizeof(token.inviter_key));
    memset(token.secret, 0x55, sizeof(token.secret));
    return token;
}

static void a_token_reads_back(void **state)
{
    const char *const addresses[] = {"10.77.0.1:7850", "[fd77::1]:7851"};
    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        struct join_token token = example(addresses[i]), back;
        char text[TOKEN_TEXT_SIZE];
        assert_true(token_format(&token, text));
        assert_true(token_parse(text, &back));
        assert_memory_equal(&back.cluster_id, &token.cluster_id, sizeof(token.cluster_id));
        assert_memory_equal(back.secret, token.secret, sizeof(token.secret));
        assert_memory_equal(back.inviter_key, token.inviter_key, sizeof(token.inviter_key));
        assert_true(ip_address_equal(&back.inviter.address, &token.inviter.address));
        assert_int_equal(back.inviter.port, token.inviter.port);
        assert_true(back.expires_wall_ms == token.expires_wall_ms);
    }
}

static void any_single_typing_error_is_noticed(void **state)
{
    struct join_token token = example("10.77.0.1:7850"), back;
    char text[TOKEN_TEXT_SIZE];
    assert_true(token_format(&token, text));
    for (size_t i = 0; text[i]; i++) {
        char saved = text[i];
        text[i] = saved == 'Q' ? 'R' : 'Q';
        assert_false(token_parse(text, &back));
        text[i] = saved;
    }
}

static void a_cut_or_foreign_text_is_no_token(void **state)
{
    struct join_token token = example("10.77.0.1:7850"), back;
    char text[TOKEN_TEXT_SIZE];
    assert_true(token_format(&token, text));
    text[strlen(text) - 3] = 0;
    assert_false(token_parse(text, &back));
    assert_false(token_parse("", &back));
    assert_false(token_parse("not a token", &back));
}

static void what_the_inviter_keeps_of_a_token_is_not_its_secret(void **state)
{
    const uint8_t secret[TOKEN_SECRET_SIZE] = {1}, other[TOKEN_SECRET_SIZE] = {2};
    uint8_t psk[TOKEN_PSK_SIZE], psk_of_other[TOKEN_PSK_SIZE], id[TOKEN_ID_SIZE];
    token_psk(secret, psk);
    token_psk(other, psk_of_other);
    token_id(secret, id);
    assert_memory_not_equal(psk, psk_of_other, sizeof(psk));
    assert_memory_not_equal(psk, secret, sizeof(secret));
    assert_memory_not_equal(psk, id, sizeof(id));
}

static void clocks_may_differ_a_little_but_not_more(void **state)
{
    struct join_token token = example("10.77.0.1:7850");
    const uint64_t expiry = token.expires_wall_ms, minute = 60000, day = 1440 * minute;
    assert_int_equal(token_check_clock(&token, expiry - day), TOKEN_CLOCK_FITS);
    assert_int_equal(token_check_clock(&token, expiry + minute), TOKEN_CLOCK_FITS);
    assert_int_equal(token_check_clock(&token, expiry + 3 * minute), TOKEN_IS_PAST);
    assert_int_equal(token_check_clock(&token, expiry - day - minute), TOKEN_CLOCK_FITS);
    assert_int_equal(token_check_clock(&token, expiry - day - 3 * minute), TOKEN_IS_FAR_AHEAD);
    token.expires_wall_ms = UINT64_MAX; /* no sum runs over */
    assert_int_equal(token_check_clock(&token, expiry), TOKEN_IS_FAR_AHEAD);
}

static void base32_ignores_case_and_dashes(void **state)
{
    const uint8_t data[] = {0xde, 0xad, 0xbe, 0xef, 0x00};
    char text[64];
    uint8_t back[8];
    assert_true(base32_encode((struct bytes){data, sizeof(data)}, 4, text, sizeof(text)));
    assert_int_equal(text[4], '-');
    for (char *at = text; *at; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;
    assert_int_equal(base32_decode(text, back, sizeof(back)), sizeof(data));
    assert_memory_equal(back, data, sizeof(data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_reads_back),
        cmocka_unit_test(any_single_typing_error_is_noticed),
        cmocka_unit_test(a_cut_or_foreign_text_is_no_token),
        cmocka_unit_test(what_the_inviter_keeps_of_a_token_is_not_its_secret),
        cmocka_unit_test(clocks_may_differ_a_little_but_not_more),
        cmocka_unit_test(base32_ignores_case_and_dashes),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Why a probe failed, in words. */
#include "lbnode/model/health_reason.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static char codes[] = "200-204";
static const struct health_monitor monitor = {.timeout = 5, .expected_codes = codes};

static void assert_reads(enum verdict_reason reason,
                         uint16_t status,
                         const struct health_monitor *of,
                         const char *expected)
{
    char text[HEALTH_REASON_TEXT_SIZE];
    health_reason_text(text, reason, status, of);
    assert_string_equal(text, expected);
}

static void test_figures_stand_in_the_sentence(void **state)
{
    assert_reads(VERDICT_REASON_CONNECT_REFUSED, 0, &monitor, "connection refused");
    assert_reads(VERDICT_REASON_TIMEOUT, 0, &monitor, "timeout after 5 s");
    assert_reads(VERDICT_REASON_CONNECT_TIMEOUT, 0, &monitor, "connect timeout after 5 s");
    assert_reads(VERDICT_REASON_ANSWER_SLOW, 0, &monitor, "answer not complete after 5 s");
    assert_reads(VERDICT_REASON_STATUS, 503, &monitor, "status 503, expected 200-204");
    assert_reads(VERDICT_REASON_TLS_ALERT, 40, &monitor,
                 "refused by a TLS alert (40, handshake failure)");
    assert_reads(VERDICT_REASON_TLS_ALERT, 90, &monitor, "refused by a TLS alert (90)");
    assert_reads(VERDICT_REASON_NONE, 200, &monitor, "");
}

static void test_without_the_monitor_there_are_words(void **state)
{
    assert_reads(VERDICT_REASON_TIMEOUT, 0, NULL, "no answer in time");
    assert_reads(VERDICT_REASON_STATUS, 503, NULL, "status 503, not expected");
    assert_reads(VERDICT_REASON_STATUS, 0, NULL, "unexpected HTTP status");
    assert_reads(VERDICT_REASON_TLS_ALERT, 0, NULL, "refused by a TLS alert");
}

static void test_a_number_of_a_newer_peer_has_words_too(void **state)
{
    assert_reads(VERDICT_REASON_COUNT, 0, &monitor, "unknown reason");
    assert_reads((enum verdict_reason)255, 0, NULL, "unknown reason");
}

static void test_each_reason_has_words_of_its_own(void **state)
{
    char texts[VERDICT_REASON_COUNT][HEALTH_REASON_TEXT_SIZE];
    for (unsigned i = 0; i < VERDICT_REASON_COUNT; i++) {
        health_reason_text(texts[i], (enum verdict_reason)i, 418, &monitor);
        assert_int_equal(texts[i][0] == '\0', i == VERDICT_REASON_NONE);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(texts[i], texts[j]);
    }
}

static void test_the_longest_codes_fit(void **state)
{
    char long_codes[65] = "", text[HEALTH_REASON_TEXT_SIZE];
    struct health_monitor wide = {.expected_codes = long_codes};
    memset(long_codes, '2', sizeof(long_codes) - 1);
    health_reason_text(text, VERDICT_REASON_STATUS, 503, &wide);
    assert_string_equal(text + strlen(text) - 64, long_codes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures_stand_in_the_sentence),
        cmocka_unit_test(test_without_the_monitor_there_are_words),
        cmocka_unit_test(test_a_number_of_a_newer_peer_has_words_too),
        cmocka_unit_test(test_each_reason_has_words_of_its_own),
        cmocka_unit_test(test_the_longest_codes_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

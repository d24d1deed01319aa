#include "lbnode/base/walltime.h"

#include "lbnode/base/bytes.h"
#include "tests/support/test.h"

static const uint64_t now_ms = 1800000000000; /* 2027-01-15T08:00:00Z */

static void assert_reads(const char *text, uint64_t expected_ms)
{
    uint64_t ms = 0;
    if (!walltime_parse(text, now_ms, &ms))
        fail_msg("%s is refused", text);
    if (ms != expected_ms)
        fail_msg("%s reads as %llu, not %llu", text, (unsigned long long)ms,
                 (unsigned long long)expected_ms);
}

static void a_moment_is_read_as_rfc_3339_has_it(void **state)
{
    assert_reads("2027-01-15T08:00:00Z", now_ms);
    assert_reads("2027-01-15t08:00:00z", now_ms);
    assert_reads("2027-01-15 08:00:00Z", now_ms);
    assert_reads("2027-01-15T08:00:00", now_ms);
    assert_reads("2027-01-15T09:30:00+01:30", now_ms);
    assert_reads("2027-01-14T22:00:00-10:00", now_ms);
    assert_reads("2027-01-15T08:00:00.25Z", now_ms + 250);
    assert_reads("2027-01-15T08:00:00.123456789Z", now_ms + 123);
    assert_reads("2028-02-29T00:00:00Z", 1835395200000);
    assert_reads("2016-12-31T23:59:60Z", 1483228800000);
    assert_reads("1970-01-01T00:00:00Z", 0);
}

static void an_age_counts_back_from_now(void **state)
{
    assert_reads("now", now_ms);
    assert_reads("0s", now_ms);
    assert_reads("90s", now_ms - 90000);
    assert_reads("10m", now_ms - 600000);
    assert_reads("2h", now_ms - 7200000);
    assert_reads("7d", now_ms - 604800000);
}

static void anything_else_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "yesterday",
        "10",
        "m",
        "-10m",
        "10m ",
        "10min",
        "1.5h",
        "999999999999999999999d",
        "30000d",
        "2027-01-15",
        "2027-1-15T08:00:00Z",
        "2027-13-15T08:00:00Z",
        "2027-02-29T08:00:00Z",
        "2027-04-31T08:00:00Z",
        "2027-01-15T24:00:00Z",
        "2027-01-15T08:60:00Z",
        "2027-01-15T08:00Z",
        "2027-01-15T08:00:00.Z",
        "2027-01-15T08:00:00+1:00",
        "2027-01-15T08:00:00+24:00",
        "2027-01-15T08:00:00ZZ",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+01:00",
        "2027-01-15T08:00:00Z; rm",
    };
    uint64_t ms;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        if (walltime_parse(wrong[i], now_ms, &ms))
            fail_msg("%s is accepted", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_read_as_rfc_3339_has_it),
        cmocka_unit_test(an_age_counts_back_from_now),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

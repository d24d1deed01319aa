#include "health/takeover.h"
#include "tests/support/test.h"

enum {
    DELAY_MS = 5000,
    NOW_MS = 1000
};

static void probes_are_spread_over_a_quarter_of_the_delay(void **state)
{
    assert_int_equal(takeover_spread_ms(5000), 1250);
    assert_int_equal(takeover_spread_ms(1000), TAKEOVER_MINIMUM_MS);
}

static void half_of_the_members_may_fall_and_the_next_one_is_a_panic(void **state)
{
    struct takeover round;
    takeover_begin(&round, 5, DELAY_MS, NOW_MS);
    assert_int_equal(takeover_judge(&round, true, NOW_MS), TAKEOVER_DECIDES);
    assert_int_equal(takeover_judge(&round, false, NOW_MS), TAKEOVER_DECIDES);
    assert_int_equal(takeover_judge(&round, true, NOW_MS), TAKEOVER_DECIDES);
    assert_int_equal(takeover_judge(&round, true, NOW_MS), TAKEOVER_PANICS);
    assert_int_equal(takeover_judge(&round, true, NOW_MS), TAKEOVER_COUNTS);
    assert_int_equal(takeover_judge(&round, false, NOW_MS),
                     TAKEOVER_DECIDES); /* they may rise */
}

static void the_only_member_does_not_fall_by_one_result(void **state)
{
    struct takeover round;
    takeover_begin(&round, 1, DELAY_MS, NOW_MS);
    assert_int_equal(takeover_judge(&round, true, NOW_MS), TAKEOVER_PANICS);
}

static void after_the_spread_and_one_delay_results_count_as_always(void **state)
{
    struct takeover round = {0};
    assert_int_equal(takeover_judge(&round, false, NOW_MS), TAKEOVER_COUNTS);
    takeover_begin(&round, 10, DELAY_MS, NOW_MS);
    assert_int_equal(takeover_judge(&round, true, NOW_MS + 6249), TAKEOVER_DECIDES);
    assert_int_equal(takeover_judge(&round, true, NOW_MS + 6250), TAKEOVER_COUNTS);
    assert_int_equal(takeover_judge(&round, false, NOW_MS + 6250), TAKEOVER_COUNTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_are_spread_over_a_quarter_of_the_delay),
        cmocka_unit_test(half_of_the_members_may_fall_and_the_next_one_is_a_panic),
        cmocka_unit_test(the_only_member_does_not_fall_by_one_result),
        cmocka_unit_test(after_the_spread_and_one_delay_results_count_as_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

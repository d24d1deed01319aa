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

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*seed >> 33) % below;
}

/* Members in any order, some of which fail; what is left of them is counted here. */
static void whatever_fails_half_of_a_pool_is_left_or_all_is_as_before(void **state)
{
    for (uint64_t number = 1; number <= 2000; number++) {
        uint64_t seed = number;
        struct takeover round;
        uint32_t online = draw(&seed, 40), failing_percent = draw(&seed, 101);
        uint32_t failed = 0, fallen = 0, panics = 0;
        takeover_begin(&round, online, DELAY_MS, NOW_MS);
        for (uint32_t i = 0; i < online; i++) {
            bool fails = draw(&seed, 100) < failing_percent;
            enum takeover_answer answer = takeover_judge(&round, fails, NOW_MS + i);
            failed += fails;
            fallen =
                answer == TAKEOVER_PANICS ? 0 : fallen + (fails && answer == TAKEOVER_DECIDES);
            panics += answer == TAKEOVER_PANICS;
            if (!fails)
                assert_int_equal(answer, TAKEOVER_DECIDES);
        }
        assert_int_equal(panics, failed * 2 > online);
        assert_int_equal(fallen, failed * 2 > online ? 0 : failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_are_spread_over_a_quarter_of_the_delay),
        cmocka_unit_test(half_of_the_members_may_fall_and_the_next_one_is_a_panic),
        cmocka_unit_test(the_only_member_does_not_fall_by_one_result),
        cmocka_unit_test(whatever_fails_half_of_a_pool_is_left_or_all_is_as_before),
        cmocka_unit_test(after_the_spread_and_one_delay_results_count_as_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "proxy/slow_start.h"

#include "tests/support/test.h"

enum {
    DURATION_MS = 10000
};

/* Turns that are taken out of ten at NOW_MS. */
static unsigned turns(struct slow_start *start, uint64_t now_ms)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < 10; i++)
        taken += slow_start_takes_turn(start, DURATION_MS, now_ms);
    return taken;
}

static void a_member_that_was_never_away_has_its_whole_share(void **state)
{
    struct slow_start start = {0};
    slow_start_see(&start, 1, VERDICT_UNKNOWN, 1000);
    slow_start_see(&start, 1, VERDICT_ONLINE, 1000);
    assert_int_equal(turns(&start, 1000), 10);
}

static void the_share_grows_by_a_tenth_with_each_tenth_of_the_time(void **state)
{
    struct slow_start start = {0};
    slow_start_see(&start, 1, VERDICT_ERROR, 500);
    slow_start_see(&start, 1, VERDICT_ONLINE, 1000);
    slow_start_see(&start, 1, VERDICT_ONLINE, 7000); /* no news */
    for (unsigned tenth = 1; tenth <= 10; tenth++) {
        uint64_t now_ms = 1000 + (tenth - 1) * DURATION_MS / 10;
        assert_int_equal(slow_start_tenths(&start, DURATION_MS, now_ms), tenth);
        assert_int_equal(turns(&start, now_ms), tenth);
    }
    assert_int_equal(turns(&start, 1000 + DURATION_MS), 10);
}

static void a_second_failure_starts_it_over(void **state)
{
    struct slow_start start = {0};
    slow_start_see(&start, 1, VERDICT_ERROR, 500);
    slow_start_see(&start, 1, VERDICT_ONLINE, 1000);
    slow_start_see(&start, 1, VERDICT_ERROR, 20000);
    slow_start_see(&start, 1, VERDICT_ONLINE, 30000);
    assert_int_equal(turns(&start, 30000), 1);
}

static void another_member_in_the_slot_does_not_inherit_it(void **state)
{
    struct slow_start start = {0};
    slow_start_see(&start, 1, VERDICT_ERROR, 500);
    slow_start_see(&start, 2, VERDICT_ONLINE, 1000);
    assert_int_equal(turns(&start, 1000), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_member_that_was_never_away_has_its_whole_share),
        cmocka_unit_test(the_share_grows_by_a_tenth_with_each_tenth_of_the_time),
        cmocka_unit_test(a_second_failure_starts_it_over),
        cmocka_unit_test(another_member_in_the_slot_does_not_inherit_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "health/probe_schedule.h"
#include "tests/support/test.h"

static void a_new_member_is_probed_within_half_a_second(void **state)
{
    for (uint32_t slot = 0; slot < 1000; slot++) {
        uint64_t due = probe_schedule_first(10000, slot, 5000);
        assert_in_range(due, 10000, 10499);
        assert_in_range(probe_schedule_first(10000, slot, 200), 10000, 10199);
    }
}

static void first_probes_of_neighbours_are_spread(void **state)
{
    unsigned per_tenth[10] = {0};
    for (uint32_t slot = 0; slot < 1000; slot++)
        per_tenth[probe_schedule_first(0, slot, 5000) / 50]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(per_tenth[i], 60, 140);
}

static void the_grid_is_kept_and_missed_beats_are_left_out(void **state)
{
    assert_int_equal(probe_schedule_next(1000, 1003, 5000), 6000);
    assert_int_equal(probe_schedule_next(1000, 17000, 5000), 21000);
    assert_int_equal(probe_schedule_next(1000, 900, 5000), 6000);
}

static void a_delay_of_zero_does_not_spin(void **state)
{
    assert_int_equal(probe_schedule_next(1000, 1000, 0), 1100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_member_is_probed_within_half_a_second),
        cmocka_unit_test(first_probes_of_neighbours_are_spread),
        cmocka_unit_test(the_grid_is_kept_and_missed_beats_are_left_out),
        cmocka_unit_test(a_delay_of_zero_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

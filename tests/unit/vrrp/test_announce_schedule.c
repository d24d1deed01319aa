#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "vrrp/announce_schedule.h"

/* The times, from START_US on, at which SCHEDULE announces up to UNTIL_US. */
static size_t
run(struct announce_schedule *schedule, uint64_t until_us, uint64_t *out, size_t capacity)
{
    size_t count = 0;
    for (uint64_t due_us; (due_us = announce_schedule_due_us(schedule)) <= until_us;) {
        assert_true(announce_schedule_take(schedule, due_us));
        assert_true(count < capacity);
        out[count++] = due_us;
    }
    return count;
}

static void a_new_owner_announces_five_times_then_every_minute(void **state)
{
    static const uint64_t expected[] = {1000,    51000,    201000,   1201000,
                                        5001000, 65001000, 125001000};
    struct announce_schedule schedule = {0};
    uint64_t times[16];
    announce_schedule_start(&schedule, 1000);
    size_t count = run(&schedule, 130000000, times, ARRAY_LENGTH(times));
    assert_int_equal(count, ARRAY_LENGTH(expected));
    assert_memory_equal(times, expected, sizeof(expected));
}

static void nothing_is_announced_before_start_and_after_stop(void **state)
{
    struct announce_schedule schedule = {0};
    assert_false(announce_schedule_take(&schedule, 1000));
    assert_true(announce_schedule_due_us(&schedule) == UINT64_MAX);
    announce_schedule_start(&schedule, 1000);
    announce_schedule_stop(&schedule);
    assert_false(announce_schedule_take(&schedule, 1000000));
    assert_true(announce_schedule_due_us(&schedule) == UINT64_MAX);
}

static void nothing_is_announced_early(void **state)
{
    struct announce_schedule schedule = {0};
    announce_schedule_start(&schedule, 1000);
    assert_true(announce_schedule_take(&schedule, 1000));
    assert_false(announce_schedule_take(&schedule, 50999));
}

static void missed_steps_are_announced_once(void **state)
{
    struct announce_schedule schedule = {0};
    announce_schedule_start(&schedule, 1000);
    assert_true(announce_schedule_take(&schedule, 301000));
    assert_true(announce_schedule_due_us(&schedule) == 1201000);
}

static void restarts_in_quick_succession_do_not_flood(void **state)
{
    struct announce_schedule schedule = {0};
    size_t announced = 0;
    for (uint64_t now_us = 1000; now_us < 1001000; now_us += 1000) {
        announce_schedule_start(&schedule, now_us);
        announced += announce_schedule_take(&schedule, now_us);
    }
    assert_in_range(announced, 40, 1000000 / ANNOUNCE_MINIMUM_GAP_US + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_owner_announces_five_times_then_every_minute),
        cmocka_unit_test(nothing_is_announced_before_start_and_after_stop),
        cmocka_unit_test(nothing_is_announced_early),
        cmocka_unit_test(missed_steps_are_announced_once),
        cmocka_unit_test(restarts_in_quick_succession_do_not_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "replication/hlc.h"
#include "tests/support/test.h"

static const uint64_t day_ms = 24ull * 3600 * 1000;

static void stamps_grow_even_when_the_clock_jumps_back(void **state)
{
    uint64_t hlc = 0;
    uint64_t first = hlc_tick(&hlc, 5000);
    assert_true(first == 5000ull << 16);
    uint64_t second = hlc_tick(&hlc, 4000);
    assert_true(second == first + 1);
    assert_true(hlc_tick(&hlc, 5001) == 5001ull << 16);
}

static void a_remote_stamp_is_taken_over(void **state)
{
    uint64_t hlc = 10ull << 16;
    assert_true(hlc_observe(&hlc, 20ull << 16, 10));
    assert_true(hlc == 20ull << 16);
    assert_true(hlc_observe(&hlc, 15ull << 16, 10));
    assert_true(hlc == 20ull << 16);
}

static void a_stamp_more_than_a_day_ahead_is_not(void **state)
{
    uint64_t hlc = 10ull << 16;
    assert_true(hlc_observe(&hlc, (10 + day_ms) << 16, 10));
    hlc = 10ull << 16;
    assert_false(hlc_observe(&hlc, (11 + day_ms) << 16, 10));
    assert_true(hlc == 10ull << 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_grow_even_when_the_clock_jumps_back),
        cmocka_unit_test(a_remote_stamp_is_taken_over),
        cmocka_unit_test(a_stamp_more_than_a_day_ahead_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

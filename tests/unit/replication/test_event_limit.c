/* Ten events in a minute are told, the others are counted. */
#include "replication/event_limit.h"
#include "tests/support/test.h"

static const uint64_t window_us = EVENT_LIMIT_WINDOW_S * 1000000ull;

static unsigned told(struct event_limit *limit, unsigned times, uint64_t now_us)
{
    unsigned count = 0;
    for (unsigned i = 0; i < times; i++)
        count += event_limit_take(limit, now_us);
    return count;
}

static void the_first_ten_of_a_window_are_told(void **state)
{
    struct event_limit limit = {0};
    assert_int_equal(told(&limit, 9, 1000), 9);
    assert_int_equal(told(&limit, 500, 1000 + window_us / 2), 1);
}

static void the_end_of_a_window_tells_how_many_were_not(void **state)
{
    struct event_limit limit = {0};
    told(&limit, 25, 1000);
    assert_int_equal(event_limit_close(&limit, 1000 + window_us - 1), 0);
    assert_int_equal(event_limit_close(&limit, 1000 + window_us), 15);
    assert_int_equal(event_limit_close(&limit, 1000 + window_us), 0);
    assert_int_equal(told(&limit, 25, 1000 + window_us), 10);
}

static void a_window_with_few_ends_in_silence(void **state)
{
    struct event_limit limit = {0};
    told(&limit, 10, 1000);
    assert_int_equal(event_limit_close(&limit, 1000 + window_us), 0);
    assert_int_equal(told(&limit, 10, 1000 + 2 * window_us), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_ten_of_a_window_are_told),
        cmocka_unit_test(the_end_of_a_window_tells_how_many_were_not),
        cmocka_unit_test(a_window_with_few_ends_in_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

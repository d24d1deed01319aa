/* How long a backup waits for a silent active node. */
#include "tests/support/test.h"
#include "vrrp/dead_time.h"

enum {
    STANDARD_US = 72000,
    INTERVAL_US = 20000,
    START_US = 900000000,
    MINUTE_US = 60000000,
};

static const struct ip_address old = {4, {192, 0, 2, 9}};

/* After COUNT arrivals, an interval apart, the last at the returned time. */
static uint64_t regular(struct dead_time *dead_time, uint64_t now_us, unsigned count)
{
    for (unsigned i = 0; i < count; i++, now_us += INTERVAL_US)
        dead_time_arrival(dead_time, STANDARD_US, now_us);
    return now_us - INTERVAL_US;
}

static void at_first_it_is_that_of_the_standard(void **state)
{
    struct dead_time dead_time = {0};
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), STANDARD_US);
    assert_int_equal(dead_time_cause(&dead_time, STANDARD_US), DEAD_TIME_STANDARD);
}

static void it_is_four_times_the_longest_gap(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = regular(&dead_time, START_US, 10);
    dead_time_arrival(&dead_time, STANDARD_US, now_us + 50000);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 200000);
    assert_int_equal(dead_time_cause(&dead_time, STANDARD_US), DEAD_TIME_GAP);
}

static void a_gap_is_forgotten_after_five_minutes(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = regular(&dead_time, START_US, 10);
    now_us += 50000;
    dead_time_arrival(&dead_time, STANDARD_US, now_us);
    now_us = regular(&dead_time, now_us + INTERVAL_US, 3 * MINUTE_US / INTERVAL_US);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 200000);
    regular(&dead_time, now_us + INTERVAL_US, 3 * MINUTE_US / INTERVAL_US);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 4 * INTERVAL_US);
}

static void a_gap_in_which_we_slept_ourselves_does_not_count(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = regular(&dead_time, START_US, 10);
    dead_time_arrival(&dead_time, STANDARD_US, now_us + 5000000);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 4 * INTERVAL_US);
}

static void an_arrival_before_the_last_one_changes_nothing(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = regular(&dead_time, START_US, 10);
    dead_time_arrival(&dead_time, STANDARD_US, now_us - 1);
    dead_time_arrival(&dead_time, STANDARD_US, now_us - MINUTE_US);
    assert_int_equal(dead_time_worst_gap_us(&dead_time), INTERVAL_US);
    dead_time_arrival(&dead_time, STANDARD_US, now_us + INTERVAL_US);
    assert_int_equal(dead_time_worst_gap_us(&dead_time), INTERVAL_US);
}

static void a_gap_over_an_interruption_does_not_count(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = regular(&dead_time, START_US, 10);
    dead_time_interrupt(&dead_time);
    dead_time_arrival(&dead_time, STANDARD_US, now_us + 50000);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 4 * INTERVAL_US);
}

static void gaps_cannot_make_it_longer_than_their_limit(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = regular(&dead_time, START_US, 10), gap_us = INTERVAL_US;
    for (int i = 0; i < 20; i++) {
        gap_us = dead_time_us(&dead_time, STANDARD_US);
        now_us += gap_us;
        dead_time_arrival(&dead_time, STANDARD_US, now_us);
    }
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), DEAD_TIME_GAP_LIMIT_US);
    assert_int_equal(dead_time_us(&dead_time, 3600000), 3600000);
}

static void a_false_takeover_doubles_it_for_ten_minutes(void **state)
{
    struct dead_time dead_time = {0};
    uint64_t now_us = START_US + 100000;
    char text[96];
    dead_time_expired(&dead_time, &old, START_US);
    assert_true(dead_time_heard(&dead_time, &old, now_us));
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 2 * STANDARD_US);
    assert_int_equal(dead_time_cause(&dead_time, STANDARD_US), DEAD_TIME_FALSE_TAKEOVER);
    dead_time_explain(&dead_time, STANDARD_US, text, sizeof(text));
    assert_string_equal(text, "2-fold for 10 minutes after a false takeover");
    dead_time_arrival(&dead_time, STANDARD_US, now_us + DEAD_TIME_DOUBLED_US - 1);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 2 * STANDARD_US);
    dead_time_arrival(&dead_time, STANDARD_US, now_us + DEAD_TIME_DOUBLED_US);
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), STANDARD_US);
}

static void it_is_doubled_twice_at_most(void **state)
{
    struct dead_time dead_time = {0};
    for (uint64_t i = 0; i < 5; i++) {
        dead_time_expired(&dead_time, &old, START_US + i * 2000000);
        assert_true(dead_time_heard(&dead_time, &old, START_US + i * 2000000 + 1));
    }
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), 4 * STANDARD_US);
}

static void one_takeover_is_judged_once(void **state)
{
    struct dead_time dead_time = {0};
    dead_time_expired(&dead_time, &old, START_US);
    assert_true(dead_time_heard(&dead_time, &old, START_US + 1));
    assert_false(dead_time_heard(&dead_time, &old, START_US + 2));
}

static void a_node_that_returns_later_was_dead(void **state)
{
    struct dead_time dead_time = {0};
    dead_time_expired(&dead_time, &old, START_US);
    assert_false(dead_time_heard(&dead_time, &old, START_US + DEAD_TIME_FALSE_US + 1));
    assert_int_equal(dead_time_us(&dead_time, STANDARD_US), STANDARD_US);
}

static void another_node_proves_nothing(void **state)
{
    struct ip_address other = {4, {192, 0, 2, 8}};
    struct dead_time dead_time = {0};
    dead_time_expired(&dead_time, &old, START_US);
    assert_false(dead_time_heard(&dead_time, &other, START_US + 1));
    assert_true(dead_time_heard(&dead_time, &old, START_US + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_first_it_is_that_of_the_standard),
        cmocka_unit_test(it_is_four_times_the_longest_gap),
        cmocka_unit_test(a_gap_is_forgotten_after_five_minutes),
        cmocka_unit_test(a_gap_in_which_we_slept_ourselves_does_not_count),
        cmocka_unit_test(an_arrival_before_the_last_one_changes_nothing),
        cmocka_unit_test(a_gap_over_an_interruption_does_not_count),
        cmocka_unit_test(gaps_cannot_make_it_longer_than_their_limit),
        cmocka_unit_test(a_false_takeover_doubles_it_for_ten_minutes),
        cmocka_unit_test(it_is_doubled_twice_at_most),
        cmocka_unit_test(one_takeover_is_judged_once),
        cmocka_unit_test(a_node_that_returns_later_was_dead),
        cmocka_unit_test(another_node_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

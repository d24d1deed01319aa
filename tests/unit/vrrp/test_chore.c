/* When chores are done by a process that wakes up for other reasons. */
#include "tests/support/test.h"
#include "vrrp/chore.h"

static const uint64_t PERIOD_US = 500000, START_US = 7000000;

static void what_is_nearly_due_is_done_by_who_is_awake(void **state)
{
    uint64_t due_us = START_US;
    assert_false(chore_take(&due_us, PERIOD_US, START_US - CHORE_SLACK_US - 1));
    assert_true(due_us == START_US);
    assert_true(chore_take(&due_us, PERIOD_US, START_US - CHORE_SLACK_US));
    assert_false(chore_take(&due_us, PERIOD_US, START_US));
}

static void being_early_does_not_make_it_more_frequent(void **state)
{
    uint64_t due_us = START_US;
    unsigned count = 0;
    for (uint64_t now_us = START_US; now_us < START_US + 20 * PERIOD_US; now_us += 20070)
        count += chore_take(&due_us, PERIOD_US, now_us);
    assert_in_range(count, 20, 21);
}

static void with_adverts_it_needs_no_wake_up_of_its_own(void **state)
{
    uint64_t due_us = START_US;
    for (uint64_t now_us = START_US; now_us < START_US + 20 * PERIOD_US; now_us += 20070) {
        chore_take(&due_us, PERIOD_US, now_us);
        assert_true(due_us > now_us + 20070 || due_us <= now_us + CHORE_SLACK_US);
        assert_true(due_us > now_us);
    }
}

static void after_a_sleep_it_is_done_once(void **state)
{
    uint64_t due_us = START_US, late_us = START_US + 100 * PERIOD_US;
    assert_true(chore_take(&due_us, PERIOD_US, late_us));
    assert_true(due_us == late_us + PERIOD_US);
    due_us = 0; /* at once */
    assert_true(chore_take(&due_us, PERIOD_US, late_us));
    assert_false(chore_take(&due_us, PERIOD_US, late_us + 1));
}

static void what_is_never_due_is_not_done(void **state)
{
    uint64_t due_us = UINT64_MAX;
    assert_false(chore_take(&due_us, PERIOD_US, START_US));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_nearly_due_is_done_by_who_is_awake),
        cmocka_unit_test(being_early_does_not_make_it_more_frequent),
        cmocka_unit_test(with_adverts_it_needs_no_wake_up_of_its_own),
        cmocka_unit_test(after_a_sleep_it_is_done_once),
        cmocka_unit_test(what_is_never_due_is_not_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "health/verdict.h"
#include "tests/support/test.h"

enum {
    RISE = 3,
    FALL = 2
};

static void the_first_own_result_decides_alone(void **state)
{
    struct verdict up = {0}, down = {0};
    assert_true(verdict_step(&up, true, RISE, FALL));
    assert_int_equal(up.state, VERDICT_ONLINE);
    assert_true(verdict_step(&down, false, RISE, FALL));
    assert_int_equal(down.state, VERDICT_ERROR);
}

static void max_retries_down_failures_in_a_row_bring_it_down(void **state)
{
    struct verdict verdict = {.state = VERDICT_ONLINE};
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL)); /* breaks the row */
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ONLINE);
    assert_true(verdict_step(&verdict, false, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ERROR);
    assert_int_equal(verdict.history, 4); /* 0100: newest lowest */
}

static void max_retries_successes_in_a_row_bring_it_up(void **state)
{
    struct verdict verdict = {.state = VERDICT_ERROR};
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, false, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_false(verdict_step(&verdict, true, RISE, FALL));
    assert_true(verdict_step(&verdict, true, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ONLINE);
}

static void a_peers_verdict_counts_until_the_first_own_result(void **state)
{
    struct verdict verdict = {0};
    assert_false(verdict_import(&verdict, VERDICT_UNKNOWN));
    assert_true(verdict_import(&verdict, VERDICT_ERROR));
    assert_true(verdict_import(&verdict, VERDICT_ONLINE)); /* the peer changed its mind */
    assert_true(verdict_step(&verdict, false, RISE, FALL));
    assert_int_equal(verdict.state, VERDICT_ERROR);
    assert_false(verdict_import(&verdict, VERDICT_ONLINE));
    assert_int_equal(verdict.state, VERDICT_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_own_result_decides_alone),
        cmocka_unit_test(max_retries_down_failures_in_a_row_bring_it_down),
        cmocka_unit_test(max_retries_successes_in_a_row_bring_it_up),
        cmocka_unit_test(a_peers_verdict_counts_until_the_first_own_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

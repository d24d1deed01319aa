#include "proxy/strain.h"

#include "tests/support/test.h"

static void only_the_first_word_wakes_the_main_thread(void **state)
{
    struct strain strain = {0};
    assert_int_equal(strain_look(&strain, 500), STRAIN_NO_NEWS);
    assert_true(strain_note(&strain, 1000));
    assert_false(strain_note(&strain, 1001));
    assert_int_equal(strain_look(&strain, 1001), STRAIN_BEGAN);
    assert_int_equal(strain_look(&strain, 1002), STRAIN_NO_NEWS);
    assert_false(strain_note(&strain, 1003));
}

static void a_shortage_is_over_when_nobody_met_it_for_a_while(void **state)
{
    struct strain strain = {0};
    strain_note(&strain, 1000);
    assert_int_equal(strain_look(&strain, 1000), STRAIN_BEGAN);
    strain_note(&strain, 3000);
    assert_int_equal(strain_look(&strain, 3000 + STRAIN_QUIET_MS - 1), STRAIN_NO_NEWS);
    assert_int_equal(strain_look(&strain, 3000 + STRAIN_QUIET_MS), STRAIN_OVER);
    assert_false(strain.is_told);
    assert_true(strain_note(&strain, 20000)); /* and the next one is news again */
    assert_int_equal(strain_look(&strain, 20000), STRAIN_BEGAN);
}

static void a_clock_that_is_behind_ends_nothing(void **state)
{
    struct strain strain = {0};
    strain_note(&strain, 9000);
    assert_int_equal(strain_look(&strain, 8990), STRAIN_BEGAN);
    assert_int_equal(strain_look(&strain, 8999), STRAIN_NO_NEWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_first_word_wakes_the_main_thread),
        cmocka_unit_test(a_shortage_is_over_when_nobody_met_it_for_a_while),
        cmocka_unit_test(a_clock_that_is_behind_ends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

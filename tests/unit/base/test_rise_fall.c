/* When a check that fails now and then changes its mind. */
#include "lbnode/base/rise_fall.h"
#include "tests/support/test.h"

static void it_takes_results_in_a_row_to_change(void **state)
{
    struct rise_fall check = {0};
    assert_false(rise_fall_note(&check, false, 3, 2));
    assert_false(rise_fall_note(&check, false, 3, 2));
    assert_false(rise_fall_note(&check, true, 3, 2)); /* the row ends */
    assert_false(rise_fall_note(&check, false, 3, 2));
    assert_false(rise_fall_note(&check, false, 3, 2));
    assert_true(rise_fall_note(&check, false, 3, 2));
    assert_true(check.down);
    assert_false(rise_fall_note(&check, true, 3, 2));
    assert_false(rise_fall_note(&check, false, 3, 2));
    assert_false(rise_fall_note(&check, true, 3, 2));
    assert_true(rise_fall_note(&check, true, 3, 2));
    assert_false(check.down);
}

static void more_of_the_same_changes_nothing(void **state)
{
    struct rise_fall check = {0};
    for (int i = 0; i < 100; i++)
        assert_false(rise_fall_note(&check, true, 3, 2));
    assert_false(check.down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_results_in_a_row_to_change),
        cmocka_unit_test(more_of_the_same_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

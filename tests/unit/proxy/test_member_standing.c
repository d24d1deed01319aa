#include "proxy/member_standing.h"

#include "tests/support/test.h"

static struct member_standing standing;

static int setup(void **state)
{
    standing = (struct member_standing){0};
    for (int i = 0; i < 4; i++)
        assert_false(member_standing_failed(&standing, 1, 1000));
    return 0;
}

static void the_fifth_failure_in_a_row_makes_others_come_first_for_a_second(void **state)
{
    assert_false(member_standing_is_avoided(&standing, 1, 1000));
    assert_true(member_standing_failed(&standing, 1, 1000));
    assert_true(member_standing_is_avoided(&standing, 1, 1999));
    assert_false(member_standing_is_avoided(&standing, 1, 2000));
}

static void one_success_forgives_all_failures(void **state)
{
    member_standing_succeeded(&standing, 1);
    assert_false(member_standing_failed(&standing, 1, 1000));
}

static void a_suspect_is_tried_by_one_request_at_a_time(void **state)
{
    member_standing_failed(&standing, 1, 1000);
    member_standing_chosen(&standing, 1, 2000);
    assert_true(member_standing_is_avoided(&standing, 1, 2001));
    assert_true(member_standing_failed(&standing, 1, 2500));
    assert_true(member_standing_is_avoided(&standing, 1, 3499));
    member_standing_succeeded(&standing, 1);
    assert_false(member_standing_is_avoided(&standing, 1, 3499));
}

static void another_incarnation_starts_afresh(void **state)
{
    member_standing_failed(&standing, 1, 1000);
    assert_false(member_standing_is_avoided(&standing, 2, 1001));
    assert_false(member_standing_failed(&standing, 2, 1001));
    assert_false(member_standing_is_avoided(&standing, 1, 1001));
}

static void answers_that_did_not_come_in_time_are_counted_with_the_failures(void **state)
{
    assert_int_equal(standing.troubles, 4);
    member_standing_timed_out(&standing, 1);
    assert_int_equal(standing.troubles, 5);
    assert_false(member_standing_is_avoided(&standing, 1, 1000)); /* not for that */
    member_standing_succeeded(&standing, 1);
    assert_int_equal(standing.troubles, 0);
}

static void bad_answers_are_counted_until_a_good_one_comes(void **state)
{
    assert_int_equal(member_standing_answered(&standing, 1, true), 1);
    member_standing_succeeded(&standing, 1); /* it did answer */
    assert_int_equal(member_standing_answered(&standing, 1, true), 2);
    assert_int_equal(member_standing_answered(&standing, 1, false), 0);
    assert_int_equal(member_standing_answered(&standing, 1, true), 1);
    assert_int_equal(member_standing_answered(&standing, 2, true), 1); /* another one's */
}

static void counts_do_not_run_over(void **state)
{
    for (int i = 0; i < 1000; i++) {
        member_standing_timed_out(&standing, 1);
        assert_true(member_standing_answered(&standing, 1, true) > 0);
    }
    assert_int_equal(standing.troubles, UINT8_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_fifth_failure_in_a_row_makes_others_come_first_for_a_second,
                               setup),
        cmocka_unit_test_setup(one_success_forgives_all_failures, setup),
        cmocka_unit_test_setup(a_suspect_is_tried_by_one_request_at_a_time, setup),
        cmocka_unit_test_setup(another_incarnation_starts_afresh, setup),
        cmocka_unit_test_setup(answers_that_did_not_come_in_time_are_counted_with_the_failures,
                               setup),
        cmocka_unit_test_setup(bad_answers_are_counted_until_a_good_one_comes, setup),
        cmocka_unit_test_setup(counts_do_not_run_over, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

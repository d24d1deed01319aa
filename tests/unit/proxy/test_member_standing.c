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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_fifth_failure_in_a_row_makes_others_come_first_for_a_second,
                               setup),
        cmocka_unit_test_setup(one_success_forgives_all_failures, setup),
        cmocka_unit_test_setup(a_suspect_is_tried_by_one_request_at_a_time, setup),
        cmocka_unit_test_setup(another_incarnation_starts_afresh, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

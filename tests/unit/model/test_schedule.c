#include "lbnode/base/bytes.h"
#include "lbnode/model/schedule.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

enum {
    MEMBERS_MAXIMUM = 6000
};

struct plan {
    struct schedule_member members[MEMBERS_MAXIMUM];
    uint16_t turns[2 * MEMBERS_MAXIMUM];
    size_t length;
};

static struct plan *plan_of(const uint32_t *weights, size_t count)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    assert_non_null(plan);
    for (size_t i = 0; i < count; i++)
        plan->members[i] = (struct schedule_member){(uint16_t)i, weights[i]};
    plan->length = schedule_prepare(plan->members, count);
    assert_true(plan->length <= ARRAY_LENGTH(plan->turns));
    assert_true(schedule_fill(plan->members, count, plan->turns));
    return plan;
}

static size_t turns_of(const struct plan *plan, size_t member)
{
    size_t turns = 0;
    for (size_t i = 0; i < plan->length; i++)
        turns += plan->turns[i] == member;
    return turns;
}

static void one_pass_serves_each_member_weight_by_gcd_times(void **state)
{
    static const uint32_t weights[] = {10, 30, 20, 10, 50};
    struct plan *plan = plan_of(weights, ARRAY_LENGTH(weights));
    assert_int_equal(plan->length, 12);
    for (size_t i = 0; i < ARRAY_LENGTH(weights); i++)
        assert_int_equal(turns_of(plan, i), weights[i] / 10);
    free(plan);
}

static void equal_weights_take_strict_turns_in_order(void **state)
{
    static const uint32_t weights[] = {7, 7, 7};
    struct plan *plan = plan_of(weights, ARRAY_LENGTH(weights));
    assert_int_equal(plan->length, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(plan->turns[i], i);
    free(plan);
}

/* 5 to 2: no window of k turns is off by more than one turn of the exact share. */
static void heavy_members_are_spread_out(void **state)
{
    static const uint32_t weights[] = {5, 2};
    struct plan *plan = plan_of(weights, ARRAY_LENGTH(weights));
    assert_int_equal(plan->length, 7);
    for (size_t length = 1, heavy = 0; length <= 7; length++) {
        heavy += plan->turns[length - 1] == 0;
        double exact = 5.0 * (double)length / 7.0;
        assert_true((double)heavy > exact - 1.0 && (double)heavy < exact + 1.0);
    }
    free(plan);
}

static void a_schedule_that_would_be_too_long_is_scaled(void **state)
{
    uint32_t weights[40];
    for (size_t i = 0; i < ARRAY_LENGTH(weights); i++)
        weights[i] = i == 0 ? 1 : 251 + (uint32_t)(i % 6);
    struct plan *plan = plan_of(weights, ARRAY_LENGTH(weights));
    assert_true(plan->length <= SCHEDULE_MAXIMUM_LENGTH);
    assert_true(turns_of(plan, 0) >= 1);
    for (size_t i = 1; i < ARRAY_LENGTH(weights); i++) {
        double share = (double)turns_of(plan, i) / (double)plan->length;
        assert_true(share > 0.95 / 39 && share < 1.05 / 39);
    }
    free(plan);
}

static void more_members_than_the_bound_get_one_turn_each(void **state)
{
    static uint32_t weights[MEMBERS_MAXIMUM];
    for (size_t i = 0; i < MEMBERS_MAXIMUM; i++)
        weights[i] = 1 + (uint32_t)(i % 256);
    struct plan *plan = plan_of(weights, MEMBERS_MAXIMUM);
    assert_int_equal(plan->length, MEMBERS_MAXIMUM);
    static bool seen[MEMBERS_MAXIMUM];
    for (size_t i = 0; i < plan->length; i++) {
        assert_false(seen[plan->turns[i]]);
        seen[plan->turns[i]] = true;
    }
    free(plan);
}

static void no_members_make_an_empty_schedule(void **state)
{
    struct plan *plan = plan_of(NULL, 0);
    assert_int_equal(plan->length, 0);
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_pass_serves_each_member_weight_by_gcd_times),
        cmocka_unit_test(equal_weights_take_strict_turns_in_order),
        cmocka_unit_test(heavy_members_are_spread_out),
        cmocka_unit_test(a_schedule_that_would_be_too_long_is_scaled),
        cmocka_unit_test(more_members_than_the_bound_get_one_turn_each),
        cmocka_unit_test(no_members_make_an_empty_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

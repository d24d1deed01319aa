#include "proxy/retry_budget.h"

#include "tests/support/test.h"

static unsigned take_all(struct retry_budget *budget, uint64_t now_ms)
{
    unsigned taken = 0;
    while (taken < 10000 && retry_budget_take(budget, now_ms))
        taken++;
    return taken;
}

static void a_quiet_pool_has_its_reserve(void **state)
{
    struct retry_budget budget = {0};
    assert_int_equal(take_all(&budget, 1000), 10);
}

static void a_fifth_of_the_requests_may_be_repeated(void **state)
{
    struct retry_budget budget = {0};
    for (int i = 0; i < 500; i++)
        retry_budget_count_request(&budget, 1000);
    assert_int_equal(take_all(&budget, 1000), 110);
}

static void the_window_ends_after_ten_seconds(void **state)
{
    struct retry_budget budget = {0};
    for (int i = 0; i < 500; i++)
        retry_budget_count_request(&budget, 4999);
    assert_int_equal(take_all(&budget, 4999), 110);
    assert_int_equal(take_all(&budget, 9999), 0); /* both halves are remembered */
    assert_int_equal(take_all(&budget, 10000), 10);
}

static void after_a_long_silence_nothing_is_remembered(void **state)
{
    struct retry_budget budget = {0};
    assert_int_equal(take_all(&budget, 1000), 10);
    assert_int_equal(take_all(&budget, 1000000), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_pool_has_its_reserve),
        cmocka_unit_test(a_fifth_of_the_requests_may_be_repeated),
        cmocka_unit_test(the_window_ends_after_ten_seconds),
        cmocka_unit_test(after_a_long_silence_nothing_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

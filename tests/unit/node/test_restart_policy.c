#include "lbnode/node/restart_policy.h"
#include "tests/support/test.h"

static void first_death_costs_nothing(void **state)
{
    for (int role = PROCESS_VRRP; role < PROCESS_ROLE_COUNT; role++) {
        struct restart_policy policy = {0};
        struct restart_decision decision =
            restart_policy_died(&policy, (enum process_role)role, 1000);
        assert_int_equal(decision.delay_ms, 0);
        assert_false(decision.resign);
    }
}

static void repeated_deaths_wait_longer_up_to_five_seconds(void **state)
{
    static const uint32_t expected[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    struct restart_policy policy = {0};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(restart_policy_died(&policy, PROCESS_PROXY, 1000 * i).delay_ms,
                         expected[i]);
}

static void a_quiet_minute_forgives(void **state)
{
    struct restart_policy policy = {0};
    restart_policy_died(&policy, PROCESS_HEALTH, 5000);
    assert_int_equal(
        restart_policy_died(&policy, PROCESS_HEALTH, 5000 + RESTART_WINDOW_MS + 1).delay_ms, 0);
}

static void a_proxy_that_served_for_five_seconds_is_restarted_at_once(void **state)
{
    struct restart_policy policy = {0};
    restart_policy_died(&policy, PROCESS_PROXY, 5000);
    uint64_t later_ms = 5000 + RESTART_PROXY_WINDOW_MS + 1;
    assert_int_equal(restart_policy_died(&policy, PROCESS_PROXY, later_ms).delay_ms, 0);
}

static void second_death_of_vrrp_within_a_minute_resigns(void **state)
{
    struct restart_policy policy = {0};
    restart_policy_died(&policy, PROCESS_VRRP, 5000);
    struct restart_decision decision =
        restart_policy_died(&policy, PROCESS_VRRP, 5000 + RESTART_WINDOW_MS);
    assert_true(decision.resign);
    assert_int_equal(decision.delay_ms, RESTART_RESIGNED_DELAY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_death_costs_nothing),
        cmocka_unit_test(repeated_deaths_wait_longer_up_to_five_seconds),
        cmocka_unit_test(a_quiet_minute_forgives),
        cmocka_unit_test(a_proxy_that_served_for_five_seconds_is_restarted_at_once),
        cmocka_unit_test(second_death_of_vrrp_within_a_minute_resigns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "lbnode/node/hang_watch.h"
#include "tests/support/test.h"

static void who_was_never_heard_is_not_judged(void **state)
{
    struct hang_watch watch = {0};
    for (int i = 0; i < 1000; i++)
        assert_false(hang_watch_check(&watch, PROCESS_CONTROL));
    assert_false(hang_watch_is_silent(&watch));
}

static void whoever_falls_silent_hangs_after_its_limit(void **state)
{
    for (int role = PROCESS_VRRP; role < PROCESS_ROLE_COUNT; role++) {
        struct hang_watch watch = {0};
        hang_watch_alive(&watch);
        for (uint32_t i = 1; i < hang_watch_limit((enum process_role)role); i++)
            assert_false(hang_watch_check(&watch, (enum process_role)role));
        assert_true(hang_watch_check(&watch, (enum process_role)role));
    }
}

static void a_sign_of_life_begins_anew(void **state)
{
    struct hang_watch watch = {0};
    for (int i = 0; i < 1000; i++) {
        if (i % (int)(hang_watch_limit(PROCESS_VRRP) - 1) == 0)
            hang_watch_alive(&watch);
        assert_false(hang_watch_check(&watch, PROCESS_VRRP));
    }
}

static void an_election_is_noticed_before_its_addresses_are_gone(void **state)
{
    assert_true(hang_watch_limit(PROCESS_VRRP) * HANG_CHECK_MS < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_never_heard_is_not_judged),
        cmocka_unit_test(whoever_falls_silent_hangs_after_its_limit),
        cmocka_unit_test(a_sign_of_life_begins_anew),
        cmocka_unit_test(an_election_is_noticed_before_its_addresses_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* One node heard with two incarnations: twice the node, or once and restarted? */
#include "replication/clone_watch.h"
#include "tests/support/test.h"

static const uint64_t ms = 1000;
static struct clone_watch watch;
static uint64_t now_us;
static struct ip_address here, there;

static int set_up(void **state)
{
    watch = (struct clone_watch){0};
    now_us = 1000000;
    ip_address_parse("10.0.0.1", &here);
    ip_address_parse("10.0.0.2", &there);
    return 0;
}

static void hear(uint64_t incarnation, uint64_t counter, const struct ip_address *source)
{
    clone_watch_hear(&watch, incarnation, counter, source, now_us);
    now_us += 100 * ms;
}

/* ROUNDS of 200 ms, both incarnations in each, counters from FIRST on. */
static void hear_both(uint64_t first, uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        hear(5, first + i, &here);
        hear(7, first + i, &there);
    }
}

static void two_incarnations_in_sessions_are_two_copies(void **state)
{
    for (int i = 0; i < 40; i++, now_us += 100 * ms)
        clone_watch_hear_fresh(&watch, i % 2 ? 5 : 7, i % 2 ? &here : &there, now_us);
    assert_true(clone_watch_is_cloned(&watch, now_us));
    assert_true(ip_address_equal(&watch.places[CLONE_OLDER], &here));
    assert_true(ip_address_equal(&watch.places[CLONE_NEWER], &there));
}

static void a_restarted_node_in_a_session_is_not_cloned(void **state)
{
    for (int i = 0; i < 40; i++, now_us += 100 * ms)
        clone_watch_hear_fresh(&watch, i < 20 ? 5 : 7, &here, now_us);
    assert_false(clone_watch_is_cloned(&watch, now_us));
}

static void two_incarnations_in_turns_are_two_copies(void **state)
{
    hear_both(1, 20);
    assert_true(clone_watch_is_cloned(&watch, now_us));
    assert_true(ip_address_equal(&watch.places[CLONE_OLDER], &here));
    assert_true(ip_address_equal(&watch.places[CLONE_NEWER], &there));
}

static void a_restart_is_no_copy(void **state)
{
    for (uint64_t i = 1; i < 50; i++)
        hear(5, i, &here);
    hear(7, 1, &here);
    hear(5, 50, &here); /* was under way */
    for (uint64_t i = 2; i < 50; i++)
        hear(7, i, &here);
    assert_false(clone_watch_is_cloned(&watch, now_us));
}

static void many_restarts_are_no_copy(void **state)
{
    for (uint64_t i = 1; i < 50; i++)
        hear(i, 1, &here);
    assert_false(clone_watch_is_cloned(&watch, now_us));
}

static void replayed_packets_of_an_earlier_start_are_no_copy(void **state)
{
    for (uint64_t i = 1; i < 50; i++)
        hear(5, i, &here);
    hear_both(1, 49);
    assert_false(clone_watch_is_cloned(&watch, now_us));
}

static void once_one_copy_is_silent_it_is_over(void **state)
{
    hear_both(1, 20);
    for (uint64_t i = 100; i < 500; i++)
        hear(7, i, &there);
    assert_false(clone_watch_is_cloned(&watch, now_us));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_incarnations_in_turns_are_two_copies, set_up),
        cmocka_unit_test_setup(two_incarnations_in_sessions_are_two_copies, set_up),
        cmocka_unit_test_setup(a_restarted_node_in_a_session_is_not_cloned, set_up),
        cmocka_unit_test_setup(a_restart_is_no_copy, set_up),
        cmocka_unit_test_setup(many_restarts_are_no_copy, set_up),
        cmocka_unit_test_setup(replayed_packets_of_an_earlier_start_are_no_copy, set_up),
        cmocka_unit_test_setup(once_one_copy_is_silent_it_is_over, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

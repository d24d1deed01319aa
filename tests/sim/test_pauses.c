/* What the adaptive dead time makes of pauses: a pair at 20 ms adverts, in virtual time. */
#include "tests/sim/election_world.h"
#include "tests/support/test.h"

#include <string.h>

enum {
    INTERVAL_US = 20000,
    SHORT_PAUSE_US = 30000,
    LONG_PAUSE_US = 90000, /* longer than the standard's dead time of 72 ms */
    SECOND_US = 1000000,
};

static void run_for(struct world *world, uint64_t us)
{
    uint64_t end_us = world->now_us + us;
    while (world_turn(world, end_us))
        continue;
    assert_string_equal(world->failure, "");
}

/* Node 1 is active since a while, node 0 follows it. */
static void prepare(struct world *world)
{
    *world = (struct world){.now_us = SECOND_US, .node_count = 2, .router_count = 1};
    random_sequence_init(&world->random, 1);
    world->interval_us[0] = INTERVAL_US;
    for (size_t i = 0; i < world->node_count; i++) {
        struct vrrp_machine_settings settings = {
            .priority = 100,
            .advert_interval_us = INTERVAL_US,
            .tie_delay_us = (uint32_t)(1 - i) * INTERVAL_US / 8,
            .own_address = {4, {10, 0, 0, (uint8_t)(i + 1)}},
        };
        world->nodes[i].up = world->nodes[i].can_serve = true;
        vrrp_machine_init(&world->nodes[i].machines[0], &settings, world_local_us(world, i));
        world_order(world, i, 0, VRRP_EVENT_ELIGIBLE);
    }
    run_for(world, 3 * SECOND_US);
    assert_true(world_is_active(world, 1, 0));
    assert_false(world_is_active(world, 0, 0));
}

static void pause_node(struct world *world, size_t node, uint64_t us)
{
    world->nodes[node].paused_until_us = world->now_us + us;
    world_disturb(world, node, 0, us);
    run_for(world, us + 7 * INTERVAL_US + world_below(world, INTERVAL_US));
}

static unsigned changes(const struct world *world)
{
    return world->nodes[0].machines[0].became_active_count +
           world->nodes[1].machines[0].became_active_count;
}

static uint32_t dead_us(const struct world *world, size_t node, char text[96])
{
    const struct vrrp_machine *machine = &world->nodes[node].machines[0];
    dead_time_explain(&machine->dead_time, vrrp_machine_standard_us(machine), text, 96);
    return vrrp_machine_dead_time_us(machine);
}

static void twenty_pauses_of_30_ms_change_nothing(void **state)
{
    static struct world world;
    for (size_t node = 0; node < 2; node++) {
        prepare(&world);
        for (int i = 0; i < 20; i++)
            pause_node(&world, node, SHORT_PAUSE_US);
        assert_int_equal(changes(&world), 1);
        assert_true(world_is_active(&world, 1, 0));
    }
}

static void a_false_takeover_is_not_repeated_and_the_dead_time_shrinks_again(void **state)
{
    static struct world world;
    char text[96];
    prepare(&world);
    uint32_t before_us = dead_us(&world, 0, text);
    assert_true(before_us < LONG_PAUSE_US);
    pause_node(&world, 1, LONG_PAUSE_US);
    assert_int_equal(changes(&world), 2);
    assert_true(world_is_active(&world, 0, 0));
    assert_true(dead_us(&world, 0, text) >= 2 * INTERVAL_US * 3);
    assert_string_equal(text, "2-fold for 10 minutes after a false takeover");

    /* Back to the old owner, so that the one that learnt is backup again. */
    world_order(&world, 0, 0, VRRP_EVENT_YIELD);
    run_for(&world, SECOND_US);
    assert_true(world_is_active(&world, 1, 0));
    uint32_t after_us = dead_us(&world, 0, text);
    assert_true(after_us > LONG_PAUSE_US + INTERVAL_US);
    assert_string_equal(text, "2-fold for 10 minutes after a false takeover");
    unsigned changes_before = changes(&world);
    /* A pause that the standard's time would not survive. The owner resigns when it wakes from
     * more than three silent intervals; up to that it goes on as if nothing was. */
    for (int i = 0; i < 20; i++)
        pause_node(&world, 0, LONG_PAUSE_US); /* of the backup: it must not think of its own */
    for (int i = 0; i < 20; i++)
        pause_node(&world, 1, 2 * INTERVAL_US - 1000);
    assert_int_equal(changes(&world), changes_before);

    run_for(&world, UINT64_C(601) * SECOND_US);
    /* Four times an interval with the difference of two latencies, and the tie delay. */
    assert_true(dead_us(&world, 0, text) <= 4 * (INTERVAL_US + LATENCY_US) + INTERVAL_US / 8);
    assert_null(strstr(text, "false takeover"));
    assert_int_equal(changes(&world), changes_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_pauses_of_30_ms_change_nothing),
        cmocka_unit_test(a_false_takeover_is_not_repeated_and_the_dead_time_shrinks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

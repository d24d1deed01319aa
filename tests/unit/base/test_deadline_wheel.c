#include "lbnode/base/deadline_wheel.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/random.h"
#include "tests/support/test.h"

enum {
    ENTRIES = 500
};

struct entry {
    struct deadline deadline;
    uint64_t expected_ms; /* 0: not set */
};

struct world {
    struct deadline_wheel wheel;
    struct entry entries[ENTRIES];
    uint64_t now_ms;
    unsigned expired;
};

static void on_expired(void *context, struct deadline *deadline)
{
    struct world *world = context;
    struct entry *entry = CONTAINER_OF(deadline, struct entry, deadline);
    assert_true(entry->expected_ms != 0);
    assert_true(entry->expected_ms <= world->now_ms);
    entry->expected_ms = 0;
    world->expired++;
}

/* No entry of the past may still be waiting, one tick aside. */
static void check_nothing_is_late(const struct world *world)
{
    for (int i = 0; i < ENTRIES; i++) {
        uint64_t expected = world->entries[i].expected_ms;
        assert_true(expected == 0 || expected + WHEEL_TICK_MS > world->now_ms);
    }
}

static void deadlines_expire_in_time_whatever_moves(void **state)
{
    static struct world world;
    struct random_sequence random;
    random_sequence_init(&random, 11);
    world.now_ms = 1000003;
    deadline_wheel_init(&world.wheel, world.now_ms);
    for (int round = 0; round < 20000; round++) {
        struct entry *entry = &world.entries[random_sequence_below(&random, ENTRIES)];
        uint64_t reach = random_sequence_below(&random, 20) == 0 ? 400000000 : 100000;
        entry->expected_ms = world.now_ms + random_sequence_below(&random, reach);
        deadline_set(&world.wheel, &entry->deadline, entry->expected_ms);
        if (random_sequence_below(&random, 10) == 0) {
            deadline_clear(&world.wheel, &entry->deadline);
            entry->expected_ms = 0;
        }
        uint64_t jump = random_sequence_below(&random, 1000) == 0 ? 3000000 : 200;
        world.now_ms += random_sequence_below(&random, jump);
        deadline_wheel_advance(&world.wheel, world.now_ms, on_expired, &world);
        check_nothing_is_late(&world);
    }
    assert_true(world.expired > 5000);
}

static void sleeping_until_the_next_time_misses_nothing(void **state)
{
    static struct world world;
    struct random_sequence random;
    random_sequence_init(&random, 12);
    world.now_ms = 77;
    deadline_wheel_init(&world.wheel, world.now_ms);
    for (int i = 0; i < ENTRIES; i++) {
        world.entries[i].expected_ms = world.now_ms + random_sequence_below(&random, 5000000);
        deadline_set(&world.wheel, &world.entries[i].deadline, world.entries[i].expected_ms);
    }
    for (unsigned turns = 0; world.expired < ENTRIES; turns++) {
        uint64_t next_ms = deadline_wheel_next_ms(&world.wheel);
        assert_true(next_ms != UINT64_MAX && turns < 10000);
        world.now_ms = next_ms > world.now_ms ? next_ms : world.now_ms + 1;
        deadline_wheel_advance(&world.wheel, world.now_ms, on_expired, &world);
        check_nothing_is_late(&world);
    }
    assert_int_equal(deadline_wheel_next_ms(&world.wheel), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_expire_in_time_whatever_moves),
        cmocka_unit_test(sleeping_until_the_next_time_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

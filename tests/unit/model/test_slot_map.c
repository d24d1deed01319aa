#include "lbnode/base/random.h"
#include "lbnode/model/slot_map.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct uuid numbered(uint32_t n)
{
    struct uuid id = {{0}};
    memcpy(id.bytes, &n, sizeof(n));
    return id;
}

/* One build that has the pools FIRST to LAST - 1. */
static void build(struct slot_map *map, uint32_t first, uint32_t last, uint32_t *out_slots)
{
    slot_map_begin(map);
    for (uint32_t n = first; n < last; n++) {
        struct uuid id = numbered(n);
        slot_map_keep(map, &id);
    }
    slot_map_sweep(map);
    for (uint32_t n = first; n < last; n++) {
        struct uuid id = numbered(n);
        out_slots[n - first] = slot_map_take(map, SLOT_POOL, &id, n + 1);
    }
}

static void all_slots_can_change_hands_in_one_build(void **state)
{
    static uint32_t slots[POOL_SLOTS + 1];
    static bool taken[POOL_SLOTS];
    struct slot_map *map = slot_map_new();
    build(map, 0, POOL_SLOTS, slots);
    build(map, POOL_SLOTS, 2 * POOL_SLOTS, slots);
    for (uint32_t i = 0; i < POOL_SLOTS; i++) {
        assert_true(slots[i] < POOL_SLOTS);
        assert_false(taken[slots[i]]);
        taken[slots[i]] = true;
    }
    slot_map_free(map);
}

static void one_object_too_many_gets_no_slot(void **state)
{
    static uint32_t slots[POOL_SLOTS + 1];
    struct slot_map *map = slot_map_new();
    build(map, 0, POOL_SLOTS + 1, slots);
    assert_int_equal(slots[POOL_SLOTS], SNAPSHOT_NONE);
    slot_map_free(map);
}

static void kinds_have_slots_of_their_own(void **state)
{
    struct slot_map *map = slot_map_new();
    struct uuid a = numbered(1), b = numbered(2);
    assert_int_equal(slot_map_take(map, SLOT_MEMBER, &a, 1), 0);
    assert_int_equal(slot_map_take(map, SLOT_LISTENER, &b, 1), 0);
    slot_map_free(map);
}

static void an_object_keeps_its_slot_and_takes_its_new_incarnation(void **state)
{
    struct slot_map *map = slot_map_new();
    struct uuid a = numbered(1);
    uint32_t slot = slot_map_take(map, SLOT_MEMBER, &a, 10), found, incarnation;
    slot_map_begin(map);
    slot_map_keep(map, &a);
    slot_map_sweep(map);
    assert_int_equal(slot_map_take(map, SLOT_MEMBER, &a, 11), slot);
    assert_true(slot_map_find(map, &a, &found, &incarnation));
    assert_int_equal(found, slot);
    assert_int_equal(incarnation, 11);
    slot_map_begin(map);
    slot_map_sweep(map);
    assert_false(slot_map_find(map, &a, &found, &incarnation));
    slot_map_free(map);
}

/* Objects come and go at random: never two on one slot, never one on two. */
static void no_slot_is_ever_shared(void **state)
{
    enum {
        OBJECTS = 200
    };
    static bool wanted[OBJECTS];
    uint32_t slots[OBJECTS];
    struct slot_map *map = slot_map_new();
    struct random_sequence random;
    random_sequence_init(&random, 5);
    for (int round = 0; round < 500; round++) {
        bool taken[POOL_SLOTS] = {false};
        slot_map_begin(map);
        for (uint32_t n = 0; n < OBJECTS; n++) {
            struct uuid id = numbered(n);
            bool before = wanted[n];
            wanted[n] = random_sequence_below(&random, 4) ? before : !before;
            if (wanted[n])
                slot_map_keep(map, &id);
            if (!before)
                slots[n] = SNAPSHOT_NONE;
        }
        slot_map_sweep(map);
        for (uint32_t n = 0; n < OBJECTS; n++) {
            struct uuid id = numbered(n);
            if (!wanted[n])
                continue;
            uint32_t slot = slot_map_take(map, SLOT_POOL, &id, 1);
            assert_true(slots[n] == SNAPSHOT_NONE || slots[n] == slot);
            assert_false(taken[slot]);
            taken[slot] = true;
            slots[n] = slot;
        }
    }
    slot_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_slots_can_change_hands_in_one_build),
        cmocka_unit_test(one_object_too_many_gets_no_slot),
        cmocka_unit_test(kinds_have_slots_of_their_own),
        cmocka_unit_test(an_object_keeps_its_slot_and_takes_its_new_incarnation),
        cmocka_unit_test(no_slot_is_ever_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

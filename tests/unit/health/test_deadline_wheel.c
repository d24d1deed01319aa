#include "health/deadline_wheel.h"
#include "lbnode/base/random.h"
#include "tests/support/test.h"

#include <stdlib.h>

enum {
    CAPACITY = 1000,
    START_MS = 1000003
};

static void nothing_is_due_in_an_empty_wheel(void **state)
{
    struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, START_MS);
    uint32_t number;
    assert_false(deadline_wheel_take(wheel, START_MS + 1000000, &number));
    assert_true(deadline_wheel_next_ms(wheel) == UINT64_MAX);
    deadline_wheel_free(wheel);
}

static void a_deadline_passes_once_and_within_a_tick(void **state)
{
    struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, START_MS);
    uint32_t number;
    deadline_wheel_put(wheel, 7, START_MS + 5000);
    uint64_t next_ms = deadline_wheel_next_ms(wheel);
    assert_in_range(next_ms, START_MS + 5000, START_MS + 5000 + DEADLINE_TICK_MS);
    assert_false(deadline_wheel_take(wheel, START_MS + 4999, &number));
    assert_true(deadline_wheel_take(wheel, next_ms, &number));
    assert_int_equal(number, 7);
    assert_false(deadline_wheel_take(wheel, next_ms + 1, &number));
    deadline_wheel_free(wheel);
}

static void a_deadline_that_has_passed_is_due_at_once(void **state)
{
    struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, START_MS);
    uint32_t number;
    assert_false(deadline_wheel_take(wheel, START_MS + 777, &number));
    deadline_wheel_put(wheel, 1, START_MS);
    assert_true(deadline_wheel_next_ms(wheel) <= START_MS + 777);
    assert_true(deadline_wheel_take(wheel, START_MS + 777, &number));
    deadline_wheel_free(wheel);
}

static void a_removed_deadline_never_passes(void **state)
{
    struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, START_MS);
    uint32_t number;
    for (uint32_t i = 0; i < 3; i++)
        deadline_wheel_put(wheel, i, START_MS + 100); /* in one place of the wheel */
    deadline_wheel_remove(wheel, 1);
    assert_true(deadline_wheel_take(wheel, START_MS + 200, &number));
    assert_int_not_equal(number, 1);
    assert_true(deadline_wheel_take(wheel, START_MS + 200, &number));
    assert_int_not_equal(number, 1);
    assert_false(deadline_wheel_take(wheel, START_MS + 200, &number));
    deadline_wheel_free(wheel);
}

/* A day of waiting takes few looks, and none twice in the same tick. */
static void who_waits_for_long_is_not_asked_for_at_each_tick(void **state)
{
    struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, START_MS);
    const uint64_t deadline_ms = START_MS + 86400 * 1000;
    uint64_t now_ms = START_MS;
    unsigned looks = 0;
    uint32_t number;
    deadline_wheel_put(wheel, 9, deadline_ms);
    while (!deadline_wheel_take(wheel, now_ms, &number)) {
        uint64_t next_ms = deadline_wheel_next_ms(wheel);
        assert_true(next_ms > now_ms);
        now_ms = next_ms;
        looks++;
    }
    assert_in_range(now_ms, deadline_ms, deadline_ms + DEADLINE_TICK_MS);
    assert_in_range(looks, 1, 86400 / 10 + 1);
    deadline_wheel_free(wheel);
}

static void a_long_pause_makes_all_due_that_has_passed(void **state)
{
    struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, START_MS);
    uint32_t number, taken = 0;
    for (uint32_t i = 0; i < CAPACITY; i++)
        deadline_wheel_put(wheel, i, START_MS + 100ull * i);
    while (deadline_wheel_take(wheel, START_MS + 50000 + DEADLINE_TICK_MS, &number)) {
        assert_in_range(number, 0, 500);
        taken++;
    }
    assert_int_equal(taken, 501);
    deadline_wheel_free(wheel);
}

/* Whatever is put, removed and taken at whatever times: the same as a plain list would say. */
static void the_wheel_agrees_with_a_plain_list(void **state)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct random_sequence random;
        uint64_t deadlines[CAPACITY] = {0}, now_ms = START_MS;
        struct deadline_wheel *wheel = deadline_wheel_new(CAPACITY, now_ms);
        random_sequence_init(&random, seed);
        for (unsigned step = 0; step < 2000; step++) {
            uint32_t number = (uint32_t)random_sequence_below(&random, CAPACITY), taken;
            if (deadlines[number])
                deadline_wheel_remove(wheel, number);
            deadlines[number] = now_ms + random_sequence_below(&random, 30000);
            deadline_wheel_put(wheel, number, deadlines[number]);
            uint64_t pause_ms = random_sequence_below(&random, 100) ? 20 : 40000;
            now_ms += random_sequence_below(&random, pause_ms);
            while (deadline_wheel_take(wheel, now_ms, &taken)) {
                assert_in_range(deadlines[taken], START_MS, now_ms);
                deadlines[taken] = 0;
            }
            for (uint32_t i = 0; i < CAPACITY; i++)
                assert_true(deadlines[i] == 0 || deadlines[i] + DEADLINE_TICK_MS > now_ms);
        }
        deadline_wheel_free(wheel);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_in_an_empty_wheel),
        cmocka_unit_test(a_deadline_passes_once_and_within_a_tick),
        cmocka_unit_test(a_deadline_that_has_passed_is_due_at_once),
        cmocka_unit_test(a_removed_deadline_never_passes),
        cmocka_unit_test(who_waits_for_long_is_not_asked_for_at_each_tick),
        cmocka_unit_test(a_long_pause_makes_all_due_that_has_passed),
        cmocka_unit_test(the_wheel_agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

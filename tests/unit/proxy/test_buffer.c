#include "proxy/buffer.h"

#include "tests/support/test.h"

enum {
    HELD = 16
};

static struct buffer_budget budget;
static struct buffer_pool pool, other;
static struct buffer *held[HELD];

static int setup(void **state)
{
    budget.limit = 8 * (sizeof(struct buffer) + BUFFER_SMALL_SIZE);
    pool = other = (struct buffer_pool){.budget = &budget};
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < HELD; i++)
        buffer_put(&pool, &held[i]);
    buffer_pool_clear(&pool);
    buffer_pool_clear(&other);
    return (int)budget.taken;
}

static void the_budget_is_never_exceeded(void **state)
{
    int count = 0;
    while (count < HELD && (held[count] = buffer_get(&pool, BUFFER_SMALL)))
        count++;
    assert_int_equal(count, 8);
    assert_int_equal(budget.taken, budget.limit);
    assert_null(buffer_get(&other, BUFFER_SMALL)); /* it is everybody's */
}

static void the_last_quarter_is_for_what_is_under_way(void **state)
{
    int count = 0;
    while (count < HELD && (held[count] = buffer_get_early(&pool, BUFFER_SMALL)))
        count++;
    assert_int_equal(count, 7); /* the seventh is the first above three quarters */
    held[count] = buffer_get(&pool, BUFFER_SMALL);
    assert_non_null(held[count]);
}

static void buffers_are_kept_unless_they_are_scarce(void **state)
{
    for (int i = 0; i < 7; i++)
        held[i] = buffer_get(&pool, BUFFER_SMALL);
    buffer_put(&pool, &held[6]);
    assert_int_equal(pool.free_count[BUFFER_SMALL], 0);
    buffer_put(&pool, &held[5]);
    assert_int_equal(pool.free_count[BUFFER_SMALL], 1);
}

static void a_larger_buffer_waits_for_budget_and_keeps_the_bytes(void **state)
{
    for (int i = 0; i < 6; i++)
        held[i] = buffer_get(&pool, BUFFER_SMALL);
    buffer_append(held[0], "abc", 3);
    assert_false(buffer_grow(&pool, &held[0]));
    assert_memory_equal(buffer_begin(held[0]), "abc", 3);
    for (int i = 1; i < 6; i++)
        buffer_put(&pool, &held[i]);
    buffer_pool_clear(&pool);
    assert_true(buffer_grow(&pool, &held[0]));
    assert_memory_equal(buffer_begin(held[0]), "abc", 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_budget_is_never_exceeded),
        TEST(the_last_quarter_is_for_what_is_under_way),
        TEST(buffers_are_kept_unless_they_are_scarce),
        TEST(a_larger_buffer_waits_for_budget_and_keeps_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

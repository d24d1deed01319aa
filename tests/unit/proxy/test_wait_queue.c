#include "proxy/wait_queue.h"

#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static struct wait_queue *queue, *other;
static struct wait_lines lines[2]; /* of workers 0 and 1 */
static struct waiter waiters[6];

static int setup(void **state)
{
    memset(lines, 0, sizeof(lines));
    memset(waiters, 0, sizeof(waiters));
    queue = wait_queue_new();
    other = wait_queue_new();
    return queue && other ? 0 : -1;
}

static int teardown(void **state)
{
    free(queue);
    free(other);
    return 0;
}

static void add(unsigned i, uint32_t worker)
{
    wait_queue_add(queue, worker, &lines[worker], &waiters[i], false);
}

static void first_come_first_served(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        add(i, 0);
    wait_queue_remove(&waiters[1], 0, &lines[0]); /* it gave up */
    wait_queue_remove(&waiters[1], 0, &lines[0]);
    static const unsigned order[] = {0, 2, 3};
    for (unsigned i = 0; i < 3; i++) {
        assert_ptr_equal(queue->lines[0].first, &waiters[order[i]]);
        wait_queue_remove(queue->lines[0].first, 0, &lines[0]);
    }
    assert_null(queue->lines[0].first);
    assert_int_equal(queue->count, 0);
    assert_int_equal(queue->workers, 0);
}

static void who_had_its_turn_goes_to_the_front(void **state)
{
    add(0, 0);
    add(1, 0);
    wait_queue_remove(&waiters[0], 0, &lines[0]);
    wait_queue_add(queue, 0, &lines[0], &waiters[0], true);
    assert_ptr_equal(queue->lines[0].first, &waiters[0]);
    assert_ptr_equal(queue->lines[0].last, &waiters[1]);
}

static void workers_with_waiters_take_turns(void **state)
{
    assert_int_equal(wait_queue_next_worker(queue), -1);
    for (unsigned i = 0; i < 5; i++)
        add(i, 0); /* a busy one */
    add(5, 1);
    unsigned turns[2] = {0};
    for (unsigned i = 0; i < 10; i++)
        turns[wait_queue_next_worker(queue)]++;
    assert_int_equal(turns[0], 5);
    assert_int_equal(turns[1], 5);
    wait_queue_remove(&waiters[5], 1, &lines[1]);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(wait_queue_next_worker(queue), 0);
}

static void a_walk_meets_each_line_once_whatever_happens(void **state)
{
    add(0, 0);
    wait_queue_add(other, 0, &lines[0], &waiters[1], false);
    wait_lines_begin(&lines[0]);
    assert_ptr_equal(wait_lines_next(&lines[0]), &queue->lines[0]);
    wait_queue_remove(&waiters[0], 0, &lines[0]); /* empty, and then not again */
    add(0, 0);
    assert_ptr_equal(wait_lines_next(&lines[0]), &other->lines[0]);
    assert_null(wait_lines_next(&lines[0]));
    wait_lines_begin(&lines[0]);
    assert_non_null(wait_lines_next(&lines[0]));
    assert_non_null(wait_lines_next(&lines[0]));
    assert_null(wait_lines_next(&lines[0]));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_come_first_served),
        TEST(who_had_its_turn_goes_to_the_front),
        TEST(workers_with_waiters_take_turns),
        TEST(a_walk_meets_each_line_once_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

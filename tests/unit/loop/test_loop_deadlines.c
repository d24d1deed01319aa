#include "lbnode/loop/loop_deadlines.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"

struct task {
    struct deadline deadline;
    uint64_t expired_ms; /* 0: not so far */
};

static void on_expired(struct deadline *deadline)
{
    CONTAINER_OF(deadline, struct task, deadline)->expired_ms = monotime_now_ms();
}

static struct loop *loop;
static struct loop_deadlines deadlines;

static int set_up(void **state)
{
    loop = loop_new();
    loop_deadlines_init(&deadlines, loop, on_expired);
    return loop ? 0 : -1;
}

static int tear_down(void **state)
{
    loop_deadlines_stop(&deadlines);
    loop_free(loop);
    return 0;
}

static void run_until_expired(const struct task *task)
{
    while (task->expired_ms == 0)
        loop_turn(loop, true);
}

static void each_expires_in_its_turn_and_never_early(void **state)
{
    uint64_t now_ms = monotime_now_ms();
    struct task late = {.expired_ms = 0}, soon = {.expired_ms = 0};
    loop_deadlines_set(&deadlines, &late.deadline, now_ms + 80);
    loop_deadlines_set(&deadlines, &soon.deadline, now_ms + 20);
    run_until_expired(&soon);
    assert_int_equal(late.expired_ms, 0);
    assert_true(soon.expired_ms >= now_ms + 20);
    run_until_expired(&late);
    assert_true(late.expired_ms >= now_ms + 80);
}

static void one_that_is_over_expires_in_the_next_turns(void **state)
{
    struct task task = {.expired_ms = 0};
    loop_deadlines_set(&deadlines, &task.deadline, monotime_now_ms());
    assert_int_equal(task.expired_ms, 0);
    run_until_expired(&task);
}

static void one_that_was_cleared_does_not_expire(void **state)
{
    uint64_t now_ms = monotime_now_ms();
    struct task cleared = {.expired_ms = 0}, other = {.expired_ms = 0};
    loop_deadlines_set(&deadlines, &cleared.deadline, now_ms + 10);
    loop_deadlines_set(&deadlines, &other.deadline, now_ms + 60);
    loop_deadlines_clear(&deadlines, &cleared.deadline);
    run_until_expired(&other);
    assert_int_equal(cleared.expired_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_expires_in_its_turn_and_never_early, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_over_expires_in_the_next_turns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_that_was_cleared_does_not_expire, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The thread that waits for the disk, and what the loop does meanwhile. */
#include "replication/writer.h"

#include "lbnode/base/monotime.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    DEADLINE_MS = 5000
};

struct fixture {
    struct loop *loop;
    struct store *store;
    struct writer *writer;
    int gate[2]; /* an errand ends when there is a byte */
    unsigned commits, ended;
    int result;
    bool again; /* asks for another errand when one ended */
};

static int wait_at_gate(void *argument)
{
    struct fixture *fixture = argument;
    char byte;
    return read(fixture->gate[0], &byte, 1) == 1 ? -ENOSPC : -errno;
}

static void note_end(void *argument, int result)
{
    struct fixture *fixture = argument;
    const struct errand next = {wait_at_gate, note_end, fixture};
    fixture->ended++;
    fixture->result = result;
    if (fixture->again)
        fixture->again = !writer_run(fixture->writer, &next);
}

static void open_gate(const struct fixture *fixture)
{
    assert_int_equal(write(fixture->gate[1], "", 1), 1);
}

static void note_commit(void *context, int result)
{
    struct fixture *fixture = context;
    assert_int_equal(result, 0);
    fixture->commits++;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.loop = loop_new(), .store = store_mem_open()};
    fixture.writer = writer_new(fixture.loop, fixture.store, note_commit, &fixture);
    *state = &fixture;
    return pipe2(fixture.gate, O_CLOEXEC);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    writer_free(fixture->writer);
    store_close(fixture->store);
    loop_free(fixture->loop);
    close(fixture->gate[0]);
    close(fixture->gate[1]);
    return 0;
}

static void nothing(struct loop_timer *timer)
{}

static void turn_until(struct fixture *fixture, const unsigned *count, unsigned wanted)
{
    struct loop_timer turn = {0};
    uint64_t end_ms = monotime_now_ms() + DEADLINE_MS;
    while (*count < wanted && monotime_now_ms() < end_ms) {
        loop_timer_start(fixture->loop, &turn, 5, nothing);
        loop_turn(fixture->loop, true);
    }
    loop_timer_stop(&turn);
    assert_int_equal(*count, wanted);
}

static unsigned ticks;

static void tick(struct loop_timer *timer)
{
    ticks++;
}

static void the_loop_turns_while_an_errand_waits_for_the_disk(void **state)
{
    struct fixture *fixture = *state;
    const struct errand errand = {wait_at_gate, note_end, fixture};
    struct loop_timer timer = {0};
    assert_true(writer_run(fixture->writer, &errand));
    loop_timer_start(fixture->loop, &timer, 0, tick);
    turn_until(fixture, &ticks, 1);
    assert_int_equal(fixture->ended, 0);
    open_gate(fixture);
    turn_until(fixture, &fixture->ended, 1);
    assert_int_equal(fixture->result, -ENOSPC);
}

static void errands_wait_for_each_other_and_are_refused_when_too_many_do(void **state)
{
    struct fixture *fixture = *state;
    const struct errand errand = {wait_at_gate, note_end, fixture};
    for (int i = 0; i < WRITER_ERRANDS; i++)
        assert_true(writer_run(fixture->writer, &errand));
    assert_false(writer_run(fixture->writer, &errand));
    fixture->again = true;
    for (int i = 0; i <= WRITER_ERRANDS; i++)
        open_gate(fixture);
    turn_until(fixture, &fixture->ended, WRITER_ERRANDS + 1);
    assert_false(fixture->again);
}

static void a_commit_that_came_meanwhile_is_done_after_the_errand(void **state)
{
    struct fixture *fixture = *state;
    const struct errand errand = {wait_at_gate, note_end, fixture};
    struct store_batch batch = {0};
    assert_true(writer_run(fixture->writer, &errand));
    writer_commit(fixture->writer, &batch);
    open_gate(fixture);
    turn_until(fixture, &fixture->commits, 1);
    turn_until(fixture, &fixture->ended, 1);
}

/* Not asked again for one by whoever is told then. */
static void the_end_of_the_writer_is_the_end_of_an_errand(void **state)
{
    struct fixture *fixture = *state;
    const struct errand errand = {wait_at_gate, note_end, fixture};
    fixture->again = true;
    assert_true(writer_run(fixture->writer, &errand));
    open_gate(fixture);
    writer_free(fixture->writer);
    fixture->writer = NULL;
    assert_int_equal(fixture->ended, 1);
    assert_true(fixture->again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(the_loop_turns_while_an_errand_waits_for_the_disk),
        RULE(errands_wait_for_each_other_and_are_refused_when_too_many_do),
        RULE(a_commit_that_came_meanwhile_is_done_after_the_errand),
        RULE(the_end_of_the_writer_is_the_end_of_an_errand),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

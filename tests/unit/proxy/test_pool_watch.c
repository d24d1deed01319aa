#include "proxy/pool_watch.h"

#include "lbnode/base/error.h"
#include "tests/support/test.h"
#include "tests/unit/proxy/image.h"

#include <string.h>
#include <unistd.h>

enum {
    MEMBERS = 4
};

static struct image image;
static struct verdict_board *verdicts;
static struct pool_table table;
static struct generation *generation;
static struct pool_turn last_turn;
static unsigned turns;

/* A configuration as IMAGE has it now, in place of the one before. */
static void configure(void)
{
    struct error error = {0};
    image.header.generation++;
    int fd = image_seal(&image);
    struct generation *next = generation_new(snapshot_open(fd, &error), &table, 1);
    close(fd);
    assert_non_null(next);
    if (generation)
        generation_release(generation);
    generation = next;
}

static void tell(void *context, const struct pool_turn *turn)
{
    last_turn = *turn;
    turns++;
}

static uint32_t look(void)
{
    pool_watch_look(generation, verdicts, tell, NULL);
    return generation->pools[0]->leniency;
}

static void judge(uint32_t member, enum verdict_state state)
{
    verdicts->slots[member].word = verdict_word_make(1, state, 0);
}

static void monitor(void)
{
    image.header.monitors.count = 1;
    image.pool.monitor = 0;
    image.monitor = (struct snapshot_monitor){.type = SNAPSHOT_MONITOR_TCP,
                                              .enabled = 1,
                                              .max_retries = 1,
                                              .max_retries_down = 1,
                                              .http_version = 11};
}

static int setup(void **state)
{
    image_init(&image, 0, MEMBERS);
    verdicts = verdict_board_create();
    turns = 0;
    return verdicts ? 0 : -1;
}

static int teardown(void **state)
{
    generation_release(generation);
    generation = NULL;
    pool_table_clear(&table);
    return 0;
}

static void a_new_pool_waits_for_the_first_verdicts(void **state)
{
    monitor();
    configure();
    assert_int_equal(look(), 0);
}

static void a_pool_that_gets_a_monitor_serves_until_all_have_a_verdict(void **state)
{
    configure();
    assert_int_equal(look(), PICK_UNKNOWN);
    monitor();
    configure();
    assert_int_equal(look(), PICK_UNKNOWN);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        assert_int_equal(look(), PICK_UNKNOWN);
        judge(i, i == 1 ? VERDICT_ERROR : VERDICT_ONLINE);
    }
    assert_int_equal(look(), 0);
    judge(2, VERDICT_UNKNOWN); /* somebody new: as in any other pool */
    assert_int_equal(look(), 0);
}

static void with_fewer_usable_members_than_the_percentage_a_pool_fails_open(void **state)
{
    monitor();
    image.pool.fail_open_percent = 50;
    configure();
    for (uint32_t i = 0; i < MEMBERS; i++)
        judge(i, VERDICT_ONLINE);
    for (uint32_t i = 0; i < 2; i++) {
        judge(i, VERDICT_ERROR);
        assert_int_equal(look(), 0); /* half of them are usable */
    }
    judge(2, VERDICT_ERROR);
    assert_int_equal(look(), PICK_ANY);
    assert_int_equal(look(), PICK_ANY);
    assert_int_equal(turns, 1);
    assert_true(last_turn.fails_open);
    assert_int_equal(last_turn.usable, 1);
    assert_int_equal(last_turn.total, MEMBERS);
    judge(2, VERDICT_ONLINE);
    assert_int_equal(look(), 0);
    assert_int_equal(turns, 2);
    assert_false(last_turn.fails_open);
}

static void without_a_percentage_no_pool_fails_open(void **state)
{
    monitor();
    configure();
    for (uint32_t i = 0; i < MEMBERS; i++)
        judge(i, VERDICT_ERROR);
    assert_int_equal(look(), 0);
    assert_int_equal(turns, 0);
}

/* They get nothing anyway. */
static void members_that_are_disabled_or_drained_do_not_count(void **state)
{
    monitor();
    image.pool.fail_open_percent = 60;
    image.members[0].enabled = 0;
    image.members[1].weight = 0;
    image_schedule(&image);
    configure();
    judge(2, VERDICT_ONLINE);
    judge(3, VERDICT_ERROR);
    assert_int_equal(look(), PICK_ANY);
    assert_int_equal(last_turn.total, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_pool_waits_for_the_first_verdicts),
        TEST(a_pool_that_gets_a_monitor_serves_until_all_have_a_verdict),
        TEST(with_fewer_usable_members_than_the_percentage_a_pool_fails_open),
        TEST(without_a_percentage_no_pool_fails_open),
        TEST(members_that_are_disabled_or_drained_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

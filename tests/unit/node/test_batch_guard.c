/* Each open is a process that starts; one that does not finish died. */
#include "lbnode/base/bytes.h"
#include "lbnode/node/batch_guard.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct uuid first = {{1}}, second = {{2}}, third = {{3}};
static const struct uuid change = {{0xc0}}, other_change = {{0xc1}};

static int set_up(void **state)
{
    char *directory = strdup("/tmp/lbnode-guard-XXXXXX");
    *state = mkdtemp(directory);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/projecting", (char *)*state);
    unlink(path);
    snprintf(path, sizeof(path), "%s/withheld", (char *)*state);
    unlink(path);
    assert_int_equal(rmdir(*state), 0);
    free(*state);
    return 0;
}

/* A process that starts at NOW_MS, projects everything, and dies of it. */
static void die(const char *directory, uint64_t now_ms)
{
    struct batch_guard *guard = batch_guard_open(directory, now_ms);
    struct uuid none = {{0}};
    batch_guard_begin(guard, NULL, 0, &none);
    batch_guard_free(guard);
}

/* The first of the deaths: of a batch that came while the process ran. */
static void die_of_batch(const char *directory, const struct uuid *ids, size_t count)
{
    struct batch_guard *guard = batch_guard_open(directory, 1000);
    struct uuid none = {{0}};
    batch_guard_begin(guard, NULL, 0, &none);
    batch_guard_finish(guard);
    batch_guard_begin(guard, ids, count, &change);
    batch_guard_free(guard);
}

static size_t withheld_count(const struct batch_guard *guard)
{
    size_t count;
    batch_guard_withheld(guard, &count);
    return count;
}

static void the_third_death_of_one_batch_withholds_it(void **state)
{
    const struct uuid batch[] = {first, second};
    struct uuid caught;
    die_of_batch(*state, batch, ARRAY_LENGTH(batch));
    die(*state, 2000);
    die(*state, 3000);
    struct batch_guard *guard = batch_guard_open(*state, 4000);
    assert_true(batch_guard_caught(guard, &caught));
    assert_true(uuid_equal(&caught, &change));
    assert_int_equal(withheld_count(guard), 2);
    assert_true(batch_guard_is_withheld(guard, &first));
    assert_true(batch_guard_is_withheld(guard, &second));
    assert_false(batch_guard_is_withheld(guard, &third));
    assert_false(batch_guard_withholds_all(guard));
    batch_guard_free(guard);
}

static void two_deaths_withhold_nothing_when_the_third_start_succeeds(void **state)
{
    struct uuid caught, none = {{0}};
    die_of_batch(*state, &first, 1);
    die(*state, 2000);
    struct batch_guard *guard = batch_guard_open(*state, 3000);
    batch_guard_begin(guard, NULL, 0, &none);
    batch_guard_finish(guard);
    batch_guard_free(guard);
    die(*state, 4000);
    guard = batch_guard_open(*state, 5000);
    assert_false(batch_guard_caught(guard, &caught));
    assert_int_equal(withheld_count(guard), 0);
    batch_guard_free(guard);
}

static void deaths_more_than_a_minute_apart_do_not_count_together(void **state)
{
    struct uuid caught;
    die_of_batch(*state, &first, 1);
    die(*state, 2000);
    die(*state, 30000);
    struct batch_guard *guard = batch_guard_open(*state, 2000 + GUARD_WINDOW_MS + 1);
    assert_false(batch_guard_caught(guard, &caught));
    batch_guard_free(guard);
}

static void what_is_withheld_stays_so_over_restarts_until_released(void **state)
{
    struct uuid caught;
    die_of_batch(*state, &first, 1);
    die(*state, 2000);
    die(*state, 3000);
    batch_guard_free(batch_guard_open(*state, 4000));
    struct batch_guard *guard = batch_guard_open(*state, 900000);
    assert_false(batch_guard_caught(guard, &caught)); /* told once */
    assert_true(batch_guard_is_withheld(guard, &first));
    batch_guard_release(guard);
    batch_guard_free(guard);
    guard = batch_guard_open(*state, 900001);
    assert_int_equal(withheld_count(guard), 0);
    batch_guard_free(guard);
}

static void what_crashes_although_withheld_is_withheld_harder(void **state)
{
    size_t count;
    die_of_batch(*state, &first, 1);
    for (uint64_t now_ms = 2000; now_ms <= 6000; now_ms += 1000)
        die(*state, now_ms);
    struct batch_guard *guard = batch_guard_open(*state, 7000);
    const struct withheld_object *objects = batch_guard_withheld(guard, &count);
    assert_int_equal(count, 1);
    assert_int_equal(objects[0].level, WITHHOLD_VALUES);
    batch_guard_free(guard);
}

static void deaths_at_the_start_without_a_suspect_withhold_everything(void **state)
{
    die(*state, 1000);
    die(*state, 2000);
    die(*state, 3000);
    struct batch_guard *guard = batch_guard_open(*state, 4000);
    assert_true(batch_guard_withholds_all(guard));
    batch_guard_free(guard);
}

static void batches_that_run_together_are_suspected_together(void **state)
{
    struct batch_guard *guard = batch_guard_open(*state, 1000);
    batch_guard_begin(guard, &first, 1, &change);
    batch_guard_begin(guard, &second, 1, &other_change);
    batch_guard_free(guard);
    die(*state, 2000);
    die(*state, 3000);
    struct uuid caught;
    guard = batch_guard_open(*state, 4000);
    assert_true(batch_guard_caught(guard, &caught));
    assert_true(uuid_equal(&caught, &other_change));
    assert_int_equal(withheld_count(guard), 2);
    batch_guard_free(guard);
}

static void a_file_of_rubbish_is_no_suspicion(void **state)
{
    static const char *const names[] = {"projecting", "withheld"};
    struct uuid caught;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char path[128], rubbish[200];
        memset(rubbish, 0xff, sizeof(rubbish));
        snprintf(path, sizeof(path), "%s/%s", (char *)*state, names[i]);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, rubbish, sizeof(rubbish)), sizeof(rubbish));
        close(fd);
    }
    struct batch_guard *guard = batch_guard_open(*state, 1000);
    assert_false(batch_guard_caught(guard, &caught));
    assert_int_equal(withheld_count(guard), 0);
    batch_guard_free(guard);
}

static void a_directory_that_cannot_be_written_only_costs_the_protection(void **state)
{
    struct batch_guard *guard = batch_guard_open("/nonexistent", 1000);
    batch_guard_begin(guard, &first, 1, &change);
    batch_guard_finish(guard);
    assert_int_equal(withheld_count(guard), 0);
    batch_guard_free(guard);
}

int main(void)
{
#define WITH_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_DIRECTORY(the_third_death_of_one_batch_withholds_it),
        WITH_DIRECTORY(two_deaths_withhold_nothing_when_the_third_start_succeeds),
        WITH_DIRECTORY(deaths_more_than_a_minute_apart_do_not_count_together),
        WITH_DIRECTORY(what_is_withheld_stays_so_over_restarts_until_released),
        WITH_DIRECTORY(what_crashes_although_withheld_is_withheld_harder),
        WITH_DIRECTORY(deaths_at_the_start_without_a_suspect_withhold_everything),
        WITH_DIRECTORY(batches_that_run_together_are_suspected_together),
        WITH_DIRECTORY(a_file_of_rubbish_is_no_suspicion),
        WITH_DIRECTORY(a_directory_that_cannot_be_written_only_costs_the_protection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

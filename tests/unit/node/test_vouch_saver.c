/* The file of vouched nodes, written where a slow disk holds nobody up. */
#include "lbnode/node/vouch_saver.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* In the place of another thread: does what it was given when the test says so. */
struct slow_disk {
    struct errand errand;
    bool busy, refuses;
};

static struct slow_disk disk;
static struct vouch_list list;
static struct vouch_saver saver;
static char directory[64];

static bool give_to_disk(void *context, const struct errand *errand)
{
    struct slow_disk *slow = context;
    if (slow->refuses)
        return false;
    assert_false(slow->busy);
    *slow = (struct slow_disk){.errand = *errand, .busy = true};
    return true;
}

static void finish(void)
{
    const struct errand errand = disk.errand;
    int result = errand.run(errand.argument);
    disk.busy = false;
    errand.done(errand.argument, result);
}

/* The list has this one node now. */
static void change(uint8_t node)
{
    list.count = 1;
    list.nodes[0].node_id.bytes[0] = node;
    saver.wanted = true;
    vouch_saver_save(&saver);
}

static uint8_t node_in_file(void)
{
    static struct vouch_list read;
    vouch_file_read(directory, &read);
    return read.count ? read.nodes[0].node_id.bytes[0] : 0;
}

static int set_up(void **state)
{
    disk = (struct slow_disk){0};
    snprintf(directory, sizeof(directory), "/tmp/lbnode-saver-XXXXXX");
    saver = (struct vouch_saver){
        .state_dir = directory, .list = &list, .start = give_to_disk, .context = &disk};
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[80];
    snprintf(path, sizeof(path), "%s/vouched", directory);
    unlink(path);
    return rmdir(directory);
}

static void a_change_is_written_elsewhere(void **state)
{
    change(1);
    assert_true(disk.busy);
    assert_int_equal(node_in_file(), 0);
    finish();
    assert_int_equal(node_in_file(), 1);
    assert_false(disk.busy);
}

static void a_later_change_is_never_overwritten_by_an_earlier_one(void **state)
{
    change(1);
    change(2); /* while the first is on its way */
    change(3);
    finish();
    assert_int_equal(node_in_file(), 1);
    assert_true(disk.busy);
    finish();
    assert_int_equal(node_in_file(), 3);
    assert_false(disk.busy);
}

static void what_cannot_be_started_is_written_later(void **state)
{
    disk.refuses = true;
    change(1);
    assert_false(disk.busy);
    disk.refuses = false;
    vouch_saver_save(&saver);
    finish();
    assert_int_equal(node_in_file(), 1);
}

static void nothing_is_written_without_a_change(void **state)
{
    vouch_saver_save(&saver);
    assert_false(disk.busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_change_is_written_elsewhere),
        RULE(a_later_change_is_never_overwritten_by_an_earlier_one),
        RULE(what_cannot_be_started_is_written_later),
        RULE(nothing_is_written_without_a_change),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

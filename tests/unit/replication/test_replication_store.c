#include "replication/replication.h"
#include "tests/support/test.h"
#include "tests/unit/replication/store_node.h"

#include "lbnode/model/field_table.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    CHANGES = 30
};

static void submit(struct store_node *fixture)
{
    struct change_set changes = {0};
    struct uuid object = uuid_random(), none = {0};
    struct submit_options options = {.author = "ann", .via = "cli"};
    assert_true(change_set_add(&changes, &object, &none, 5, FACET_LIFE,
                               (struct bytes){(const uint8_t *)"\1", 1}));
    replication_submit(fixture->replication, &changes, &options, store_node_on_submitted,
                       fixture);
    change_set_free(&changes);
    store_node_wait(fixture);
}

/* A node with some changes, closed. */
static int set_up(void **state)
{
    struct store_node *fixture = store_node_new();
    for (int i = 0; i < CHANGES; i++)
        submit(fixture);
    store_node_close(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_node_free(*state);
    return 0;
}

static int open_store_file(struct store_node *fixture)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/config.mdb", fixture->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static unsigned count_quarantines(struct store_node *fixture)
{
    unsigned count = 0;
    DIR *directory = opendir(fixture->directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += strncmp(entry->d_name, "quarantine-", 11) == 0;
    closedir(directory);
    return count;
}

static void changes_come_back_from_a_damaged_store(void **state)
{
    struct store_node *fixture = *state;
    uint8_t nothing[2 * 4096] = {0};
    int fd = open_store_file(fixture);
    assert_int_equal(pwrite(fd, nothing, sizeof(nothing), 0), sizeof(nothing));
    close(fd);
    store_node_open(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_non_null(strstr(fixture->last_text, "31 of 31 changes"));
    assert_int_equal(count_quarantines(fixture), 1);
    assert_true(replication_is_initialised(fixture->replication));
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
    submit(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
}

static void cut_off(struct store_node *fixture)
{
    int fd = open_store_file(fixture);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
}

/* A slow machine may have made one while the fixture wrote; the next is due in an hour. */
static void forget_copy(struct store_node *fixture)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/config.mdb.copy", fixture->directory);
    unlink(path);
}

static void a_store_that_cannot_be_read_at_all_comes_back_from_its_copy(void **state)
{
    struct store_node *fixture = *state;
    forget_copy(fixture);
    store_node_open(fixture); /* copies what the fixture wrote */
    store_node_close(fixture);
    cut_off(fixture);
    store_node_open(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
}

static void without_a_copy_it_leaves_an_empty_node(void **state)
{
    struct store_node *fixture = *state;
    forget_copy(fixture);
    cut_off(fixture);
    store_node_open(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_non_null(strstr(fixture->last_text, "join again"));
    assert_false(replication_is_initialised(fixture->replication));
}

/* As after a crash between the last two renames. */
static void a_salvage_that_was_complete_is_taken_up(void **state)
{
    struct store_node *fixture = *state;
    char from[128], to[128];
    snprintf(from, sizeof(from), "%s/config.mdb", fixture->directory);
    snprintf(to, sizeof(to), "%s/config.mdb.salvaged", fixture->directory);
    assert_int_equal(rename(from, to), 0);
    store_node_open(fixture);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
}

static void a_store_of_another_node_is_refused(void **state)
{
    struct store_node *fixture = *state;
    struct error error = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/node.key", fixture->directory);
    assert_int_equal(unlink(path), 0);
    assert_false(store_node_try_open(fixture, &error));
    assert_int_equal(error.kind, ERROR_REFUSED);
    assert_non_null(strstr(error.text, "another node"));
    assert_int_equal(count_quarantines(fixture), 0);
}

static void a_full_disk_refuses_changes_but_not_the_start(void **state)
{
    struct store_node *fixture = *state;
    struct rlimit before, none = {0};
    getrlimit(RLIMIT_FSIZE, &before);
    none.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    store_node_open(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_DEGRADED], 1);
    assert_true(strlen(replication_storage_problem(fixture->replication)) > 0);
    submit(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_REFUSED);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* The totals row rots while the node runs: the next commit meets it. */
static void a_store_that_rots_at_run_time_is_set_aside(void **state)
{
    struct store_node *fixture = *state;
    static char content[1 << 20];
    static const char totals[] = "totals";
    store_node_open(fixture);
    int fd = open_store_file(fixture);
    ssize_t size = pread(fd, content, sizeof(content), 0);
    for (char *at = content;
         (at = memmem(at, (size_t)(content + size - at), totals, sizeof(totals))); at++)
        assert_int_equal(pwrite(fd, "rotten!", 7, at - content + (off_t)sizeof(totals)), 7);
    close(fd);
    submit(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_REFUSED);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_int_equal(count_quarantines(fixture), 1);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
}

/* ---- backup and restore ----------------------------------------------------------------- */

static void a_backup_brings_a_lost_store_back(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    char path[128];
    store_node_open(fixture);
    store_backup_make(fixture, &backup);
    assert_int_equal(backup.count, CHANGES + 1);
    store_node_close(fixture);
    snprintf(path, sizeof(path), "%s/config.mdb", fixture->directory);
    assert_int_equal(unlink(path), 0);
    store_node_open(fixture);
    assert_false(replication_is_initialised(fixture->replication));
    struct restore_result result = store_backup_restore(fixture, &backup, 0, backup.count);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, CHANGES + 1);
    store_node_close(fixture);
    store_node_open(fixture);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
    wire_writer_free(&backup.content);
}

static void restoring_rolls_nothing_back(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    store_node_open(fixture);
    store_backup_make(fixture, &backup);
    submit(fixture);
    struct restore_result result = store_backup_restore(fixture, &backup, 0, backup.count);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, 0);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 2);
    wire_writer_free(&backup.content);
}

static void a_backup_with_a_forged_record_brings_the_rest(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    char path[128];
    store_node_open(fixture);
    store_backup_make(fixture, &backup);
    store_node_close(fixture);
    uint8_t *last = (uint8_t *)(uintptr_t)backup.items[CHANGES].data;
    last[backup.items[CHANGES].size - 1] ^= 1;
    snprintf(path, sizeof(path), "%s/config.mdb", fixture->directory);
    assert_int_equal(unlink(path), 0);
    store_node_open(fixture);
    assert_int_equal(store_backup_restore(fixture, &backup, 0, backup.count).merged, CHANGES);
    wire_writer_free(&backup.content);
}

static void remove_file(struct store_node *fixture, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    assert_int_equal(unlink(path), 0);
}

struct seen {
    size_t members, groups, nodes;
};

static bool count_life(void *context, const struct raw_facet *facet)
{
    struct seen *seen = context;
    if (facet->facet != FACET_LIFE)
        return true;
    seen->members += facet->type == RESOURCE_MEMBER;
    seen->groups += facet->type == RESOURCE_VRRP_GROUP;
    seen->nodes += facet->type == RESOURCE_NODE;
    return true;
}

/* On a machine that the old cluster never saw. */
static void a_backup_starts_a_new_cluster_of_this_node_alone(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    struct refound_result result = {0};
    struct error error = {0};
    store_node_open(fixture);
    store_backup_make(fixture, &backup);
    const struct uuid old_id = *replication_cluster_id(fixture->replication);
    assert_false(replication_refound_gather(fixture->replication, true, backup.genesis, NULL, 0,
                                            &error));
    store_node_close(fixture);
    remove_file(fixture, "config.mdb");
    remove_file(fixture, "node.key");
    store_node_open(fixture);
    assert_true(replication_refound_gather(fixture->replication, true, backup.genesis,
                                           backup.items, 10, &error));
    assert_true(replication_refound_gather(fixture->replication, false, backup.genesis,
                                           backup.items + 10, backup.count - 10, &error));
    assert_true(replication_refound(fixture->replication, "anew", &result, store_node_on_done,
                                    fixture, &error));
    store_node_wait(fixture);
    assert_int_equal(result.applied, CHANGES + 1);
    assert_int_equal(result.objects, CHANGES + 1);
    store_node_close(fixture);
    store_node_open(fixture);
    struct seen seen = {0};
    replication_visit_facets(fixture->replication, count_life, &seen);
    assert_int_equal(seen.members, CHANGES);
    assert_int_equal(seen.groups, 1);
    assert_int_equal(seen.nodes, 1);
    assert_string_equal(replication_cluster_name(fixture->replication), "anew");
    assert_false(uuid_equal(replication_cluster_id(fixture->replication), &old_id));
    assert_int_equal(store_backup_restore(fixture, &backup, 0, backup.count).error.kind,
                     ERROR_CONFLICT);
    submit(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
    assert_int_equal(fixture->result.peers, 0);
    wire_writer_free(&backup.content);
}

/* With its old node.key it opens what was sealed in the old cluster; and it has a new key. */
static void a_node_of_the_old_cluster_keeps_its_data_keys(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    struct refound_result result = {0};
    struct error error = {0};
    struct secret_box_key keys[4];
    store_node_open(fixture);
    store_backup_make(fixture, &backup);
    assert_int_equal(replication_data_keys(fixture->replication, keys, 4), 1);
    const struct uuid old = keys[0].id;
    store_node_close(fixture);
    remove_file(fixture, "config.mdb");
    store_node_open(fixture);
    assert_int_equal(replication_data_keys(fixture->replication, keys, 4), 0);
    assert_true(replication_refound_gather(fixture->replication, true, backup.genesis,
                                           backup.items, backup.count, &error));
    assert_true(replication_refound(fixture->replication, NULL, &result, store_node_on_done,
                                    fixture, &error));
    store_node_wait(fixture);
    assert_int_equal(replication_data_keys(fixture->replication, keys, 4), 2);
    assert_false(uuid_equal(&keys[0].id, &old));
    assert_true(uuid_equal(&keys[1].id, &old));
    wire_writer_free(&backup.content);
}

static void something_that_is_no_backup_is_refused(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {.genesis = {(const uint8_t *)"nothing", 7}};
    store_node_open(fixture);
    assert_int_equal(store_backup_restore(fixture, &backup, 0, backup.count).error.kind,
                     ERROR_INVALID);
}

int main(void)
{
#define WITH_NODE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_NODE(changes_come_back_from_a_damaged_store),
        WITH_NODE(a_store_that_cannot_be_read_at_all_comes_back_from_its_copy),
        WITH_NODE(without_a_copy_it_leaves_an_empty_node),
        WITH_NODE(a_salvage_that_was_complete_is_taken_up),
        WITH_NODE(a_store_of_another_node_is_refused),
        WITH_NODE(a_full_disk_refuses_changes_but_not_the_start),
        WITH_NODE(a_store_that_rots_at_run_time_is_set_aside),
        WITH_NODE(a_backup_brings_a_lost_store_back),
        WITH_NODE(restoring_rolls_nothing_back),
        WITH_NODE(a_backup_with_a_forged_record_brings_the_rest),
        WITH_NODE(a_backup_starts_a_new_cluster_of_this_node_alone),
        WITH_NODE(a_node_of_the_old_cluster_keeps_its_data_keys),
        WITH_NODE(something_that_is_no_backup_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

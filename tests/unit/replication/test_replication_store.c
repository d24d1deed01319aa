#include "replication/replication.h"
#include "tests/support/test.h"

#include "lbnode/base/monotime.h"
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

struct fixture {
    char directory[64];
    struct loop *loop;
    struct replication *replication;
    struct submit_result result;
    bool done;
    unsigned events[EVENT_CODE_COUNT];
    char last_text[512];
};

static void on_event(void *context, enum event_code code, const char *text)
{
    struct fixture *fixture = context;
    fixture->events[code]++;
    if (code == EVENT_STORAGE_QUARANTINED || code == EVENT_STORAGE_DEGRADED)
        snprintf(fixture->last_text, sizeof(fixture->last_text), "%s", text);
}

static void on_done(void *context, const struct error *error)
{
    struct fixture *fixture = context;
    fixture->done = true;
}

static void on_submitted(void *context, const struct submit_result *result)
{
    struct fixture *fixture = context;
    fixture->result = *result;
    fixture->done = true;
}

static bool open_node(struct fixture *fixture, struct error *error)
{
    struct replication_settings settings = {.state_dir = fixture->directory,
                                            .node_name = "lb1"};
    struct replication_handler handler = {.event = on_event, .context = fixture};
    ip_endpoint_parse("127.0.0.1:0", 0, &settings.listen);
    text_list_add(&settings.addresses, "127.0.0.1:7850", 14);
    fixture->replication = replication_open(fixture->loop, &settings, &handler, error);
    text_list_free(&settings.addresses);
    return fixture->replication && replication_start(fixture->replication, error) == 0;
}

static void close_node(struct fixture *fixture)
{
    replication_close(fixture->replication);
    fixture->replication = NULL;
}

static void reopen(struct fixture *fixture)
{
    struct error error = {0};
    if (!open_node(fixture, &error))
        fail_msg("%s", error.text);
}

static void wait_done(struct fixture *fixture)
{
    uint64_t deadline = monotime_now_ms() + 5000;
    while (!fixture->done && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_true(fixture->done);
    fixture->done = false;
}

static void submit(struct fixture *fixture)
{
    struct change_set changes = {0};
    struct uuid object = uuid_random(), none = {0};
    struct submit_options options = {.author = "ann", .via = "cli"};
    assert_true(change_set_add(&changes, &object, &none, 5, FACET_LIFE,
                               (struct bytes){(const uint8_t *)"\1", 1}));
    replication_submit(fixture->replication, &changes, &options, on_submitted, fixture);
    change_set_free(&changes);
    wait_done(fixture);
}

/* A node with some changes, closed. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char code[RECOVERY_CODE_SIZE];
    snprintf(fixture->directory, sizeof(fixture->directory), "%s", "/tmp/lbnode-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->loop = loop_new();
    reopen(fixture);
    assert_true(replication_init(fixture->replication, "test", code, on_done, fixture, NULL));
    wait_done(fixture);
    for (int i = 0; i < CHANGES; i++)
        submit(fixture);
    close_node(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    replication_close(fixture->replication);
    loop_free(fixture->loop);
    snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static int open_store_file(struct fixture *fixture)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/config.mdb", fixture->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static unsigned count_quarantines(struct fixture *fixture)
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
    struct fixture *fixture = *state;
    uint8_t nothing[2 * 4096] = {0};
    int fd = open_store_file(fixture);
    assert_int_equal(pwrite(fd, nothing, sizeof(nothing), 0), sizeof(nothing));
    close(fd);
    reopen(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_non_null(strstr(fixture->last_text, "31 of 31 changes"));
    assert_int_equal(count_quarantines(fixture), 1);
    assert_true(replication_is_initialised(fixture->replication));
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
    submit(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
}

static void cut_off(struct fixture *fixture)
{
    int fd = open_store_file(fixture);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
}

/* A slow machine may have made one while the fixture wrote; the next is due in an hour. */
static void forget_copy(struct fixture *fixture)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/config.mdb.copy", fixture->directory);
    unlink(path);
}

static void a_store_that_cannot_be_read_at_all_comes_back_from_its_copy(void **state)
{
    struct fixture *fixture = *state;
    forget_copy(fixture);
    reopen(fixture); /* copies what the fixture wrote */
    close_node(fixture);
    cut_off(fixture);
    reopen(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
}

static void without_a_copy_it_leaves_an_empty_node(void **state)
{
    struct fixture *fixture = *state;
    forget_copy(fixture);
    cut_off(fixture);
    reopen(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_non_null(strstr(fixture->last_text, "join again"));
    assert_false(replication_is_initialised(fixture->replication));
}

/* As after a crash between the last two renames. */
static void a_salvage_that_was_complete_is_taken_up(void **state)
{
    struct fixture *fixture = *state;
    char from[128], to[128];
    snprintf(from, sizeof(from), "%s/config.mdb", fixture->directory);
    snprintf(to, sizeof(to), "%s/config.mdb.salvaged", fixture->directory);
    assert_int_equal(rename(from, to), 0);
    reopen(fixture);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
}

static void a_store_of_another_node_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    char path[128];
    snprintf(path, sizeof(path), "%s/node.key", fixture->directory);
    assert_int_equal(unlink(path), 0);
    assert_false(open_node(fixture, &error));
    assert_int_equal(error.kind, ERROR_REFUSED);
    assert_non_null(strstr(error.text, "another node"));
    assert_int_equal(count_quarantines(fixture), 0);
}

static void a_full_disk_refuses_changes_but_not_the_start(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, none = {0};
    getrlimit(RLIMIT_FSIZE, &before);
    none.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    reopen(fixture);
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
    struct fixture *fixture = *state;
    static char content[1 << 20];
    static const char totals[] = "totals";
    reopen(fixture);
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

struct backup {
    struct wire_writer content;
    struct bytes genesis, records[CHANGES + 8];
    size_t count;
};

static void make_backup(struct fixture *fixture, struct backup *out)
{
    struct wire_writer have = {0};
    struct error error = {0};
    struct wire_field field;
    bool more = true;
    while (more) {
        struct wire_writer next = {0};
        if (!replication_backup_page(fixture->replication, wire_written(&have), &out->content,
                                     &next, &more, &error))
            fail_msg("%s", error.text);
        wire_writer_free(&have);
        have = next;
    }
    wire_writer_free(&have);
    struct wire_reader reader = wire_reader_of(wire_written(&out->content));
    while (wire_next(&reader, &field)) {
        if (field.number == 2)
            out->genesis = field.bytes;
        if (field.number == 7)
            out->records[out->count++] = field.bytes;
    }
    assert_true(wire_ended(&reader));
}

struct restored {
    struct fixture *fixture;
    struct restore_result result;
};

static void on_restored(void *context, const struct restore_result *result)
{
    struct restored *restored = context;
    restored->result = *result;
    restored->fixture->done = true;
}

static struct restore_result restore(struct fixture *fixture, const struct backup *backup)
{
    struct restored restored = {.fixture = fixture};
    replication_restore(fixture->replication, backup->genesis, backup->records, backup->count,
                        on_restored, &restored);
    wait_done(fixture);
    return restored.result;
}

static void a_backup_brings_a_lost_store_back(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    char path[128];
    reopen(fixture);
    make_backup(fixture, &backup);
    assert_int_equal(backup.count, CHANGES + 1);
    close_node(fixture);
    snprintf(path, sizeof(path), "%s/config.mdb", fixture->directory);
    assert_int_equal(unlink(path), 0);
    reopen(fixture);
    assert_false(replication_is_initialised(fixture->replication));
    struct restore_result result = restore(fixture, &backup);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, CHANGES + 1);
    close_node(fixture);
    reopen(fixture);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 1);
    wire_writer_free(&backup.content);
}

static void restoring_rolls_nothing_back(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    reopen(fixture);
    make_backup(fixture, &backup);
    submit(fixture);
    struct restore_result result = restore(fixture, &backup);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, 0);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 2);
    wire_writer_free(&backup.content);
}

static void a_backup_with_a_forged_record_brings_the_rest(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    char path[128];
    reopen(fixture);
    make_backup(fixture, &backup);
    close_node(fixture);
    uint8_t *last = (uint8_t *)(uintptr_t)backup.records[CHANGES].data;
    last[backup.records[CHANGES].size - 1] ^= 1;
    snprintf(path, sizeof(path), "%s/config.mdb", fixture->directory);
    assert_int_equal(unlink(path), 0);
    reopen(fixture);
    assert_int_equal(restore(fixture, &backup).merged, CHANGES);
    wire_writer_free(&backup.content);
}

static void remove_file(struct fixture *fixture, const char *name)
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
    struct fixture *fixture = *state;
    struct backup backup = {0};
    struct refound_result result = {0};
    struct error error = {0};
    reopen(fixture);
    make_backup(fixture, &backup);
    const struct uuid old_id = *replication_cluster_id(fixture->replication);
    assert_false(replication_refound_gather(fixture->replication, true, backup.genesis, NULL, 0,
                                            &error));
    close_node(fixture);
    remove_file(fixture, "config.mdb");
    remove_file(fixture, "node.key");
    reopen(fixture);
    assert_true(replication_refound_gather(fixture->replication, true, backup.genesis,
                                           backup.records, 10, &error));
    assert_true(replication_refound_gather(fixture->replication, false, backup.genesis,
                                           backup.records + 10, backup.count - 10, &error));
    assert_true(
        replication_refound(fixture->replication, "anew", &result, on_done, fixture, &error));
    wait_done(fixture);
    assert_int_equal(result.applied, CHANGES + 1);
    assert_int_equal(result.objects, CHANGES + 1);
    close_node(fixture);
    reopen(fixture);
    struct seen seen = {0};
    replication_visit_facets(fixture->replication, count_life, &seen);
    assert_int_equal(seen.members, CHANGES);
    assert_int_equal(seen.groups, 1);
    assert_int_equal(seen.nodes, 1);
    assert_string_equal(replication_cluster_name(fixture->replication), "anew");
    assert_false(uuid_equal(replication_cluster_id(fixture->replication), &old_id));
    assert_int_equal(restore(fixture, &backup).error.kind, ERROR_CONFLICT);
    submit(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
    assert_int_equal(fixture->result.peers, 0);
    wire_writer_free(&backup.content);
}

static void something_that_is_no_backup_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {.genesis = {(const uint8_t *)"nothing", 7}};
    reopen(fixture);
    assert_int_equal(restore(fixture, &backup).error.kind, ERROR_INVALID);
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
        WITH_NODE(something_that_is_no_backup_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

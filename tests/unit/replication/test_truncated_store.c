/* A real store whose log has been truncated: whatever is made of it has the same state. */
#include "replication/database.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"
#include "tests/unit/replication/store_node.h"

#include "lbnode/base/monotime.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    CHANGES = 20
};

static uint8_t state_hash[HASH_SIZE]; /* of the running node, when its log was truncated */
static const struct uuid object = {{0x0b}}, gone = {{0x0c}};

static void set(struct store_node *fixture, struct uuid id, uint16_t facet, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid none = {0};
    const struct submit_options options = {.author = "ann", .via = "cli"};
    const uint8_t alive = 1;
    if (facet != FACET_LIFE)
        change_set_add(&changes, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    change_set_add(&changes, &id, &none, 5, facet, (struct bytes){&value, 1});
    replication_submit(fixture->replication, &changes, &options, store_node_on_submitted,
                       fixture);
    change_set_free(&changes);
    store_node_wait(fixture);
    assert_int_equal(fixture->result.error.kind, ERROR_NONE);
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    ++*(size_t *)context;
    return true;
}

static size_t log_rows(const struct store_node *fixture)
{
    size_t count = 0;
    store_walk(fixture->replication->store, STORE_LOG, (struct bytes){0}, count_row, &count);
    return count;
}

static void wait_for_rows(struct store_node *fixture, size_t count)
{
    uint64_t deadline = monotime_now_ms() + 10000;
    while (log_rows(fixture) != count && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_int_equal(log_rows(fixture), count);
}

/* A running node with few records left of many. */
static int set_up(void **state)
{
    struct store_node *fixture = store_node_new();
    set(fixture, gone, 10, 1);
    set(fixture, gone, FACET_LIFE, 0);
    for (uint8_t i = 0; i < CHANGES; i++)
        set(fixture, object, 10 + i % 2, i);
    store_node_close(fixture);
    unlink(fixture->copy); /* the next one is of the truncated log */
    fixture->retention.keep_ms = 1;
    store_node_open(fixture);
    wait_for_rows(fixture, 3); /* the roster, and a value for each of two facets */
    replication_state_hash(fixture->replication, state_hash);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    store_node_free(*state);
    return 0;
}

static void assert_same_state(struct store_node *fixture)
{
    uint8_t hash[HASH_SIZE];
    assert_int_equal(replication_position(fixture->replication), CHANGES + 3);
    replication_state_hash(fixture->replication, hash);
    assert_memory_equal(hash, state_hash, HASH_SIZE);
    set(fixture, object, 12, 1);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 4);
}

static void a_restart_has_the_same_state(void **state)
{
    struct store_node *fixture = *state;
    store_node_close(fixture);
    store_node_open(fixture);
    assert_same_state(fixture);
}

static void it_verifies_and_is_rebuilt(void **state)
{
    struct store_node *fixture = *state;
    struct database_report report;
    struct error error = {0};
    char expected[2 * HASH_SIZE + 1];
    store_node_close(fixture);
    bytes_to_hex((struct bytes){state_hash, HASH_SIZE}, expected);
    assert_true(database_verify(fixture->directory, &report, &error));
    assert_int_equal(report.bad, 0);
    assert_int_equal(report.applied, 3);
    assert_string_equal(report.state_hash, expected);
    assert_true(database_rebuild(fixture->directory, &report, &error));
    assert_int_equal(report.bad, 0);
    assert_true(database_verify(fixture->directory, &report, &error));
    assert_int_equal(report.bad, 0);
    store_node_open(fixture);
    assert_same_state(fixture);
}

struct taking {
    uint8_t key[64];
    size_t size;
};

static bool take_key(void *context, struct bytes key, struct bytes value)
{
    struct taking *taking = context;
    memcpy(taking->key, key.data, taking->size = key.size);
    return true;
}

/* As a defect of lbnode would: with right checksums and totals. */
static void lose_last_record(struct store_node *fixture)
{
    struct taking taking = {0};
    struct store_batch batch = {0};
    struct store *store = store_lmdb_open(fixture->path, 1 << 20, NULL);
    store_walk(store, STORE_LOG, (struct bytes){0}, take_key, &taking);
    store_batch_remove(&batch, STORE_LOG, (struct bytes){taking.key, taking.size});
    assert_int_equal(store_commit(store, &batch), 0);
    store_batch_free(&batch);
    store_close(store);
}

static void a_record_that_is_missing_is_reported(void **state)
{
    struct store_node *fixture = *state;
    struct database_report report;
    struct error error = {0};
    store_node_close(fixture);
    lose_last_record(fixture);
    assert_true(database_verify(fixture->directory, &report, &error));
    assert_true(report.bad > 0);
}

/* The copy is a moment old, and the file itself has nothing left. */
static void it_comes_back_from_its_copy(void **state)
{
    struct store_node *fixture = *state;
    store_node_close(fixture);
    unlink(fixture->copy);
    store_node_open(fixture);
    uint64_t deadline = monotime_now_ms() + 5000;
    while (access(fixture->copy, F_OK) != 0 && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    store_node_close(fixture);
    int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    store_node_open(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_same_state(fixture);
}

/* ---- backups ---------------------------------------------------------------------------- */

static void start_empty(struct store_node *fixture)
{
    store_node_close(fixture);
    assert_int_equal(unlink(fixture->path), 0);
    store_node_open(fixture);
    assert_false(replication_is_initialised(fixture->replication));
}

static void a_backup_gives_an_empty_node_the_state(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    store_backup_make(fixture, &backup);
    start_empty(fixture);
    struct restore_result result =
        store_backup_restore(fixture, &backup, 0, 2); /* in two requests */
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_false(replication_is_initialised(fixture->replication));
    result = store_backup_restore(fixture, &backup, 2, backup.count - 2);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, 3);
    assert_same_state(fixture);
    store_node_close(fixture);
    store_node_open(fixture);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 4);
    wire_writer_free(&backup.content);
}

static void a_backup_with_a_forged_part_is_refused(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    store_backup_make(fixture, &backup);
    start_empty(fixture);
    struct bytes last = backup.items[backup.count - 2];
    ((uint8_t *)(uintptr_t)last.data)[last.size - 20] ^= 1;
    assert_int_not_equal(store_backup_restore(fixture, &backup, 0, backup.count).error.kind,
                         ERROR_NONE);
    assert_false(replication_is_initialised(fixture->replication));
    wire_writer_free(&backup.content);
}

static void merging_it_rolls_nothing_back(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    store_backup_make(fixture, &backup);
    set(fixture, object, 10, 99);
    struct restore_result result = store_backup_restore(fixture, &backup, 0, backup.count);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, 0);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 4);
    wire_writer_free(&backup.content);
}

static void a_new_cluster_starts_from_it(void **state)
{
    struct store_node *fixture = *state;
    struct store_backup backup = {0};
    struct refound_result result = {0};
    struct error error = {0};
    store_backup_make(fixture, &backup);
    start_empty(fixture);
    assert_true(replication_refound_gather(fixture->replication, true, backup.genesis,
                                           backup.items, backup.count, &error));
    assert_true(replication_refound(fixture->replication, NULL, &result, store_node_on_done,
                                    fixture, &error));
    store_node_wait(fixture);
    const struct object *copied =
        facet_object(core_facets(fixture->replication->core), &object);
    assert_int_equal(facet_of(copied, 11)->entries[0].value[0], CHANGES - 1);
    assert_null(facet_object(core_facets(fixture->replication->core), &gone));
    wire_writer_free(&backup.content);
}

int main(void)
{
#define WITH_NODE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_NODE(a_restart_has_the_same_state),
        WITH_NODE(it_verifies_and_is_rebuilt),
        WITH_NODE(a_record_that_is_missing_is_reported),
        WITH_NODE(it_comes_back_from_its_copy),
        WITH_NODE(a_backup_gives_an_empty_node_the_state),
        WITH_NODE(a_backup_with_a_forged_part_is_refused),
        WITH_NODE(merging_it_rolls_nothing_back),
        WITH_NODE(a_new_cluster_starts_from_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

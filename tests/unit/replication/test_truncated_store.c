/* A real store whose log has been truncated: whatever is made of it has the same state. */
#include "replication/database.h"
#include "replication/replication_internal.h"
#include "tests/support/test.h"

#include "lbnode/base/monotime.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHANGES = 20
};

static const struct uuid object = {{0x0b}}, gone = {{0x0c}};

struct fixture {
    char directory[64], path[96], copy[96];
    struct loop *loop;
    struct replication *replication;
    struct retention retention;
    bool done;
    unsigned events[EVENT_CODE_COUNT];
    uint8_t hash[HASH_SIZE];
};

static void on_event(void *context, enum event_code code, const char *text)
{
    ((struct fixture *)context)->events[code]++;
}

static void on_done(void *context, const struct error *error)
{
    assert_int_equal(error->kind, ERROR_NONE);
    ((struct fixture *)context)->done = true;
}

static void on_submitted(void *context, const struct submit_result *result)
{
    on_done(context, &result->error);
}

static void open_node(struct fixture *fixture)
{
    struct replication_settings settings = {
        .state_dir = fixture->directory, .node_name = "lb1", .retention = fixture->retention};
    struct replication_handler handler = {.event = on_event, .context = fixture};
    struct error error = {0};
    ip_endpoint_parse("127.0.0.1:0", 0, &settings.listen);
    text_list_add(&settings.addresses, "127.0.0.1:7850", 14);
    fixture->replication = replication_open(fixture->loop, &settings, &handler, &error);
    text_list_free(&settings.addresses);
    if (!fixture->replication)
        fail_msg("%s", error.text);
    assert_int_equal(replication_start(fixture->replication, &error), 0);
}

static void close_node(struct fixture *fixture)
{
    replication_close(fixture->replication);
    fixture->replication = NULL;
}

static void wait_done(struct fixture *fixture)
{
    uint64_t deadline = monotime_now_ms() + 5000;
    while (!fixture->done && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_true(fixture->done);
    fixture->done = false;
}

static void set(struct fixture *fixture, struct uuid id, uint16_t facet, uint8_t value)
{
    struct change_set changes = {0};
    const struct uuid none = {0};
    const struct submit_options options = {.author = "ann", .via = "cli"};
    const uint8_t alive = 1;
    if (facet != FACET_LIFE)
        change_set_add(&changes, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    change_set_add(&changes, &id, &none, 5, facet, (struct bytes){&value, 1});
    replication_submit(fixture->replication, &changes, &options, on_submitted, fixture);
    change_set_free(&changes);
    wait_done(fixture);
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    ++*(size_t *)context;
    return true;
}

static size_t log_rows(const struct fixture *fixture)
{
    size_t count = 0;
    store_walk(fixture->replication->store, STORE_LOG, (struct bytes){0}, count_row, &count);
    return count;
}

static void wait_for_rows(struct fixture *fixture, size_t count)
{
    uint64_t deadline = monotime_now_ms() + 10000;
    while (log_rows(fixture) != count && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    assert_int_equal(log_rows(fixture), count);
}

/* A running node with few records left of many. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char code[RECOVERY_CODE_SIZE];
    snprintf(fixture->directory, sizeof(fixture->directory), "%s", "/tmp/lbnode-trunc-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/config.mdb", fixture->directory);
    snprintf(fixture->copy, sizeof(fixture->copy), "%s/config.mdb.copy", fixture->directory);
    fixture->loop = loop_new();
    open_node(fixture);
    assert_true(replication_init(fixture->replication, "test", code, on_done, fixture, NULL));
    wait_done(fixture);
    set(fixture, gone, 10, 1);
    set(fixture, gone, FACET_LIFE, 0);
    for (uint8_t i = 0; i < CHANGES; i++)
        set(fixture, object, 10 + i % 2, i);
    close_node(fixture);
    unlink(fixture->copy); /* the next one is of the truncated log */
    fixture->retention.keep_ms = 1;
    open_node(fixture);
    wait_for_rows(fixture, 3); /* the roster, and a value for each of two facets */
    replication_state_hash(fixture->replication, fixture->hash);
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

static void assert_same_state(struct fixture *fixture)
{
    uint8_t hash[HASH_SIZE];
    assert_int_equal(replication_position(fixture->replication), CHANGES + 3);
    replication_state_hash(fixture->replication, hash);
    assert_memory_equal(hash, fixture->hash, HASH_SIZE);
    set(fixture, object, 12, 1);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 4);
}

static void a_restart_has_the_same_state(void **state)
{
    struct fixture *fixture = *state;
    close_node(fixture);
    open_node(fixture);
    assert_same_state(fixture);
}

static void it_verifies_and_is_rebuilt(void **state)
{
    struct fixture *fixture = *state;
    struct database_report report;
    struct error error = {0};
    char expected[2 * HASH_SIZE + 1];
    close_node(fixture);
    bytes_to_hex((struct bytes){fixture->hash, HASH_SIZE}, expected);
    assert_true(database_verify(fixture->directory, &report, &error));
    assert_int_equal(report.bad, 0);
    assert_int_equal(report.applied, 3);
    assert_string_equal(report.state_hash, expected);
    assert_true(database_rebuild(fixture->directory, &report, &error));
    assert_int_equal(report.bad, 0);
    assert_true(database_verify(fixture->directory, &report, &error));
    assert_int_equal(report.bad, 0);
    open_node(fixture);
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
static void lose_last_record(struct fixture *fixture)
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
    struct fixture *fixture = *state;
    struct database_report report;
    struct error error = {0};
    close_node(fixture);
    lose_last_record(fixture);
    assert_true(database_verify(fixture->directory, &report, &error));
    assert_true(report.bad > 0);
}

/* The copy is a moment old, and the file itself has nothing left. */
static void it_comes_back_from_its_copy(void **state)
{
    struct fixture *fixture = *state;
    close_node(fixture);
    unlink(fixture->copy);
    open_node(fixture);
    uint64_t deadline = monotime_now_ms() + 5000;
    while (access(fixture->copy, F_OK) != 0 && monotime_now_ms() < deadline)
        loop_turn(fixture->loop, true);
    close_node(fixture);
    int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
    open_node(fixture);
    assert_int_equal(fixture->events[EVENT_STORAGE_QUARANTINED], 1);
    assert_same_state(fixture);
}

/* ---- backups ---------------------------------------------------------------------------- */

struct backup {
    struct wire_writer content;
    struct bytes genesis, items[64];
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
        loop_turn(fixture->loop, false);
    }
    wire_writer_free(&have);
    struct wire_reader reader = wire_reader_of(wire_written(&out->content));
    while (wire_next(&reader, &field)) {
        if (field.number == 2)
            out->genesis = field.bytes;
        if (field.number == 7)
            out->items[out->count++] = field.bytes;
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

static struct restore_result
restore(struct fixture *fixture, const struct backup *backup, size_t from, size_t count)
{
    struct restored restored = {.fixture = fixture};
    replication_restore(fixture->replication, backup->genesis, backup->items + from, count,
                        on_restored, &restored);
    wait_done(fixture);
    return restored.result;
}

static void start_empty(struct fixture *fixture)
{
    close_node(fixture);
    assert_int_equal(unlink(fixture->path), 0);
    open_node(fixture);
    assert_false(replication_is_initialised(fixture->replication));
}

static void a_backup_gives_an_empty_node_the_state(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    make_backup(fixture, &backup);
    start_empty(fixture);
    struct restore_result result = restore(fixture, &backup, 0, 2); /* in two requests */
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_false(replication_is_initialised(fixture->replication));
    result = restore(fixture, &backup, 2, backup.count - 2);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, 3);
    assert_same_state(fixture);
    close_node(fixture);
    open_node(fixture);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 4);
    wire_writer_free(&backup.content);
}

static void a_backup_with_a_forged_part_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    make_backup(fixture, &backup);
    start_empty(fixture);
    struct bytes last = backup.items[backup.count - 2];
    ((uint8_t *)(uintptr_t)last.data)[last.size - 20] ^= 1;
    assert_int_not_equal(restore(fixture, &backup, 0, backup.count).error.kind, ERROR_NONE);
    assert_false(replication_is_initialised(fixture->replication));
    wire_writer_free(&backup.content);
}

static void merging_it_rolls_nothing_back(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    make_backup(fixture, &backup);
    set(fixture, object, 10, 99);
    struct restore_result result = restore(fixture, &backup, 0, backup.count);
    assert_int_equal(result.error.kind, ERROR_NONE);
    assert_int_equal(result.merged, 0);
    assert_int_equal(replication_position(fixture->replication), CHANGES + 4);
    wire_writer_free(&backup.content);
}

static void a_new_cluster_starts_from_it(void **state)
{
    struct fixture *fixture = *state;
    struct backup backup = {0};
    struct refound_result result = {0};
    struct error error = {0};
    make_backup(fixture, &backup);
    start_empty(fixture);
    assert_true(replication_refound_gather(fixture->replication, true, backup.genesis,
                                           backup.items, backup.count, &error));
    assert_true(
        replication_refound(fixture->replication, NULL, &result, on_done, fixture, &error));
    wait_done(fixture);
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

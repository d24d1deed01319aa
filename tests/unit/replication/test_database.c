#include "replication/database.h"
#include "replication/replication.h"
#include "replication/store.h"
#include "tests/support/test.h"

#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char directory[64], path[96];
    bool done;
};

struct row {
    uint8_t key[STORE_KEY_MAXIMUM], value[4096];
    size_t key_size, value_size;
};

static void on_done(void *context, const struct error *error)
{
    struct fixture *fixture = context;
    assert_int_equal(error->kind, ERROR_NONE);
    fixture->done = true;
}

/* A node that started a cluster, and stopped. */
static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct replication_settings settings = {.node_name = "lb1"};
    struct replication_handler handler = {0};
    char code[RECOVERY_CODE_SIZE];
    snprintf(fixture->directory, sizeof(fixture->directory), "%s",
             "/tmp/lbnode-database-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/config.mdb", fixture->directory);
    settings.state_dir = fixture->directory;
    text_list_add(&settings.addresses, "127.0.0.1:7850", 14);
    struct loop *loop = loop_new();
    struct replication *replication = replication_open(loop, &settings, &handler, NULL);
    assert_true(replication_init(replication, "test", code, on_done, fixture, NULL));
    uint64_t deadline = monotime_now_ms() + 5000;
    while (!fixture->done && monotime_now_ms() < deadline)
        loop_turn(loop, true);
    assert_true(fixture->done);
    replication_close(replication);
    loop_free(loop);
    text_list_free(&settings.addresses);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static bool take_first(void *context, struct bytes key, struct bytes value)
{
    struct row *row = context;
    assert_true(value.size <= sizeof(row->value));
    memcpy(row->key, key.data, row->key_size = key.size);
    memcpy(row->value, value.data, row->value_size = value.size);
    return false;
}

/* As a defect of lbnode would: with a right checksum. */
static void change_first_row(struct fixture *fixture, enum store_table table, bool remove)
{
    struct row row = {0};
    struct store_batch batch = {0};
    struct store *store = store_lmdb_open(fixture->path, 1 << 20, NULL);
    assert_int_equal(store_walk(store, table, (struct bytes){0}, take_first, &row), 0);
    row.value[row.value_size - 1] ^= 1;
    struct bytes key = {row.key, row.key_size};
    if (remove)
        store_batch_remove(&batch, table, key);
    else
        store_batch_put(&batch, table, key, (struct bytes){row.value, row.value_size});
    assert_int_equal(store_commit(store, &batch), 0);
    store_batch_free(&batch);
    store_close(store);
}

static struct database_report verify(struct fixture *fixture)
{
    struct database_report report;
    struct error error = {0};
    if (!database_verify(fixture->directory, &report, &error))
        fail_msg("%s", error.text);
    return report;
}

static void a_good_store_verifies(void **state)
{
    struct database_report report = verify(*state);
    assert_int_equal(report.records, 1);
    assert_int_equal(report.applied, 1);
    assert_true(report.rows > 5);
    assert_int_equal(report.bad, 0);
    assert_int_equal(strlen(report.state_hash), 64);
}

static void a_signature_that_does_not_verify_is_reported(void **state)
{
    struct fixture *fixture = *state;
    change_first_row(fixture, STORE_LOG, false);
    struct database_report report = verify(fixture);
    assert_true(report.bad > 0);
    assert_int_equal(report.applied, 0);
}

static void a_facet_that_is_missing_is_reported_and_made_anew(void **state)
{
    struct fixture *fixture = *state;
    struct database_report report;
    struct error error = {0};
    change_first_row(fixture, STORE_FACET, true);
    report = verify(fixture);
    assert_true(report.bad > 0);
    assert_non_null(strstr(report.first_bad, "is in the log alone"));
    assert_true(database_rebuild(fixture->directory, &report, &error));
    assert_int_equal(verify(fixture).bad, 0);
}

static void a_damaged_store_is_not_verified_but_rebuilt(void **state)
{
    struct fixture *fixture = *state;
    struct database_report report;
    struct error error = {0};
    uint8_t nothing[4096] = {0};
    int fd = open(fixture->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, nothing, sizeof(nothing), 0), sizeof(nothing));
    close(fd);
    assert_false(database_verify(fixture->directory, &report, &error));
    assert_int_equal(error.kind, ERROR_INVALID);
    assert_true(database_rebuild(fixture->directory, &report, &error));
    assert_non_null(strstr(report.first_bad, "1 of 1 changes"));
    assert_int_equal(verify(fixture).bad, 0);
}

static void where_no_node_is_nothing_is_made(void **state)
{
    struct database_report report;
    struct error error = {0};
    assert_false(database_verify("/nonexistent", &report, &error));
    assert_int_equal(error.kind, ERROR_NOT_FOUND);
}

int main(void)
{
#define WITH_NODE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_NODE(a_good_store_verifies),
        WITH_NODE(a_signature_that_does_not_verify_is_reported),
        WITH_NODE(a_facet_that_is_missing_is_reported_and_made_anew),
        WITH_NODE(a_damaged_store_is_not_verified_but_rebuilt),
        cmocka_unit_test(where_no_node_is_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "replication/store.h"
#include "tests/support/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char directory[64], path[96];
    struct store *store;
};

static const size_t small_map = 128 << 10;

static struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void open_store(struct fixture *fixture)
{
    struct error error = {0};
    fixture->store = store_lmdb_open(fixture->path, small_map, &error);
    if (!fixture->store)
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s", "/tmp/lbnode-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/config.mdb", fixture->directory);
    open_store(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[96];
    store_close(fixture->store);
    snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static int put_one(struct store *store, const char *key, struct bytes value)
{
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_META, text_bytes(key), value);
    int result = store_commit(store, &batch);
    store_batch_free(&batch);
    return result;
}

static int get_one(struct store *store, const char *key, char out[64])
{
    struct wire_writer value = {0};
    int result = store_get(store, STORE_META, text_bytes(key), &value);
    snprintf(out, 64, "%.*s", (int)value.size, value.data ? (const char *)value.data : "");
    wire_writer_free(&value);
    return result;
}

static bool collect(void *context, struct bytes key, struct bytes value)
{
    strncat(context, (const char *)key.data, key.size);
    return true;
}

/* What both stores promise. */
static void check_promises(struct store *store)
{
    char value[64], keys[64] = "";
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_META, text_bytes("b"), text_bytes("two"));
    store_batch_put(&batch, STORE_META, text_bytes("a"), text_bytes("one"));
    store_batch_put(&batch, STORE_LOG, text_bytes("a"), text_bytes("elsewhere"));
    store_batch_put(&batch, STORE_META, text_bytes("c"), text_bytes(""));
    store_batch_put(&batch, STORE_META, text_bytes("d"), text_bytes("gone"));
    store_batch_remove(&batch, STORE_META, text_bytes("d"));
    store_batch_remove(&batch, STORE_META, text_bytes("never there"));
    assert_int_equal(store_commit(store, &batch), 0);
    store_batch_free(&batch);
    assert_int_equal(get_one(store, "a", value), 0);
    assert_string_equal(value, "one");
    assert_int_equal(get_one(store, "c", value), 0);
    assert_string_equal(value, "");
    assert_int_equal(get_one(store, "d", value), -ENOENT);
    assert_int_equal(store_walk(store, STORE_META, (struct bytes){0}, collect, keys), 0);
    assert_string_equal(keys, "abc");
    keys[0] = 0;
    assert_int_equal(store_walk(store, STORE_META, text_bytes("b"), collect, keys), 0);
    assert_string_equal(keys, "bc");
}

static void the_store_in_memory_keeps_the_promises(void **state)
{
    struct store *store = store_mem_open();
    check_promises(store);
    store_close(store);
}

static void the_store_on_disk_keeps_the_promises(void **state)
{
    struct fixture *fixture = *state;
    check_promises(fixture->store);
}

static void a_failing_store_changes_nothing(void **state)
{
    struct store *store = store_mem_open();
    char value[64];
    store_mem_fail(store, ENOSPC);
    assert_int_equal(put_one(store, "a", text_bytes("x")), -ENOSPC);
    store_mem_fail(store, 0);
    assert_int_equal(get_one(store, "a", value), -ENOENT);
    store_close(store);
}

static void what_was_committed_is_there_after_reopening(void **state)
{
    struct fixture *fixture = *state;
    char value[64];
    assert_int_equal(put_one(fixture->store, "a", text_bytes("kept")), 0);
    store_close(fixture->store);
    open_store(fixture);
    assert_int_equal(get_one(fixture->store, "a", value), 0);
    assert_string_equal(value, "kept");
}

static void a_full_map_grows_and_the_batch_is_done_again(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t large[4096];
    char key[16], value[64];
    for (int i = 0; i < 300; i++) { /* 1.2 MB into a map of 128 KiB */
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(put_one(fixture->store, key, (struct bytes){large, sizeof(large)}), 0);
    }
    assert_int_equal(get_one(fixture->store, "k0", value), 0);
    assert_int_equal(get_one(fixture->store, "k299", value), 0);
}

static void a_place_that_cannot_be_opened_gives_a_sentence(void **state)
{
    struct error error = {0};
    assert_null(store_lmdb_open("/nonexistent/config.mdb", small_map, &error));
    assert_int_equal(error.kind, ERROR_REFUSED);
    assert_non_null(strstr(error.text, "/nonexistent/config.mdb"));
}

int main(void)
{
#define ON_DISK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_in_memory_keeps_the_promises),
        cmocka_unit_test(a_failing_store_changes_nothing),
        ON_DISK(the_store_on_disk_keeps_the_promises),
        ON_DISK(what_was_committed_is_there_after_reopening),
        ON_DISK(a_full_map_grows_and_the_batch_is_done_again),
        cmocka_unit_test(a_place_that_cannot_be_opened_gives_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

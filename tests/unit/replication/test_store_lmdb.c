#include "replication/store.h"
#include "replication/store_pages.h"
#include "tests/support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MIB = 1 << 20
};

struct fixture {
    char directory[64], path[96];
    struct store *store;
};

static void open_store(struct fixture *fixture, size_t map_size)
{
    struct error error = {0};
    fixture->store = store_lmdb_open(fixture->path, map_size, &error);
    if (!fixture->store)
        fail_msg("%s", error.text);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    snprintf(fixture->directory, sizeof(fixture->directory), "%s", "/tmp/lbnode-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/config.mdb", fixture->directory);
    open_store(fixture, MIB);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    store_close(fixture->store);
    snprintf(command, sizeof(command), "rm -r %s", fixture->directory);
    assert_int_equal(system(command), 0);
    free(fixture);
    return 0;
}

static struct bytes text(const char *value)
{
    return (struct bytes){(const uint8_t *)value, strlen(value)};
}

static int put_bytes(struct fixture *fixture, const char *key, struct bytes value)
{
    struct store_batch batch = {0};
    store_batch_put(&batch, STORE_LOG, text(key), value);
    int result = store_commit(fixture->store, &batch);
    store_batch_free(&batch);
    return result;
}

static int put(struct fixture *fixture, const char *key, const char *value)
{
    return put_bytes(fixture, key, text(value));
}

static void expect(struct fixture *fixture, const char *key, const char *value)
{
    struct wire_writer out = {0};
    assert_int_equal(store_get(fixture->store, STORE_LOG, text(key), &out), 0);
    assert_int_equal(out.size, strlen(value));
    assert_memory_equal(out.data, value, out.size);
    wire_writer_free(&out);
}

static size_t find(const uint8_t *data, size_t size, const char *wanted)
{
    const uint8_t *at = memmem(data, size, wanted, strlen(wanted));
    assert_non_null(at);
    return (size_t)(at - data);
}

/* Changes one bit of the first place where WANTED stands in the file. */
static void flip_bit_in(struct fixture *fixture, const char *wanted)
{
    static uint8_t data[MIB];
    int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_true(pread(fd, data, sizeof(data), 0) > 0);
    size_t at = find(data, sizeof(data), wanted);
    data[at] ^= 1;
    assert_int_equal(pwrite(fd, data + at, 1, (off_t)at), 1);
    close(fd);
}

static enum error_kind open_fails(struct fixture *fixture)
{
    struct error error = {0};
    fixture->store = store_lmdb_open(fixture->path, MIB, &error);
    assert_null(fixture->store);
    assert_true(strlen(error.text) > 10);
    return error.kind;
}

static void close_store(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

static void a_full_map_grows_and_the_batch_is_done(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *large = calloc(3, MIB);
    assert_int_equal(put(fixture, "before", "x"), 0);
    assert_int_equal(put_bytes(fixture, "large", (struct bytes){large, (size_t)3 * MIB}), 0);
    expect(fixture, "before", "x");
    free(large);
}

static void many_small_batches_outgrow_the_first_map(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t value[2000];
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%04d", i);
        assert_int_equal(put_bytes(fixture, key, (struct bytes){value, sizeof(value)}), 0);
    }
    close_store(fixture);
    open_store(fixture, MIB);
}

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static int put_many(struct fixture *fixture, unsigned count, bool clear)
{
    struct store_batch batch = {0};
    char key[16];
    uint8_t value[300] = {1};
    if (clear)
        store_batch_clear(&batch, STORE_LOG);
    for (unsigned i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key%u", i);
        store_batch_put(&batch, STORE_LOG, text(key), (struct bytes){value, sizeof(value)});
    }
    int result = store_commit(fixture->store, &batch);
    store_batch_free(&batch);
    return result;
}

static void a_large_batch_leaves_no_memory_behind(void **state)
{
    struct fixture *fixture = *state;
    size_t before = memory_in_use();
    assert_int_equal(put_many(fixture, 40000, false), 0);
    assert_in_range(memory_in_use(), 0, before + MIB);
    assert_int_equal(put(fixture, "after", "works"), 0);
    expect(fixture, "after", "works");
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    ++*(unsigned *)context;
    return true;
}

static void clearing_takes_all_rows_of_one_table(void **state)
{
    struct fixture *fixture = *state;
    unsigned count = 0;
    assert_int_equal(put_many(fixture, 1000, false), 0);
    assert_int_equal(put_many(fixture, 10, true), 0);
    store_close(fixture->store);
    open_store(fixture, MIB); /* compares the totals */
    assert_int_equal(
        store_walk(fixture->store, STORE_LOG, (struct bytes){0}, count_row, &count), 0);
    assert_int_equal(count, 10);
}

static void a_changed_value_is_an_error_and_never_read(void **state)
{
    struct fixture *fixture = *state;
    struct wire_writer out = {0};
    assert_int_equal(put(fixture, "key", "the value that rots"), 0);
    flip_bit_in(fixture, "the value that rots");
    assert_int_equal(store_get(fixture->store, STORE_LOG, text("key"), &out), -EBADMSG);
    assert_int_equal(out.size, 0);
    wire_writer_free(&out);
}

static void damage_is_found_when_the_store_is_opened(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "key", "the value that rots"), 0);
    close_store(fixture);
    flip_bit_in(fixture, "the value that rots");
    assert_int_equal(open_fails(fixture), ERROR_INVALID);
}

static void a_truncated_file_is_damage(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "key", "value"), 0);
    close_store(fixture);
    assert_int_equal(truncate(fixture->path, 3 * 4096), 0);
    assert_int_equal(open_fails(fixture), ERROR_INVALID);
}

static void a_file_of_something_else_is_damage(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    assert_int_equal(truncate(fixture->path, 0), 0);
    assert_int_equal(truncate(fixture->path, 65536), 0);
    assert_int_equal(open_fails(fixture), ERROR_INVALID);
}

/* Both meta pages name the same transaction: one of them is not what was written. */
static void meta_pages_that_contradict_each_other_are_damage(void **state)
{
    struct fixture *fixture = *state;
    uint8_t page[4096];
    assert_int_equal(put(fixture, "key", "value"), 0);
    close_store(fixture);
    int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, page, sizeof(page), 0), sizeof(page));
    assert_int_equal(pwrite(fd, page, sizeof(page), 4096), sizeof(page));
    close(fd);
    assert_int_equal(open_fails(fixture), ERROR_INVALID);
}

static void a_failed_commit_changes_nothing_and_the_next_one_works(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, small = {0};
    static uint8_t large[256 * 1024];
    assert_int_equal(put(fixture, "old", "stays"), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){64 * 1024, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int result = put_bytes(fixture, "new", (struct bytes){large, sizeof(large)});
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(result < 0);
    expect(fixture, "old", "stays");
    assert_int_equal(put(fixture, "new", "works"), 0);
    expect(fixture, "new", "works");
}

static void the_file_is_longer_than_its_content(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_true(status.st_size >= 16 * MIB);
}

static bool note_row(void *context, struct bytes key, struct bytes value)
{
    char *seen = context;
    strncat(seen, (const char *)key.data, key.size);
    strncat(seen, "=", 2);
    strncat(seen, (const char *)value.data, value.size < 8 ? value.size : 8);
    strncat(seen, " ", 2);
    return true;
}

static void scraping_finds_rows_without_the_pages_above_them(void **state)
{
    struct fixture *fixture = *state;
    char seen[512] = "", large[6000];
    uint8_t nothing[2 * 4096] = {0};
    memset(large, 'l', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(put(fixture, "key1", "small"), 0);
    assert_int_equal(put(fixture, "key2", large), 0);
    close_store(fixture);
    int fd = open(fixture->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, nothing, sizeof(nothing), 0), sizeof(nothing));
    assert_true(store_pages_scrape(fd, STORE_LOG, note_row, seen) >= 2);
    close(fd);
    assert_non_null(strstr(seen, "key1=small "));
    assert_non_null(strstr(seen, "key2=llllllll "));
}

static void scraping_leaves_damaged_rows_out(void **state)
{
    struct fixture *fixture = *state;
    char seen[512] = "";
    assert_int_equal(put(fixture, "key1", "the value that rots"), 0);
    close_store(fixture);
    flip_bit_in(fixture, "the value that rots");
    int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
    store_pages_scrape(fd, STORE_LOG, note_row, seen);
    close(fd);
    assert_string_equal(seen, "");
}

int main(void)
{
#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_full_map_grows_and_the_batch_is_done),
        WITH_STORE(many_small_batches_outgrow_the_first_map),
        WITH_STORE(a_large_batch_leaves_no_memory_behind),
        WITH_STORE(clearing_takes_all_rows_of_one_table),
        WITH_STORE(a_changed_value_is_an_error_and_never_read),
        WITH_STORE(damage_is_found_when_the_store_is_opened),
        WITH_STORE(a_truncated_file_is_damage),
        WITH_STORE(a_file_of_something_else_is_damage),
        WITH_STORE(meta_pages_that_contradict_each_other_are_damage),
        WITH_STORE(a_failed_commit_changes_nothing_and_the_next_one_works),
        WITH_STORE(the_file_is_longer_than_its_content),
        WITH_STORE(scraping_finds_rows_without_the_pages_above_them),
        WITH_STORE(scraping_leaves_damaged_rows_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/torture/torture.h"

#include "lbnode/base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FACETS = 40,       /* rows that are written over and over */
    KEPT_CHANGES = 24, /* then removed */
    LARGE_EVERY = 9,   /* a value of several pages */
    LARGE_SIZE = 9000
};

static struct bytes number_key(uint8_t out[16], uint64_t high, uint64_t low)
{
    store_be64(out, high);
    store_be64(out + 8, low);
    return (struct bytes){out, 16};
}

static void
put_random(struct store_batch *batch, enum store_table table, struct bytes key, uint64_t seed)
{
    static uint8_t value[LARGE_SIZE];
    struct random_sequence random;
    random_sequence_init(&random, seed * STORE_TABLE_COUNT + table);
    size_t size = seed % LARGE_EVERY == 0 && table == STORE_LOG
                      ? LARGE_SIZE
                      : 8 + random_sequence_next(&random) % 300;
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)random_sequence_next(&random);
    store_batch_put(batch, table, key, (struct bytes){value, size});
}

void write_model_batch(uint64_t number, struct store_batch *out)
{
    uint8_t key[16], value[8];
    put_random(out, STORE_LOG, number_key(key, 7, number), number);
    put_random(out, STORE_FACET, number_key(key, number % FACETS, 0), number);
    put_random(out, STORE_CHANGE, number_key(key, 1, number), number);
    if (number > KEPT_CHANGES)
        store_batch_remove(out, STORE_CHANGE, number_key(key, 1, number - KEPT_CHANGES));
    store_be64(value, number);
    store_batch_put(out, STORE_META, (struct bytes){(const uint8_t *)"n", 1},
                    (struct bytes){value, sizeof(value)});
}

/* ---- checking --------------------------------------------------------------------------- */

struct comparison {
    struct store *model;
    enum store_table table;
    size_t rows;
    bool different;
};

static bool compare_row(void *context, struct bytes key, struct bytes value)
{
    struct comparison *comparison = context;
    struct wire_writer expected = {0};
    comparison->rows++;
    if (store_get(comparison->model, comparison->table, key, &expected) != 0 ||
        !bytes_equal(wire_written(&expected), value))
        comparison->different = true;
    wire_writer_free(&expected);
    return true;
}

static bool count_row(void *context, struct bytes key, struct bytes value)
{
    (*(size_t *)context)++;
    return true;
}

static struct store *model_of(uint64_t batches)
{
    struct store *model = store_mem_open();
    for (uint64_t i = 1; i <= batches; i++) {
        struct store_batch batch = {0};
        write_model_batch(i, &batch);
        store_commit(model, &batch);
        store_batch_free(&batch);
    }
    return model;
}

static enum verdict compare(struct store *store, uint64_t batches)
{
    enum verdict verdict = VERDICT_RIGHT;
    struct store *model = model_of(batches);
    for (size_t i = 0; i < STORE_TABLE_COUNT && verdict == VERDICT_RIGHT; i++) {
        struct comparison comparison = {.model = model, .table = (enum store_table)i};
        size_t expected = 0;
        if (store_walk(store, comparison.table, (struct bytes){0}, compare_row, &comparison) !=
            0)
            verdict = VERDICT_ERROR;
        store_walk(model, comparison.table, (struct bytes){0}, count_row, &expected);
        if (verdict == VERDICT_RIGHT && (comparison.different || comparison.rows != expected))
            verdict = VERDICT_WRONG;
    }
    store_close(model);
    return verdict;
}

/* How many batches the store says it has; UINT64_MAX when that is an error. */
static uint64_t batches_in(struct store *store)
{
    struct wire_writer out = {0};
    uint64_t number = UINT64_MAX;
    int result = store_get(store, STORE_META, (struct bytes){(const uint8_t *)"n", 1}, &out);
    if (result == 0 && out.size == 8)
        number = load_be64(out.data);
    else if (result == -ENOENT)
        number = 0;
    wire_writer_free(&out);
    return number;
}

/* The content, then one more batch, which must not hurt it. */
static enum verdict check_store(struct store *store, uint64_t acknowledged, uint64_t maximum)
{
    struct store_batch batch = {0};
    uint64_t number = batches_in(store);
    if (number == UINT64_MAX)
        return VERDICT_ERROR;
    if (number < acknowledged || number > maximum)
        return VERDICT_WRONG;
    enum verdict verdict = compare(store, number);
    if (verdict != VERDICT_RIGHT)
        return verdict;
    write_model_batch(number + 1, &batch);
    int result = store_commit(store, &batch);
    store_batch_free(&batch);
    return result ? VERDICT_ERROR : compare(store, number + 1);
}

static enum verdict check_path(const char *path, uint64_t acknowledged, uint64_t maximum)
{
    struct error error = {0};
    struct store *store = store_lmdb_open(path, TORTURE_MAP_SIZE, &error);
    if (!store)
        return VERDICT_ERROR;
    enum verdict verdict = check_store(store, acknowledged, maximum);
    store_close(store);
    return verdict;
}

enum verdict torture_check(const char *path, uint64_t acknowledged, uint64_t maximum)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        const struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        if (!freopen("/dev/null", "w", stderr))
            abort();
        _exit((int)check_path(path, acknowledged, maximum));
    }
    if (waitpid(child, &status, 0) != child)
        abort();
    return WIFEXITED(status) ? (enum verdict)WEXITSTATUS(status) : VERDICT_CRASH;
}

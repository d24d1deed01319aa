/* store_torture write PATH COUNT   writes batches (0: for ever); prints each number when
 * durable store_torture check PATH ACKNOWLEDGED MAXIMUM   compares; see torture_check
 * store_torture replay LOG IMAGE SAMPLES          see replay.c
 * store_torture flips GOOD IMAGE ACKNOWLEDGED COUNT SEED   see bit_flips.c */
#include "tests/torture/torture.h"

#include "lbnode/crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_REFUSED = 5
};

static uint64_t last_batch(struct store *store)
{
    struct wire_writer out = {0};
    store_get(store, STORE_META, (struct bytes){(const uint8_t *)"n", 1}, &out);
    uint64_t number = out.size == 8 ? load_be64(out.data) : 0;
    wire_writer_free(&out);
    return number;
}

/* One system call for each line, so that what is printed before a kill is whole. */
static void acknowledge(uint64_t number)
{
    char line[32];
    int size = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)number);
    if (write(STDOUT_FILENO, line, (size_t)size) != size)
        _exit(1);
}

static int write_main(int argc, char **argv)
{
    struct error error = {0};
    if (argc != 3)
        return 2;
    struct store *store = store_lmdb_open(argv[1], TORTURE_MAP_SIZE, &error);
    if (!store) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_REFUSED;
    }
    uint64_t first = last_batch(store) + 1, count = strtoull(argv[2], NULL, 10);
    /* the last one is durable, even if the run before this one died before it said so */
    if (first > 1)
        acknowledge(first - 1);
    int result = 0;
    for (uint64_t i = first; (count == 0 || i < first + count) && !result; i++) {
        struct store_batch batch = {0};
        write_model_batch(i, &batch);
        result = store_commit(store, &batch);
        store_batch_free(&batch);
        if (!result)
            acknowledge(i);
    }
    if (result)
        fprintf(stderr, "%s\n", strerror(-result));
    store_close(store);
    return result ? EXIT_REFUSED : 0;
}

static int check_main(int argc, char **argv)
{
    static const char *const names[] = {"right", "error", "crash", "wrong"};
    if (argc != 4)
        return 2;
    enum verdict verdict =
        torture_check(argv[1], strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    printf("%s\n", names[verdict]);
    return verdict == VERDICT_RIGHT ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"write", write_main},
        {"check", check_main},
        {"replay", replay_main},
        {"flips", bit_flips_main},
    };
    crypto_start();
    for (size_t i = 0; argc > 1 && i < ARRAY_LENGTH(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "store_torture write | check | replay | flips\n");
    return 2;
}

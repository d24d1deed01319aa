/* Bit rot: one bit of a good file is flipped, again and again from the good one. Either the
 * file reads as before, or an error says that it does not. */
#include "tests/torture/torture.h"

#include "lbnode/base/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE = 4096
};

struct file {
    uint8_t *data;
    size_t size, used; /* used: up to the last byte that is not zero */
};

static bool load(const char *path, struct file *out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return false;
    out->size = out->used = (size_t)status.st_size;
    out->data = malloc(out->size + 1);
    ssize_t got = out->data ? read(fd, out->data, out->size) : -1;
    close(fd);
    while (out->used > 0 && out->data && out->data[out->used - 1] == 0)
        out->used--;
    return got == status.st_size && out->used > PAGE;
}

static void save(const struct file *file, const char *path)
{
    char lock[512];
    snprintf(lock, sizeof(lock), "%s-lock", path);
    unlink(lock);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, file->data, file->used, 0) != (ssize_t)file->used ||
        ftruncate(fd, (off_t)file->size) != 0)
        abort();
    close(fd);
}

/* A quarter of them where everything else hangs on: in the two meta pages. */
static size_t choose_bit(struct random_sequence *random, const struct file *file, size_t round)
{
    const size_t meta_bytes = 2 * PAGE, header = 16 + 152;
    if (round % 4 == 0) {
        size_t byte = random_sequence_below(random, header);
        return (byte + (round % 8 == 0 ? PAGE : 0)) * 8 + random_sequence_below(random, 8);
    }
    return meta_bytes * 8 + random_sequence_below(random, (file->used - meta_bytes) * 8);
}

int bit_flips_main(int argc, char **argv)
{
    struct file file = {0};
    size_t counts[VERDICT_COUNT] = {0};
    struct random_sequence random;
    if (argc != 6 || !load(argv[1], &file)) {
        fprintf(stderr, "flips GOOD IMAGE ACKNOWLEDGED COUNT SEED\n");
        return 2;
    }
    uint64_t acknowledged = strtoull(argv[3], NULL, 10);
    size_t count = strtoull(argv[4], NULL, 10);
    random_sequence_init(&random, strtoull(argv[5], NULL, 10));
    for (size_t i = 0; i < count; i++) {
        size_t bit = choose_bit(&random, &file, i);
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        save(&file, argv[2]);
        enum verdict verdict = torture_check(argv[2], acknowledged, acknowledged);
        file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        counts[verdict]++;
        if (verdict == VERDICT_WRONG)
            printf("silently wrong: byte %zu, bit %zu\n", bit / 8, bit % 8);
    }
    printf("%zu flips: %zu harmless, %zu errors, %zu stopped the reading process, %zu silently "
           "wrong\n",
           count, counts[VERDICT_RIGHT], counts[VERDICT_ERROR], counts[VERDICT_CRASH],
           counts[VERDICT_WRONG]);
    free(file.data);
    return counts[VERDICT_WRONG] ? 1 : 0;
}

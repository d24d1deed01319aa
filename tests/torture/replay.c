/* Power cuts: what the disk may hold at each moment of a recorded run. A write that no sync
 * followed may be there, missing, or torn between two sectors, whatever came before or after
 * it. Each such file must open with every acknowledged batch. */
#include "tests/torture/torture.h"
#include "tests/torture/write_log.h"

#include "lbnode/base/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SECTOR = 512,
    PAGE = 4096,
    UNSYNCED_MAXIMUM = 4096,
    FILE_MAXIMUM = 64 << 20
};

struct entry {
    enum write_log_kind kind;
    uint64_t number;
    const uint8_t *data;
    uint64_t size;
};

struct image {
    uint8_t *data;
    size_t content, length; /* bytes that were ever written; of the file */
};

struct replay {
    const char *path; /* of the file that is checked */
    struct image disk, now, trial;
    struct entry unsynced[UNSYNCED_MAXIMUM];
    size_t unsynced_count;
    uint64_t acknowledged;
    size_t samples;
    struct random_sequence random;
    size_t entries, prefixes, reorderings, early, wrong;
};

static void image_copy(struct image *to, const struct image *from)
{
    if (to->content > from->content)
        memset(to->data + from->content, 0, to->content - from->content);
    memcpy(to->data, from->data, from->content);
    to->content = from->content;
    to->length = from->length;
}

static void image_apply(struct image *image, const struct entry *entry, uint64_t size)
{
    if (entry->kind == WRITE_LOG_LENGTH) {
        image->length = entry->number;
        return;
    }
    uint64_t end = entry->number + size;
    if (end > FILE_MAXIMUM)
        abort();
    memcpy(image->data + entry->number, entry->data, size);
    if (end > image->content)
        image->content = end;
    if (end > image->length)
        image->length = end;
}

static void image_write(const struct image *image, const char *path)
{
    char lock[512];
    snprintf(lock, sizeof(lock), "%s-lock", path);
    unlink(lock);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = image->content < image->length ? image->content : image->length;
    if (fd < 0 || pwrite(fd, image->data, size, 0) != (ssize_t)size ||
        ftruncate(fd, (off_t)image->length) != 0)
        abort();
    close(fd);
}

static void check(struct replay *replay, const struct image *image, const char *what)
{
    image_write(image, replay->path);
    enum verdict verdict =
        torture_check(replay->path, replay->acknowledged, replay->acknowledged + 1);
    if (verdict == VERDICT_RIGHT)
        return;
    if (replay->acknowledged == 0 && verdict != VERDICT_WRONG) {
        replay->early++; /* nothing was promised yet */
        return;
    }
    replay->wrong++;
    printf("entry %zu, %s: verdict %d with %llu batches acknowledged\n", replay->entries, what,
           (int)verdict, (unsigned long long)replay->acknowledged);
}

/* A part of what was not synced, in any order, the last of it perhaps torn. */
static void check_reordering(struct replay *replay)
{
    size_t order[UNSYNCED_MAXIMUM], count = replay->unsynced_count;
    image_copy(&replay->trial, &replay->disk);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    size_t taken = random_sequence_below(&replay->random, count + 1);
    for (size_t i = 0; i < taken; i++) {
        size_t other = i + random_sequence_below(&replay->random, count - i);
        size_t chosen = order[other];
        order[other] = order[i];
        const struct entry *entry = &replay->unsynced[chosen];
        uint64_t size = entry->size;
        if (i + 1 == taken && random_sequence_below(&replay->random, 2) == 0)
            size = random_sequence_below(&replay->random, size / SECTOR + 1) * SECTOR;
        image_apply(&replay->trial, entry, size);
    }
    replay->reorderings++;
    check(replay, &replay->trial, "reordered");
}

static void check_reorderings(struct replay *replay)
{
    for (size_t i = 0; i < replay->samples && replay->unsynced_count > 0; i++)
        check_reordering(replay);
}

static void step(struct replay *replay, const struct entry *entry)
{
    replay->entries++;
    switch (entry->kind) {
    case WRITE_LOG_WRITE:
    case WRITE_LOG_WRITE_SYNCED:
    case WRITE_LOG_LENGTH:
        if (replay->unsynced_count == UNSYNCED_MAXIMUM)
            abort();
        replay->unsynced[replay->unsynced_count++] = *entry;
        image_apply(&replay->now, entry, entry->size);
        replay->prefixes++;
        check(replay, &replay->now, "in order");
        break;
    case WRITE_LOG_SYNC: break;
    case WRITE_LOG_ACKNOWLEDGED: replay->acknowledged = entry->number; break;
    }
    if (entry->kind == WRITE_LOG_SYNC || entry->kind == WRITE_LOG_WRITE_SYNCED)
        check_reorderings(replay);
    if (entry->kind == WRITE_LOG_SYNC) {
        image_copy(&replay->disk, &replay->now);
        replay->unsynced_count = 0;
    } else if (entry->kind == WRITE_LOG_WRITE_SYNCED) {
        image_apply(&replay->disk, entry, entry->size);
        replay->unsynced_count--;
    }
}

static uint8_t *read_file(const char *path, size_t *out_size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        return NULL;
    uint8_t *data = malloc((size_t)status.st_size + 1);
    ssize_t got = data ? read(fd, data, (size_t)status.st_size) : -1;
    close(fd);
    *out_size = (size_t)status.st_size;
    return got == status.st_size ? data : NULL;
}

static void replay_all(struct replay *replay, const uint8_t *log, size_t size)
{
    for (size_t at = 0; at + WRITE_LOG_HEAD <= size;) {
        struct entry entry = {.kind = (enum write_log_kind)log[at]};
        memcpy(&entry.number, log + at + 1, 8);
        memcpy(&entry.size, log + at + 9, 8);
        entry.data = log + at + WRITE_LOG_HEAD;
        at += WRITE_LOG_HEAD + entry.size;
        step(replay, &entry);
    }
}

int replay_main(int argc, char **argv)
{
    size_t size = 0;
    uint8_t *log = argc == 4 ? read_file(argv[1], &size) : NULL;
    struct replay *replay = calloc(1, sizeof(*replay));
    if (!log || !replay) {
        fprintf(stderr, "replay LOG IMAGE SAMPLES\n");
        return 2;
    }
    struct image *images[] = {&replay->disk, &replay->now, &replay->trial};
    for (size_t i = 0; i < ARRAY_LENGTH(images); i++)
        images[i]->data = calloc(1, FILE_MAXIMUM);
    replay->path = argv[2];
    replay->samples = strtoull(argv[3], NULL, 10);
    random_sequence_init(&replay->random, 1);
    replay_all(replay, log, size);
    printf("%zu log entries, %llu batches: %zu prefixes, %zu reorderings, %zu before anything "
           "was acknowledged, %zu wrong\n",
           replay->entries, (unsigned long long)replay->acknowledged, replay->prefixes,
           replay->reorderings, replay->early, replay->wrong);
    bool good = replay->wrong == 0 && replay->acknowledged > 0;
    for (size_t i = 0; i < ARRAY_LENGTH(images); i++)
        free(images[i]->data);
    free(replay);
    free(log);
    return good ? 0 : 1;
}

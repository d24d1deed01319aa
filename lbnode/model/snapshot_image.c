#include "lbnode/model/snapshot_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    IMAGE_ALIGNMENT = 8
};

#define ALIGNED(size) (((size) + IMAGE_ALIGNMENT - 1) / IMAGE_ALIGNMENT * IMAGE_ALIGNMENT)

static const size_t item_sizes[ARRAY_COUNT] = {
    [ARRAY_STRINGS] = 1,
    [ARRAY_ENDPOINTS] = sizeof(struct snapshot_endpoint),
    [ARRAY_LISTENERS] = sizeof(struct snapshot_listener),
    [ARRAY_CIDRS] = sizeof(struct ip_prefix),
    [ARRAY_POOLS] = sizeof(struct snapshot_pool),
    [ARRAY_MEMBERS] = sizeof(struct snapshot_member),
    [ARRAY_MONITORS] = sizeof(struct snapshot_monitor),
    [ARRAY_SCHEDULE] = sizeof(uint16_t),
};

void *snapshot_image_add(struct snapshot_image *image, enum image_array_kind kind, size_t count)
{
    struct image_array *array = &image->arrays[kind];
    if (array->count + count > array->capacity) {
        size_t capacity = array->capacity ? array->capacity : 32;
        while (capacity < array->count + count)
            capacity *= 2;
        uint8_t *data = realloc(array->data, capacity * item_sizes[kind]);
        if (!data)
            return NULL;
        array->data = data;
        array->capacity = capacity;
    }
    void *items = array->data + array->count * item_sizes[kind];
    memset(items, 0, count * item_sizes[kind]);
    array->count += count;
    return items;
}

bool snapshot_image_add_string(struct snapshot_image *image,
                               const char *text,
                               snapshot_string *out)
{
    size_t size = strlen(text) + 1, at = image->arrays[ARRAY_STRINGS].count;
    *out = 0;
    if (size == 1)
        return true;
    char *copy = snapshot_image_add(image, ARRAY_STRINGS, size);
    if (!copy)
        return false;
    memcpy(copy, text, size);
    *out = (snapshot_string)(ALIGNED(sizeof(struct snapshot)) + at);
    return true;
}

static struct snapshot *
assemble(const struct snapshot_image *image, uint64_t generation, size_t *out_size)
{
    struct snapshot_array places[ARRAY_COUNT];
    size_t size = ALIGNED(sizeof(struct snapshot));
    for (int kind = 0; kind < ARRAY_COUNT; kind++) {
        const struct image_array *array = &image->arrays[kind];
        places[kind] = (struct snapshot_array){(uint32_t)size, (uint32_t)array->count};
        size += ALIGNED(array->count * item_sizes[kind]);
        if (size > SNAPSHOT_MAXIMUM_SIZE) {
            *out_size = size;
            return NULL;
        }
    }
    struct snapshot *whole = calloc(1, size);
    *out_size = size;
    if (!whole)
        return NULL;
    for (int kind = 0; kind < ARRAY_COUNT; kind++) {
        const struct image_array *array = &image->arrays[kind];
        if (array->count > 0)
            memcpy((char *)whole + places[kind].offset, array->data,
                   array->count * item_sizes[kind]);
    }
    *whole = (struct snapshot){
        .magic = SNAPSHOT_MAGIC,
        .layout = SNAPSHOT_LAYOUT,
        .size = (uint32_t)size,
        .generation = generation,
        .endpoints = places[ARRAY_ENDPOINTS],
        .listeners = places[ARRAY_LISTENERS],
        .cidrs = places[ARRAY_CIDRS],
        .pools = places[ARRAY_POOLS],
        .members = places[ARRAY_MEMBERS],
        .monitors = places[ARRAY_MONITORS],
        .schedule = places[ARRAY_SCHEDULE],
        .strings = places[ARRAY_STRINGS],
    };
    return whole;
}

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static int write_sealed(const struct snapshot *whole, size_t size, struct error *error)
{
    int fd = memfd_create("lbnode-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && write_all(fd, whole, size) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int problem = errno ? errno : EIO;
    if (fd >= 0)
        close(fd);
    error_set(error, ERROR_INTERNAL, "the snapshot cannot be written: %s", strerror(problem));
    return -problem;
}

int snapshot_image_seal(const struct snapshot_image *image,
                        uint64_t generation,
                        struct error *error)
{
    size_t size = 0;
    struct snapshot *whole = assemble(image, generation, &size);
    if (!whole && size > SNAPSHOT_MAXIMUM_SIZE) {
        error_set(error, ERROR_TOO_LARGE, "the snapshot would have more than %d bytes",
                  SNAPSHOT_MAXIMUM_SIZE);
        return -E2BIG;
    }
    if (!whole) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return -ENOMEM;
    }
    int result = -EINVAL;
    if (snapshot_is_valid(whole, size))
        result = write_sealed(whole, size, error);
    else
        error_set(error, ERROR_INTERNAL, "the configuration makes a snapshot that is invalid");
    free(whole);
    return result;
}

void snapshot_image_free(struct snapshot_image *image)
{
    for (int kind = 0; kind < ARRAY_COUNT; kind++)
        free(image->arrays[kind].data);
    memset(image, 0, sizeof(*image));
}

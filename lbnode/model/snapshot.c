#include "lbnode/model/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    SNAPSHOT_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL
};

static const void *map_image(int fd, size_t *out_size, struct error *error)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SNAPSHOT_SEALS) != SNAPSHOT_SEALS) {
        error_set(error, ERROR_INTERNAL, "the snapshot's descriptor is not sealed");
        return NULL;
    }
    if (fstat(fd, &status) < 0 || status.st_size < (off_t)sizeof(struct snapshot) ||
        status.st_size > SNAPSHOT_MAXIMUM_SIZE) {
        error_set(error, ERROR_INTERNAL, "the snapshot has an impossible size");
        return NULL;
    }
    *out_size = (size_t)status.st_size;
    void *image = mmap(NULL, *out_size, PROT_READ, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED) {
        error_set(error, ERROR_INTERNAL, "the snapshot cannot be mapped: %s", strerror(errno));
        return NULL;
    }
    return image;
}

const struct snapshot *snapshot_open(int fd, struct error *error)
{
    size_t size = 0;
    const void *image = map_image(fd, &size, error);
    if (!image)
        return NULL;
    if (!snapshot_is_valid(image, size)) {
        munmap((void *)(uintptr_t)image, size);
        error_set(error, ERROR_INTERNAL, "the snapshot is damaged or of another version");
        return NULL;
    }
    return image;
}

void snapshot_close(const struct snapshot *snapshot)
{
    if (snapshot)
        munmap((void *)(uintptr_t)snapshot, snapshot->size);
}

/* The bytes of a snapshot while it grows: eight arrays, then one sealed image. Private to
 * snapshot_build.c. The strings come first behind the header, so that their offsets are known
 * when they are added. */
#ifndef LBNODE_MODEL_SNAPSHOT_IMAGE_H
#define LBNODE_MODEL_SNAPSHOT_IMAGE_H

#include "lbnode/model/snapshot.h"

enum image_array_kind { /* in the order of the image */
    ARRAY_STRINGS,
    ARRAY_ENDPOINTS,
    ARRAY_LISTENERS,
    ARRAY_CIDRS,
    ARRAY_POOLS,
    ARRAY_MEMBERS,
    ARRAY_MONITORS,
    ARRAY_SCHEDULE,
    ARRAY_COUNT
};

struct image_array {
    uint8_t *data;
    size_t count, capacity;
};

/* Zero-initialised is empty. */
struct snapshot_image {
    struct image_array arrays[ARRAY_COUNT];
};

/* COUNT zeroed items, valid until the next addition to the same array; NULL when out of memory.
 */
void *
snapshot_image_add(struct snapshot_image *image, enum image_array_kind kind, size_t count);
bool snapshot_image_add_string(struct snapshot_image *image,
                               const char *text,
                               snapshot_string *out);
/* A sealed memfd with everything, or -errno with ERROR. What readers would refuse is never
 * handed out. */
int snapshot_image_seal(const struct snapshot_image *image,
                        uint64_t generation,
                        struct error *error);
void snapshot_image_free(struct snapshot_image *image);

#endif

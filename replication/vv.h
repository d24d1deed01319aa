/* Version vectors: for each stream the highest sequence number without a gap. Sorted by stream;
 * streams at zero are not listed, so equal vectors have equal bytes. */
#ifndef REPLICATION_VV_H
#define REPLICATION_VV_H

#include "lbnode/base/wire.h"

enum {
    VV_MAXIMUM_ENTRIES = 1 << 16 /* one for each start of a process that wrote */
};

struct dot {
    uint64_t stream, seq;
};

struct vv {
    struct dot *entries;
    size_t count, capacity;
};

uint64_t vv_get(const struct vv *vv, uint64_t stream); /* 0: nothing of it */
/* Sets STREAM to SEQ if that is more; true when it was. */
bool vv_raise(struct vv *vv, uint64_t stream, uint64_t seq);
bool vv_merge(struct vv *vv, const struct vv *other); /* true when anything rose */
void vv_copy(struct vv *to, const struct vv *from);
bool vv_covers(const struct vv *vv, const struct vv *other);
bool vv_equal(const struct vv *a, const struct vv *b);
/* BLAKE2b-64 of the entries, each stream and seq as big-endian u64 (replication.md 7.2). */
uint64_t vv_digest(const struct vv *vv);
void vv_free(struct vv *vv);

/* Repeated field NUMBER {1 stream fixed64, 2 seq}. */
void vv_put(struct wire_writer *writer, uint32_t number, const struct vv *vv);
/* One such entry: both parts there and not zero. */
bool dot_parse(struct bytes in, struct dot *out);
/* Field NUMBER of IN as a vector; other fields are skipped. False when malformed, not
 * ascending, or longer than VV_MAXIMUM_ENTRIES; OUT is then empty. */
bool vv_parse(struct bytes in, uint32_t number, struct vv *out);

#endif

/* The parts of a snapshot on the wire: what a node has, as another needs it to make the same
 * state (docs/protocol.md, "Snapshots"). In this order: BEGIN, one STREAM for each stream that
 * is known, RECORDs so that each comes after what it builds on, END. Pure. */
#ifndef REPLICATION_SNAPSHOT_FRAMES_H
#define REPLICATION_SNAPSHOT_FRAMES_H

#include "replication/record.h"

enum {
    SNAPSHOT_SCHEMA = 1,
    SNAPSHOT_STREAMS_MAXIMUM = VV_MAXIMUM_ENTRIES,
    SNAPSHOT_STREAM_BYTES_MAXIMUM = 64 << 20, /* of the rows about all of them */
    SNAPSHOT_PART_MAXIMUM = RECORD_MAXIMUM_SIZE + (512 << 10),
    SNAPSHOT_BYTES_MAXIMUM = 1 << 30 /* of rows that a receiver makes of it */
};

enum snapshot_kind {
    SNAPSHOT_BEGIN = 20,
    SNAPSHOT_STREAM = 21,
    SNAPSHOT_RECORD = 22,
    SNAPSHOT_END = 23
};

/* One part. Views (`row`, `record`, `dead`) point into the body that it was read from. */
struct snapshot_part {
    enum snapshot_kind kind;
    uint64_t transfer; /* the same in all parts of one snapshot; not zero */

    /* BEGIN; hash and records also END */
    uint64_t schema;
    uint8_t state_hash[HASH_SIZE];
    uint64_t streams; /* how many follow */
    uint64_t records; /* BEGIN: about how many follow; END: how many came */
    uint64_t hlc;     /* the sender's hybrid clock */

    /* STREAM */
    uint64_t stream;  /* not zero */
    struct bytes row; /* what the store has about it, core_decode_stream */

    /* RECORD */
    struct bytes record;
    struct bytes dead; /* u32 each, ascending: operations that no longer provide a value */
    /* {operation u32, count u32, count times (stream u64, seq u64)}, ascending: what replaced
     * the operation's value, where that may still become void (facet_shadow.c). */
    struct bytes replaced;
};

/* Strict: exactly the fields of the kind, within their bounds. */
bool snapshot_part_parse(uint32_t frame_type, struct bytes body, struct snapshot_part *out);
void snapshot_part_put(struct wire_writer *out, const struct snapshot_part *part);
/* Is operation OP_INDEX of the part's record dead? Ask in ascending order; CURSOR starts at 0.
 */
bool snapshot_part_is_dead(const struct snapshot_part *part, uint32_t op_index, size_t *cursor);
/* The dots of `replaced` for that operation; false: it says nothing of it. Also ascending. */
bool snapshot_part_replaced(const struct snapshot_part *part,
                            uint32_t op_index,
                            size_t *cursor,
                            struct bytes *out);

#endif

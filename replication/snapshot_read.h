/* A snapshot read out of a node's store, part by part, over any time. It is one view: what is
 * committed after its beginning lies above its vector and is left out, and its owner sees to it
 * that nothing is removed from the log meanwhile (core_hold_log). */
#ifndef REPLICATION_SNAPSHOT_READ_H
#define REPLICATION_SNAPSHOT_READ_H

#include "replication/core.h"
#include "replication/snapshot_frames.h"

struct snapshot_reader;

/* NULL while CORE is ahead of STORE (a commit is under way); ask again then. */
struct snapshot_reader *
snapshot_reader_new(struct core *core, struct store *store, uint64_t transfer);
/* Appends the body of the next part to OUT. 1, 0: all were read, -EBADMSG, -ENOENT: the store
 * is damaged, other -errno. */
int snapshot_reader_next(struct snapshot_reader *reader,
                         uint32_t *out_type,
                         struct wire_writer *out);
void snapshot_reader_free(struct snapshot_reader *reader); /* NULL-safe */

#endif

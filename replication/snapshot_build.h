/* A state made from the parts of a snapshot, as they come: each record's signature and place in
 * its stream is checked, and the rows for the store are collected, so that the whole takes the
 * place of the old state in one transaction. Pure. */
#ifndef REPLICATION_SNAPSHOT_BUILD_H
#define REPLICATION_SNAPSHOT_BUILD_H

#include "replication/core.h"
#include "replication/snapshot_frames.h"

struct snapshot_build;

enum snapshot_progress {
    SNAPSHOT_GOES_ON,
    SNAPSHOT_COMPLETE,
    SNAPSHOT_IS_WRONG /* see snapshot_build_problem; it takes no further part */
};

/* Takes CORE over, which knows its cluster (core_found) and nothing else. */
struct snapshot_build *snapshot_build_new(struct core *core);
enum snapshot_progress snapshot_build_take(struct snapshot_build *build,
                                           const struct snapshot_part *part,
                                           struct core_now now);
const char *snapshot_build_problem(const struct snapshot_build *build);

/* After COMPLETE: a record that the build's owner has above the snapshot. */
void snapshot_build_keep(struct snapshot_build *build,
                         struct bytes record,
                         struct core_now now);
/* At last, once: the rows about streams. How many records were left out because they do not
 * follow from what is there. */
size_t snapshot_build_finish(struct snapshot_build *build);

/* The state so far. */
struct core *snapshot_build_core(const struct snapshot_build *build);
/* Takes the state out; the rows remain. */
struct core *snapshot_build_take_core(struct snapshot_build *build);
/* What has to be in the store: in log, facet and dead nothing else. */
struct store_batch *snapshot_build_rows(struct snapshot_build *build);
uint64_t snapshot_build_transfer(const struct snapshot_build *build); /* 0: no BEGIN yet */
/* Records taken, and about how many there will be. */
void snapshot_build_counts(const struct snapshot_build *build,
                           uint64_t *out_taken,
                           uint64_t *out_announced);
void snapshot_build_free(struct snapshot_build *build); /* NULL-safe */

#endif

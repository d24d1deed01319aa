/* Finds out which changes crash the control process. Before a batch is projected its objects
 * are written to a file of the state directory, afterwards the file is cleared; a process that
 * finds it uncleared takes the place of one that died in between. After the third death within
 * a minute the batch is withheld: remembered on disk, and left out until one of its objects is
 * changed again. Without fsync: the death of a process loses nothing, and a death of the
 * machine is not the batch's fault. */
#ifndef LBNODE_NODE_BATCH_GUARD_H
#define LBNODE_NODE_BATCH_GUARD_H

#include "lbnode/base/uuid.h"
#include "lbnode/model/projection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GUARD_DEATHS = 3,
    GUARD_WINDOW_MS = 60000,
    GUARD_OBJECTS_MAXIMUM = 100000, /* a batch with more counts as "everything" */
};

struct withheld_object {
    struct uuid id;
    uint32_t level; /* enum withhold_level */
    uint32_t reserved;
};

struct batch_guard;

/* NOW_WALL_MS: deaths are counted over process lives. NULL when out of memory; a state
 * directory that cannot be written only costs the protection (a line in the log). */
struct batch_guard *batch_guard_open(const char *state_dir, uint64_t now_wall_ms);
void batch_guard_free(struct batch_guard *guard); /* NULL-safe */

/* The change that was withheld just now, by batch_guard_open; false: none. */
bool batch_guard_caught(const struct batch_guard *guard, struct uuid *out_change_id);
/* Nothing at all may be projected: it crashed at the start, with no batch to blame. */
bool batch_guard_withholds_all(const struct batch_guard *guard);
const struct withheld_object *batch_guard_withheld(const struct batch_guard *guard,
                                                   size_t *out_count);
bool batch_guard_is_withheld(const struct batch_guard *guard, const struct uuid *id);
/* Forgets all that is withheld: it is tried again. */
void batch_guard_release(struct batch_guard *guard);

/* IDS are going to be projected, in addition to what was begun and not finished. IDS NULL:
 * everything, at the start of the process; a batch that the process before died of stays the
 * suspect then. CHANGE_ID is the newest change among them. */
void batch_guard_begin(struct batch_guard *guard,
                       const struct uuid *ids,
                       size_t count,
                       const struct uuid *change_id);
/* All that was begun is projected and survived. */
void batch_guard_finish(struct batch_guard *guard);

#endif

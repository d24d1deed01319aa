/* The root key as an author. Its public half stands in the genesis, its seed is on paper: the
 * recovery code. What it signs needs no roster, so it can admit a node when no node is left
 * that could. It is no node: nobody speaks in its name, nobody waits for it, no record removes
 * it. Each recovery is a stream of its own with one record. */
#ifndef REPLICATION_CORE_ROOT_H
#define REPLICATION_CORE_ROOT_H

#include "replication/core.h"

/* Is ID that of the root key, which writes one record to a stream, and whose records always
 * count? */
bool core_is_root(const struct core *core, const struct uuid *id);
/* Are these the names of the root key as the author of a record? */
bool core_is_root_key(const struct core *core,
                      const struct uuid *id,
                      const uint8_t key_id[RECORD_KEY_ID_SIZE]);
/* May a change that the root key signs be taken here, and is that the key? */
bool core_may_submit_as_root(const struct core *core,
                             const struct sign_key *root,
                             struct error *error);
/* Whoever is active in the roster is not there any more: adds to OUT what says so. OUT_COUNT:
 * how many they are. */
bool core_plan_exits(const struct core *core, struct change_set *out, size_t *out_count);

#endif

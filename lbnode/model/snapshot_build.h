/* Builds the proxy's snapshot from the effective configuration. */
#ifndef LBNODE_MODEL_SNAPSHOT_BUILD_H
#define LBNODE_MODEL_SNAPSHOT_BUILD_H

#include "lbnode/model/configuration.h"
#include "lbnode/model/snapshot.h"

/* Stable slot numbers from generation to generation, per kind. */
struct slot_map;

struct slot_map *slot_map_new(void);
/* Takes over the numbers of an earlier snapshot (a control process that starts again). */
void slot_map_adopt(struct slot_map *map, const struct snapshot *snapshot);
/* The slot and incarnation of a member or listener in the last built snapshot; false if none.
 */
bool slot_map_find(const struct slot_map *map,
                   const struct uuid *id,
                   uint32_t *out_slot,
                   uint32_t *out_incarnation);
void slot_map_free(struct slot_map *map);

/* A sealed memfd (F_SEAL_WRITE|SHRINK|GROW|SEAL) with the image, or -errno with ERROR set (too
 * many members, listeners, bytes). Only effective objects get in. */
int snapshot_build(const struct configuration *configuration,
                   struct slot_map *slots,
                   uint64_t generation,
                   struct error *error);

#endif

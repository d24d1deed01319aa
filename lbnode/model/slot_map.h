/* What snapshot_build.c needs of the slot map; others use snapshot_build.h. */
#ifndef LBNODE_MODEL_SLOT_MAP_H
#define LBNODE_MODEL_SLOT_MAP_H

#include "lbnode/model/snapshot_build.h"

enum slot_kind {
    SLOT_LISTENER,
    SLOT_POOL,
    SLOT_MEMBER,
    SLOT_KIND_COUNT
};

uint32_t slot_map_limit(enum slot_kind kind);

/* A build in three steps: begin; keep every object that has to have a slot; sweep, which frees
 * the slots of all others; then take, which hands out kept and new slots. */
void slot_map_begin(struct slot_map *map);
void slot_map_keep(struct slot_map *map, const struct uuid *id);
void slot_map_sweep(struct slot_map *map);
/* SNAPSHOT_NONE when out of memory or of slots. */
uint32_t slot_map_take(struct slot_map *map,
                       enum slot_kind kind,
                       const struct uuid *id,
                       uint32_t incarnation);

#endif

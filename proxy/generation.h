/* A snapshot with what the workers need beside it. Immutable once built, shared by all workers,
 * freed by whoever lets go of it last. */
#ifndef PROXY_GENERATION_H
#define PROXY_GENERATION_H

#include "lbnode/base/uuid_map.h"
#include "proxy/member_pick.h"

struct generation {
    const struct snapshot *snapshot;
    _Atomic uint32_t references;
    struct pool_runtime **pools;                /* by pool index */
    uint32_t listener_by_slot[LISTENER_SLOTS];  /* index, or SNAPSHOT_NONE */
    uint32_t member_incarnations[MEMBER_SLOTS]; /* 0: no such member, or disabled */
};

/* One more who needs RUNTIME, whatever becomes of its generations; for any thread. */
struct pool_runtime *pool_runtime_hold(struct pool_runtime *runtime);
void pool_runtime_release(struct pool_runtime *runtime); /* NULL-safe */

/* The cursors of all pools of the last generation, by pool id; main thread only. */
struct pool_table {
    struct uuid_map by_id;
};

/* Takes SNAPSHOT over, with REFERENCES holders from the start. Pools that TABLE knows keep
 * their cursors; those that are gone leave it. NULL when out of memory (SNAPSHOT is closed). */
struct generation *
generation_new(const struct snapshot *snapshot, struct pool_table *table, uint32_t references);
void generation_release(struct generation *generation);
void pool_table_clear(struct pool_table *table);

/* What a worker holds: transactions count on it without touching shared memory. */
struct held_generation {
    struct generation *generation;
    uint32_t users;
};

/* Takes one reference over. NULL when out of memory. */
struct held_generation *held_generation_new(struct generation *generation);
struct held_generation *held_generation_hold(struct held_generation *held);
void held_generation_drop(struct held_generation *held); /* NULL-safe */

/* The listener with SLOT and INCARNATION, or NULL. */
const struct snapshot_listener *held_generation_listener(const struct held_generation *held,
                                                         uint32_t slot,
                                                         uint32_t incarnation);

#endif

#include "proxy/generation.h"

#include <stdlib.h>
#include <string.h>

struct pool_runtime *pool_runtime_hold(struct pool_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->references, 1, memory_order_relaxed);
    return runtime;
}

void pool_runtime_release(struct pool_runtime *runtime)
{
    if (!runtime ||
        atomic_fetch_sub_explicit(&runtime->references, 1, memory_order_acq_rel) != 1)
        return;
    free(runtime->queue);
    free(runtime);
}

/* Configurations are numbered by who makes them, who may start over. */
static void forget_empty_steps(struct pool_runtime *runtime)
{
    for (unsigned step = 0; step < PICK_STEPS; step++)
        atomic_store(&runtime->none_usable_stamp[step], 0);
}

static struct pool_runtime *pool_runtime_new(void)
{
    struct pool_runtime *runtime =
        aligned_alloc(_Alignof(struct pool_runtime), sizeof(*runtime));
    if (runtime) {
        memset(runtime, 0, sizeof(*runtime));
        atomic_init(&runtime->references, 1);
    }
    return runtime;
}

/* Moves the table on to the pools of SNAPSHOT. False when out of memory. */
static bool fill_pools(struct generation *generation, struct pool_table *table)
{
    const struct snapshot *snapshot = generation->snapshot;
    struct uuid_map next = {0};
    bool complete = true;
    for (uint32_t i = 0; i < snapshot->pools.count; i++) {
        const struct snapshot_pool *pool = &snapshot_pools(snapshot)[i];
        struct pool_runtime *runtime = uuid_map_get(&table->by_id, &pool->id);
        if (runtime) {
            pool_runtime_hold(runtime);
            forget_empty_steps(runtime);
        } else {
            runtime = pool_runtime_new();
        }
        /* Workers that run an older configuration do not look at it. */
        bool has_queue = true;
        if (runtime && pool->is_limited && !runtime->queue)
            has_queue = (runtime->queue = wait_queue_new()) != NULL;
        if (!runtime || !has_queue || !uuid_map_set(&next, &pool->id, runtime)) {
            pool_runtime_release(runtime);
            complete = false;
            break;
        }
        generation->pools[i] = pool_runtime_hold(runtime);
    }
    struct pool_table old = {complete ? table->by_id : next};
    if (complete)
        table->by_id = next;
    pool_table_clear(&old);
    return complete;
}

void pool_table_clear(struct pool_table *table)
{
    size_t position = 0;
    struct pool_runtime *runtime;
    while ((runtime = uuid_map_next(&table->by_id, &position)))
        pool_runtime_release(runtime);
    uuid_map_free(&table->by_id);
    table->by_id = (struct uuid_map){0};
}

static void generation_free(struct generation *generation)
{
    for (uint32_t i = 0; generation->pools && i < generation->snapshot->pools.count; i++)
        pool_runtime_release(generation->pools[i]);
    free(generation->pools);
    snapshot_close(generation->snapshot);
    free(generation);
}

struct generation *
generation_new(const struct snapshot *snapshot, struct pool_table *table, uint32_t references)
{
    struct generation *generation = calloc(1, sizeof(*generation));
    if (!generation) {
        snapshot_close(snapshot);
        return NULL;
    }
    generation->snapshot = snapshot;
    atomic_init(&generation->references, references);
    generation->pools = calloc(snapshot->pools.count + 1, sizeof(*generation->pools));
    for (uint32_t i = 0; i < LISTENER_SLOTS; i++)
        generation->listener_by_slot[i] = SNAPSHOT_NONE;
    for (uint32_t i = 0; i < snapshot->listeners.count; i++)
        generation->listener_by_slot[snapshot_listeners(snapshot)[i].slot] = i;
    for (uint32_t i = 0; i < snapshot->members.count; i++) {
        const struct snapshot_member *member = &snapshot_members(snapshot)[i];
        if (member->enabled)
            generation->member_incarnations[member->slot] = member->incarnation;
    }
    if (!generation->pools || !fill_pools(generation, table)) {
        generation_free(generation);
        return NULL;
    }
    return generation;
}

void generation_release(struct generation *generation)
{
    if (atomic_fetch_sub_explicit(&generation->references, 1, memory_order_acq_rel) == 1)
        generation_free(generation);
}

struct held_generation *held_generation_new(struct generation *generation)
{
    struct held_generation *held = calloc(1, sizeof(*held));
    if (held) {
        held->generation = generation;
        held->users = 1;
    }
    return held;
}

struct held_generation *held_generation_hold(struct held_generation *held)
{
    held->users++;
    return held;
}

void held_generation_drop(struct held_generation *held)
{
    if (!held || --held->users > 0)
        return;
    generation_release(held->generation);
    free(held);
}

const struct snapshot_listener *held_generation_listener(const struct held_generation *held,
                                                         uint32_t slot,
                                                         uint32_t incarnation)
{
    if (!held)
        return NULL;
    const struct snapshot *snapshot = held->generation->snapshot;
    uint32_t index = held->generation->listener_by_slot[slot];
    if (index == SNAPSHOT_NONE)
        return NULL;
    const struct snapshot_listener *listener = &snapshot_listeners(snapshot)[index];
    return listener->incarnation == incarnation ? listener : NULL;
}

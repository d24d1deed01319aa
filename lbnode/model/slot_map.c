#include "lbnode/model/slot_map.h"

#include "lbnode/base/uuid_map.h"

#include <stdlib.h>

static const uint32_t limits[SLOT_KIND_COUNT] = {
    [SLOT_LISTENER] = LISTENER_SLOTS,
    [SLOT_POOL] = POOL_SLOTS,
    [SLOT_MEMBER] = MEMBER_SLOTS,
};

struct slot_entry {
    struct uuid id;
    enum slot_kind kind;
    uint32_t slot, incarnation;
    bool kept;
};

/* A ring of free slots: a freed one waits behind all others, because requests in progress still
 * count in its cells. */
struct free_slots {
    uint16_t *ring;
    uint32_t head, count;
};

struct slot_map {
    struct uuid_map entries; /* struct slot_entry */
    struct free_slots free[SLOT_KIND_COUNT];
};

uint32_t slot_map_limit(enum slot_kind kind)
{
    return limits[kind];
}

static void push_free(struct slot_map *map, enum slot_kind kind, uint32_t slot)
{
    struct free_slots *free_slots = &map->free[kind];
    free_slots->ring[(free_slots->head + free_slots->count++) % limits[kind]] = (uint16_t)slot;
}

struct slot_map *slot_map_new(void)
{
    struct slot_map *map = calloc(1, sizeof(*map));
    for (int kind = 0; map && kind < SLOT_KIND_COUNT; kind++) {
        map->free[kind].ring = calloc(limits[kind], sizeof(uint16_t));
        if (!map->free[kind].ring) {
            slot_map_free(map);
            return NULL;
        }
        for (uint32_t slot = 0; slot < limits[kind]; slot++)
            push_free(map, (enum slot_kind)kind, slot);
    }
    return map;
}

/* Removes SLOT from the ring; it counts as taken then. */
static bool claim_slot(struct slot_map *map, enum slot_kind kind, uint32_t slot)
{
    struct free_slots *free_slots = &map->free[kind];
    uint32_t limit = limits[kind];
    for (uint32_t i = 0; i < free_slots->count; i++) {
        uint32_t at = (free_slots->head + i) % limit;
        if (free_slots->ring[at] != slot)
            continue;
        free_slots->ring[at] = free_slots->ring[free_slots->head];
        free_slots->head = (free_slots->head + 1) % limit;
        free_slots->count--;
        return true;
    }
    return false;
}

static struct slot_entry *add_entry(struct slot_map *map,
                                    enum slot_kind kind,
                                    const struct uuid *id,
                                    uint32_t slot,
                                    uint32_t incarnation)
{
    struct slot_entry *entry = malloc(sizeof(*entry));
    if (!entry)
        return NULL;
    *entry = (struct slot_entry){*id, kind, slot, incarnation, true};
    if (!uuid_map_set(&map->entries, id, entry)) {
        free(entry);
        return NULL;
    }
    return entry;
}

static void adopt(struct slot_map *map,
                  enum slot_kind kind,
                  const struct uuid *id,
                  uint32_t slot,
                  uint32_t incarnation)
{
    if (uuid_map_get(&map->entries, id) || !claim_slot(map, kind, slot))
        return;
    if (!add_entry(map, kind, id, slot, incarnation))
        push_free(map, kind, slot);
}

void slot_map_adopt(struct slot_map *map, const struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->listeners.count; i++) {
        const struct snapshot_listener *listener = &snapshot_listeners(snapshot)[i];
        adopt(map, SLOT_LISTENER, &listener->id, listener->slot, listener->incarnation);
    }
    for (uint32_t i = 0; i < snapshot->pools.count; i++) {
        const struct snapshot_pool *pool = &snapshot_pools(snapshot)[i];
        adopt(map, SLOT_POOL, &pool->id, pool->slot, pool->incarnation);
    }
    for (uint32_t i = 0; i < snapshot->members.count; i++) {
        const struct snapshot_member *member = &snapshot_members(snapshot)[i];
        adopt(map, SLOT_MEMBER, &member->id, member->slot, member->incarnation);
    }
}

bool slot_map_find(const struct slot_map *map,
                   const struct uuid *id,
                   uint32_t *out_slot,
                   uint32_t *out_incarnation)
{
    const struct slot_entry *entry = uuid_map_get(&map->entries, id);
    if (!entry)
        return false;
    *out_slot = entry->slot;
    *out_incarnation = entry->incarnation;
    return true;
}

void slot_map_begin(struct slot_map *map)
{
    struct slot_entry *entry;
    for (size_t i = 0; (entry = uuid_map_next(&map->entries, &i));)
        entry->kept = false;
}

void slot_map_keep(struct slot_map *map, const struct uuid *id)
{
    struct slot_entry *entry = uuid_map_get(&map->entries, id);
    if (entry)
        entry->kept = true;
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot_entry *const *x = a, *const *y = b;
    return ((*x)->slot > (*y)->slot) - ((*x)->slot < (*y)->slot);
}

void slot_map_sweep(struct slot_map *map)
{
    size_t count = 0;
    struct slot_entry *entry,
        **gone = calloc(map->entries.count + 1, sizeof(struct slot_entry *));
    if (!gone)
        return; /* the slots stay taken until the next build */
    for (size_t i = 0; (entry = uuid_map_next(&map->entries, &i));) {
        if (!entry->kept)
            gone[count++] = entry;
    }
    qsort(gone, count, sizeof(struct slot_entry *), compare_slots); /* not in hash order */
    for (size_t i = 0; i < count; i++) {
        uuid_map_remove(&map->entries, &gone[i]->id);
        push_free(map, gone[i]->kind, gone[i]->slot);
        free(gone[i]);
    }
    free(gone);
}

uint32_t slot_map_take(struct slot_map *map,
                       enum slot_kind kind,
                       const struct uuid *id,
                       uint32_t incarnation)
{
    struct slot_entry *entry = uuid_map_get(&map->entries, id);
    if (entry) {
        entry->incarnation = incarnation;
        return entry->slot;
    }
    struct free_slots *free_slots = &map->free[kind];
    if (free_slots->count == 0)
        return SNAPSHOT_NONE;
    uint32_t slot = free_slots->ring[free_slots->head];
    if (!add_entry(map, kind, id, slot, incarnation))
        return SNAPSHOT_NONE;
    free_slots->head = (free_slots->head + 1) % limits[kind];
    free_slots->count--;
    return slot;
}

void slot_map_free(struct slot_map *map)
{
    if (!map)
        return;
    struct slot_entry *entry;
    for (size_t i = 0; (entry = uuid_map_next(&map->entries, &i));)
        free(entry);
    uuid_map_free(&map->entries);
    for (int kind = 0; kind < SLOT_KIND_COUNT; kind++)
        free(map->free[kind].ring);
    free(map);
}

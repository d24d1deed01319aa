#include "lbnode/base/uuid_map.h"

#include "lbnode/base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t home(const struct uuid_map *map, const struct uuid *key)
{
    return bytes_hash(key->bytes, 16, 0) & (map->capacity - 1);
}

/* The slot that holds KEY or the free one where it belongs; capacity > count. */
static struct uuid_map_entry *find(const struct uuid_map *map, const struct uuid *key)
{
    size_t i = home(map, key);
    while (map->entries[i].value && !uuid_equal(&map->entries[i].key, key))
        i = (i + 1) & (map->capacity - 1);
    return &map->entries[i];
}

void *uuid_map_get(const struct uuid_map *map, const struct uuid *key)
{
    return map->count ? find(map, key)->value : NULL;
}

static bool grow(struct uuid_map *map)
{
    struct uuid_map larger = {.capacity = map->capacity ? map->capacity * 2 : 16,
                              .count = map->count};
    larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
    if (!larger.entries)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value)
            *find(&larger, &map->entries[i].key) = map->entries[i];
    }
    free(map->entries);
    *map = larger;
    return true;
}

bool uuid_map_set(struct uuid_map *map, const struct uuid *key, void *value)
{
    assert(value);
    if (map->count * 4 >= map->capacity * 3 && !grow(map))
        return false;
    struct uuid_map_entry *entry = find(map, key);
    map->count += entry->value == NULL;
    *entry = (struct uuid_map_entry){*key, value};
    return true;
}

void *uuid_map_remove(struct uuid_map *map, const struct uuid *key)
{
    if (map->count == 0)
        return NULL;
    struct uuid_map_entry *entry = find(map, key);
    void *value = entry->value;
    if (!value)
        return NULL;
    map->count--;
    size_t hole = (size_t)(entry - map->entries), i = hole;
    for (;;) { /* backward-shift deletion keeps every probe chain unbroken */
        i = (i + 1) & (map->capacity - 1);
        if (!map->entries[i].value)
            break;
        size_t wanted = home(map, &map->entries[i].key);
        if (((i - wanted) & (map->capacity - 1)) >= ((i - hole) & (map->capacity - 1))) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole].value = NULL;
    return value;
}

void *uuid_map_next(const struct uuid_map *map, size_t *position)
{
    while (*position < map->capacity) {
        void *value = map->entries[(*position)++].value;
        if (value)
            return value;
    }
    return NULL;
}

void uuid_map_free(struct uuid_map *map)
{
    free(map->entries);
    memset(map, 0, sizeof(*map));
}

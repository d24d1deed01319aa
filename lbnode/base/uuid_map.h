/* Hash table from uuid to a pointer it does not own. Iteration order is unspecified. */
#ifndef LBNODE_BASE_UUID_MAP_H
#define LBNODE_BASE_UUID_MAP_H

#include "lbnode/base/uuid.h"

#include <stddef.h>

struct uuid_map_entry {
    struct uuid key;
    void *value; /* NULL: free */
};

struct uuid_map {
    struct uuid_map_entry *entries;
    size_t capacity; /* power of two or 0 */
    size_t count;
};

void *uuid_map_get(const struct uuid_map *map, const struct uuid *key);
/* VALUE must not be NULL; replaces an existing value. False when out of memory. */
bool uuid_map_set(struct uuid_map *map, const struct uuid *key, void *value);
/* Returns the removed value or NULL. */
void *uuid_map_remove(struct uuid_map *map, const struct uuid *key);
/* for (size_t i = 0; (value = uuid_map_next(map, &i));) ... ; do not change the map meanwhile.
 */
void *uuid_map_next(const struct uuid_map *map, size_t *position);
void uuid_map_free(struct uuid_map *map);

#endif

/* Taking values out of objects. Objects that are made anew under an id that was there before:
 * what the author knew of the earlier one, and of what was directly below that, ends. */
#include "replication/facet_internal.h"

#include "replication/memory.h"

#include <stdlib.h>

size_t facet_sift(struct facet_table *table,
                  struct object *object,
                  bool (*go)(void *context, uint16_t facet, const struct facet_entry *entry),
                  void *context,
                  const struct dot *by,
                  struct store_batch *batch)
{
    size_t left = 0, gone = 0;
    for (size_t f = 0; f < object->count; f++) {
        struct facet_state *state = &object->facets[f];
        size_t kept = 0;
        for (size_t e = 0; e < state->count; e++) {
            struct facet_entry *entry = &state->entries[e];
            if (!go(context, state->facet, entry)) {
                state->entries[kept++] = *entry;
                continue;
            }
            facet_entry_out(table, object, state->facet, entry, batch);
            facet_shadow_keep(table, &object->id, state->facet, entry, by, batch);
        }
        gone += state->count - kept;
        state->count = kept;
        if (kept > 0)
            object->facets[left++] = *state;
        else
            free(state->entries);
    }
    object->count = left;
    return gone;
}

static bool is_reached(void *reach, uint16_t facet, const struct facet_entry *entry)
{
    return facet_is_reached(reach, facet, entry);
}

/* True when REACH ended something of OBJECT. */
static bool end_known(struct facet_table *table,
                      struct object *object,
                      struct facet_reach *reach,
                      struct store_batch *batch)
{
    return facet_sift(table, object, is_reached, reach, &reach->stamp->dot, batch) > 0;
}

void facet_drop_empty(struct facet_table *table, struct object *object)
{
    if (object->count > 0)
        return;
    uuid_map_remove(&table->objects, &object->id);
    facet_object_free(object);
}

static bool
end_below(struct facet_table *table, struct facet_reach *reach, struct store_batch *batch)
{
    struct object *object, **ended = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        if (!end_known(table, object, reach, batch))
            continue;
        ended = memory_grow(ended, count, &capacity, sizeof(struct object *));
        ended[count++] = object;
    }
    for (size_t i = 0; i < count; i++)
        facet_drop_empty(table, ended[i]);
    free(ended);
    return count > 0;
}

bool facet_end_earlier(struct facet_table *table,
                       const struct uuid *id,
                       enum facet_realm realm,
                       const struct facet_stamp *stamp,
                       struct store_batch *batch)
{
    struct object *object = uuid_map_get(&table->objects, id);
    struct facet_reach itself = {.stamp = stamp, .realm = realm}, below = itself;
    below.owner = id;
    facet_shadow_cover(table, id, &itself, batch);
    if (uuid_map_get(&table->shadow_owners, id))
        facet_shadow_cover(table, NULL, &below, batch);
    bool any = object && end_known(table, object, &itself, batch);
    if (any)
        facet_drop_empty(table, object);
    if (uuid_map_get(&table->owners, id))
        any |= end_below(table, &below, batch);
    if (any) { /* objects are gone, and not all of them are listed as changed */
        table->sum.known = false;
        table->changes.followed = false;
    }
    return any;
}

/* Objects that are made anew under an id that was there before: what the author knew of the
 * earlier one, and of what was directly below that, ends. */
#include "replication/facet_internal.h"

#include "replication/memory.h"

#include <stdlib.h>

/* What STAMP's author knew of OBJECT, or only what names OWNER. True when there was any. */
static bool end_known(struct facet_table *table,
                      struct object *object,
                      const struct uuid *owner,
                      const struct facet_stamp *stamp,
                      struct store_batch *batch)
{
    size_t left = 0;
    bool any = false;
    for (size_t f = 0; f < object->count; f++) {
        struct facet_state *state = &object->facets[f];
        size_t kept = 0;
        for (size_t e = 0; e < state->count; e++) {
            struct facet_entry *entry = &state->entries[e];
            if (!facet_is_covered(entry, stamp) ||
                (owner && !uuid_equal(&entry->owner, owner))) {
                state->entries[kept++] = *entry;
                continue;
            }
            facet_entry_out(table, object, state->facet, entry, batch);
            facet_shadow_keep(table, &object->id, state->facet, entry, &stamp->dot, batch);
        }
        any |= kept < state->count;
        state->count = kept;
        if (kept > 0)
            object->facets[left++] = *state;
        else
            free(state->entries);
    }
    object->count = left;
    return any;
}

void facet_drop_empty(struct facet_table *table, struct object *object)
{
    if (object->count > 0)
        return;
    uuid_map_remove(&table->objects, &object->id);
    facet_object_free(object);
}

static bool end_below(struct facet_table *table,
                      const struct uuid *owner,
                      const struct facet_stamp *stamp,
                      struct store_batch *batch)
{
    struct object *object, **ended = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        if (!end_known(table, object, owner, stamp, batch))
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
                       const struct facet_stamp *stamp,
                       struct store_batch *batch)
{
    struct object *object = uuid_map_get(&table->objects, id);
    facet_shadow_cover(table, id, NULL, NULL, stamp, batch);
    if (uuid_map_get(&table->shadow_owners, id))
        facet_shadow_cover(table, NULL, NULL, id, stamp, batch);
    bool any = object && end_known(table, object, NULL, stamp, batch);
    if (any)
        facet_drop_empty(table, object);
    if (uuid_map_get(&table->owners, id))
        any |= end_below(table, id, stamp, batch);
    if (any) { /* objects are gone, and not all of them are listed as changed */
        table->sum.known = false;
        table->changes.followed = false;
    }
    return any;
}

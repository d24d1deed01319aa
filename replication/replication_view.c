/* The raw state as others see it: winners for the projection, entries for people. */
#include "replication/replication_internal.h"

#include "replication/memory.h"

#include <stdlib.h>

/* ---- winners -------------------------------------------------------------------------------
 */

static bool visit_object(const struct object *object,
                         bool (*visit)(void *context, const struct raw_facet *facet),
                         void *context)
{
    for (size_t f = 0; f < object->count; f++) {
        const struct raw_facet raw = facet_view(object, &object->facets[f]);
        if (!visit(context, &raw))
            return false;
    }
    return true;
}

void replication_visit_facets(const struct replication *replication,
                              bool (*visit)(void *context, const struct raw_facet *facet),
                              void *context)
{
    const struct object *object;
    const struct facet_table *table = core_facets(replication->core);
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));)
        if (!visit_object(object, visit, context))
            return;
}

struct changed_objects replication_changed(const struct replication *replication)
{
    const struct facet_changes *changes = core_changes(replication->core);
    if (!changes->followed)
        return (struct changed_objects){.all = true};
    return (struct changed_objects){.ids = changes->ids, .count = changes->count};
}

void replication_visit_changed(struct replication *replication,
                               bool (*visit)(void *context, const struct raw_facet *facet),
                               void *context)
{
    struct facet_changes *changes = core_changes(replication->core);
    if (!changes->followed)
        replication_visit_facets(replication, visit, context);
    bool more = changes->followed;
    for (size_t i = 0; more && i < changes->count; i++) {
        const struct object *object =
            facet_object(core_facets(replication->core), &changes->ids[i]);
        more = !object || visit_object(object, visit, context);
    }
    core_changes_taken(replication->core);
}

/* ---- entries -------------------------------------------------------------------------------
 */

static struct conflict_entry view_of(const struct facet_entry *entry, bool is_active)
{
    return (struct conflict_entry){
        .value = {entry->value, entry->value_size},
        .wall_ms = entry->wall_ms,
        .node_id = entry->node_id,
        .author = entry->author,
        .is_active = is_active,
    };
}

static void show_facet(const struct object *object,
                       const struct facet_state *state,
                       void (*visit)(void *context, const struct conflict_view *conflict),
                       void *context)
{
    const struct facet_entry *winner = facet_winner(state);
    struct conflict_entry *entries = memory_new(state->count * sizeof(*entries));
    size_t count = 0;
    entries[count++] = view_of(winner, true);
    for (size_t i = 0; i < state->count; i++)
        if (&state->entries[i] != winner)
            entries[count++] = view_of(&state->entries[i], false);
    const struct conflict_view view = {
        .object_id = object->id,
        .type = winner->type,
        .facet = state->facet,
        .entries = entries,
        .entry_count = count,
    };
    visit(context, &view);
    free(entries);
}

void replication_visit_conflicts(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const struct conflict_view *conflict),
                                 void *context)
{
    const struct object *object;
    const struct facet_table *table = core_facets(replication->core);
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));)
        for (size_t f = 0; f < object->count; f++)
            if (object->facets[f].count > 1)
                show_facet(object, &object->facets[f], visit, context);
}

void replication_visit_entries(const struct replication *replication,
                               const struct uuid *object_id,
                               void (*visit)(void *context, const struct conflict_view *facet),
                               void *context)
{
    const struct object *object = facet_object(core_facets(replication->core), object_id);
    for (size_t f = 0; object && f < object->count; f++)
        show_facet(object, &object->facets[f], visit, context);
}

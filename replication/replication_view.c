/* The raw state as others see it: winners for the projection, entries for people. */
#include "replication/replication_internal.h"

#include "lbnode/base/bytes.h"
#include "replication/memory.h"
#include "replication/transport.h"

#include <stdlib.h>

/* ---- winners -------------------------------------------------------------------------------
 */

static bool visit_object(const struct object *object,
                         bool (*visit)(void *context, const struct raw_facet *facet),
                         void *context)
{
    for (size_t f = 0; f < object->count; f++) {
        const struct raw_facet raw = facet_view(object, &object->facets[f]);
        if (raw.entry_count > 0 && !visit(context, &raw))
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

/* The same order on every node. */
static int compare_age(const void *a, const void *b)
{
    const struct facet_entry *x = *(const struct facet_entry *const *)a,
                             *y = *(const struct facet_entry *const *)b;
    const uint64_t left[] = {x->hlc, x->dot.stream, x->dot.seq};
    const uint64_t right[] = {y->hlc, y->dot.stream, y->dot.seq};
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static void show_facet(const struct object *object,
                       const struct facet_state *state,
                       void (*visit)(void *context, const struct conflict_view *conflict),
                       void *context)
{
    const struct facet_entry *winner = facet_seen(object, state);
    struct conflict_entry *entries = memory_new(state->count * sizeof(*entries));
    const struct facet_entry **sorted = memory_new(state->count * sizeof(*sorted));
    size_t seen = 0, count = 0;
    for (size_t i = 0; i < state->count; i++)
        if (facet_realm_of(state->entries[i].type) == facet_realm_of(winner->type))
            sorted[seen++] = &state->entries[i];
    qsort(sorted, seen, sizeof(*sorted), compare_age);
    entries[count++] = view_of(winner, true);
    for (size_t i = 0; i < seen; i++)
        if (sorted[i] != winner)
            entries[count++] = view_of(sorted[i], false);
    free(sorted);
    const struct conflict_view view = {
        .object_id = object->id,
        .type = winner->type,
        .facet = state->facet,
        .entries = entries,
        .entry_count = count,
        .owner = winner->owner,
    };
    visit(context, &view);
    free(entries);
}

/* An edit with a later stamp than the deletion was made where that was not known: clocks
 * respect causality. An earlier stamp proves nothing, so some such edits go unnoticed. */
static void show_late_edit(const struct object *object,
                           void (*visit)(void *context, const struct conflict_view *conflict),
                           void *context)
{
    const struct facet_state *life = facet_of(object, FACET_LIFE);
    const struct facet_entry *deletion = facet_winner(life), *newest = NULL;
    uint16_t facet = 0;
    if (!deletion || facet_seen_count(object, life) > 1 || deletion->value_size != 1 ||
        deletion->value[0] != 0)
        return;
    for (size_t f = 0; f < object->count; f++) {
        const struct facet_entry *edit = facet_seen(object, &object->facets[f]);
        if (!edit || edit->hlc <= deletion->hlc || (newest && edit->hlc <= newest->hlc))
            continue;
        newest = edit;
        facet = object->facets[f].facet;
    }
    if (!newest)
        return;
    const struct conflict_entry entries[] = {view_of(deletion, true), view_of(newest, false)};
    const struct conflict_view view = {
        .object_id = object->id,
        .type = deletion->type,
        .facet = facet,
        .entries = entries,
        .entry_count = ARRAY_LENGTH(entries),
        .owner = deletion->owner,
        .kind = CONFLICT_LATE_EDIT,
    };
    visit(context, &view);
}

/* Grants that two nodes deleted at once: nothing for anybody to settle. */
static bool is_internal(const struct object *object)
{
    const struct facet_entry *life = facet_winner(facet_of(object, FACET_LIFE));
    return life && life->type == RESOURCE_KEY_GRANT;
}

void replication_visit_conflicts(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const struct conflict_view *conflict),
                                 void *context)
{
    const struct object *object;
    const struct facet_table *table = core_facets(replication->core);
    for (size_t i = 0; (object = uuid_map_next(&table->objects, &i));) {
        if (is_internal(object))
            continue;
        for (size_t f = 0; f < object->count; f++)
            if (facet_seen_count(object, &object->facets[f]) > 1)
                show_facet(object, &object->facets[f], visit, context);
        show_late_edit(object, visit, context);
    }
}

void replication_visit_entries(const struct replication *replication,
                               const struct uuid *object_id,
                               void (*visit)(void *context, const struct conflict_view *facet),
                               void *context)
{
    const struct object *object = facet_object(core_facets(replication->core), object_id);
    for (size_t f = 0; object && f < object->count; f++)
        if (facet_seen(object, &object->facets[f]))
            show_facet(object, &object->facets[f], visit, context);
}

void replication_visit_evidence(const struct replication *replication,
                                void (*visit)(void *context, const struct evidence *evidence),
                                void *context)
{
    core_visit_evidence(replication->core, replication_now(replication), visit, context);
    transport_visit_clones(replication->transport, visit, context);
}

void replication_take_outlook(struct replication *replication,
                              const struct outlook_visitor *visitor)
{
    core_take_outlook(replication->core, visitor);
}

bool replication_find_owner(const struct replication *replication,
                            const struct uuid *group_id,
                            uint8_t family,
                            struct uuid *out)
{
    return core_find_owner(replication->core, group_id, family, out);
}

bool replication_find_claim(const struct replication *replication,
                            const struct uuid *node_id,
                            const struct uuid *group_id,
                            uint8_t family,
                            struct vrrp_claim *out)
{
    const struct vrrp_claim wanted = {.group_id = *group_id, .family = family};
    return core_find_claim(replication->core, node_id, &wanted, out);
}

bool replication_run_errand(struct replication *replication, const struct errand *errand)
{
    return replication->writer && writer_run(replication->writer, errand);
}

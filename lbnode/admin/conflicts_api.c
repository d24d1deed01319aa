/* Open conflicts: what two nodes changed without knowing of each other, and which of the values
 * holds now. */
#include "lbnode/admin/admin_change.h"
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/facet_text.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <stdio.h>

static const char *name_of(const struct node_state *state, const struct uuid *id)
{
    const struct effective *object = configuration_find(state->configuration, id);
    return object ? object->resource->name : NULL;
}

static uint16_t facet_of_entry(const struct conflict_view *conflict, size_t index)
{
    return conflict->kind == CONFLICT_LATE_EDIT && index == 0 ? FACET_LIFE : conflict->facet;
}

/* What `resolve` writes: after a late edit the question is whether the object lives. */
static uint16_t facet_to_resolve(const struct conflict_view *conflict)
{
    return conflict->kind == CONFLICT_LATE_EDIT ? FACET_LIFE : conflict->facet;
}

static const char *why_active(const struct conflict_view *conflict)
{
    if (conflict->kind == CONFLICT_LATE_EDIT)
        return "It was edited where its deletion was not known; deleted it stays.";
    if (conflict->facet == FACET_LIFE)
        return "A deletion is in force whatever was written at the same time.";
    if (conflict->facet == FACET_ADMIN)
        return "Of values written at the same time the most restrictive is in force.";
    return "Of values written at the same time the one with the latest clock is in force.";
}

struct conflict_list {
    const struct node_state *state;
    struct json_value *list;
};

static struct json_value *entry_json(const struct node_state *state,
                                     const struct resource_class *class,
                                     const struct conflict_view *conflict,
                                     size_t index)
{
    const struct conflict_entry *entry = &conflict->entries[index];
    char time[WALLTIME_TEXT_SIZE], node[UUID_TEXT_SIZE];
    struct json_value *object = json_value_object();
    const char *node_name = name_of(state, &entry->node_id);
    walltime_format(entry->wall_ms, time);
    uuid_format(&entry->node_id, node);
    json_value_set(object, "number", json_value_integer((int64_t)index + 1));
    json_value_set(object, "values",
                   facet_values(class, facet_of_entry(conflict, index), entry->value));
    json_value_set_text(object, "time", time);
    json_value_set_text(object, "node", node_name ? node_name : node);
    json_value_set_text(object, "author", entry->author);
    json_value_set_bool(object, "active", entry->is_active);
    return object;
}

static struct json_value *conflict_json(const struct node_state *state,
                                        const struct uuid *id,
                                        const struct resource_class *class,
                                        const char *kind,
                                        const char *why)
{
    char text[UUID_TEXT_SIZE];
    struct json_value *object = json_value_object();
    uuid_format(id, text);
    json_value_set_text(object, "kind", kind);
    json_value_set_text(object, "object_id", text);
    json_value_set_text(object, "object_type", class ? class->noun : NULL);
    json_value_set_text(object, "object_name", name_of(state, id));
    json_value_set_text(object, "why", why);
    return object;
}

static void add_conflict(void *context, const struct conflict_view *conflict)
{
    struct conflict_list *conflicts = context;
    const struct resource_class *class = resource_class_of((enum resource_type)conflict->type);
    bool late = conflict->kind == CONFLICT_LATE_EDIT;
    char facet[FACET_NAME_SIZE];
    struct json_value *entries = json_value_array();
    struct json_value *object =
        conflict_json(conflicts->state, &conflict->object_id, class,
                      late ? "edit-after-delete" : "value", why_active(conflict));
    facet_name(class, facet_to_resolve(conflict), facet);
    json_value_set_text(object, "facet", facet);
    json_value_set(object, "attributes", facet_attributes(class, conflict->facet));
    for (size_t i = 0; i < conflict->entry_count; i++)
        json_value_append(entries, entry_json(conflicts->state, class, conflict, i));
    json_value_set(object, "entries", entries);
    json_value_append(conflicts->list, object);
}

/* ---- what the projection found --------------------------------------------------------------
 */

/* Who created an object, or last wrote what made it dangle. */
struct origin {
    uint16_t facet;
    struct conflict_entry entry;
    bool found;
    char author[ADMIN_AUTHOR_SIZE];
};

static void note_origin(void *context, const struct conflict_view *facet)
{
    struct origin *origin = context;
    if (facet->facet != origin->facet)
        return;
    origin->found = true;
    origin->entry = facet->entries[0];
    snprintf(origin->author, sizeof(origin->author), "%s", facet->entries[0].author);
    origin->entry.author = origin->author;
    origin->entry.value = (struct bytes){0};
}

static struct json_value *origin_json(const struct node_state *state,
                                      const struct effective *at,
                                      const struct resource_class *class)
{
    struct origin origin = {.facet = FACET_CREATION};
    struct json_value *entries = json_value_array();
    replication_visit_entries(state->replication, &at->resource->id, note_origin, &origin);
    if (!origin.found)
        return entries;
    origin.entry.is_active = at->effective;
    const struct conflict_view view = {.facet = FACET_CREATION, .entries = &origin.entry};
    struct json_value *entry = entry_json(state, class, &view, 0);
    struct json_value *values = json_value_object();
    for (size_t i = 0; i < class->field_count; i++) {
        if (class->fields[i].facet == FACET_CREATION &&
            !(class->fields[i].flags & (FIELD_INTERNAL | FIELD_OWNER)))
            json_value_set(values, class->fields[i].name,
                           field_to_json(&class->fields[i], at->resource));
    }
    json_value_set(entry, "values", values);
    json_value_append(entries, entry);
    return entries;
}

static const char *kind_of_reason(enum ineffective_reason reason)
{
    switch (reason) {
    case REASON_CONFLICT: return "claim";
    case REASON_ORPHAN: return "orphan";
    case REASON_DANGLING: return "dangling";
    default: return NULL;
    }
}

static void add_projected(const struct node_state *state, struct json_value *list)
{
    const struct resource_class *class;
    const struct effective *at;
    for (size_t c = 0; (class = resource_class_at(c)); c++) {
        for (size_t i = 0; (at = configuration_at(state->configuration, class->type, i)); i++) {
            const char *kind = kind_of_reason(at->reason);
            if (!kind)
                continue;
            struct json_value *object =
                conflict_json(state, &at->resource->id, class, kind, at->reason_text);
            json_value_set_text(object, "facet", NULL);
            json_value_set(object, "attributes", facet_attributes(class, FACET_CREATION));
            json_value_set(object, "entries", origin_json(state, at, class));
            json_value_append(list, object);
        }
    }
}

void conflicts_list(struct admin_request *request)
{
    struct conflict_list conflicts = {request->state, json_value_array()};
    replication_visit_conflicts(request->state->replication, add_conflict, &conflicts);
    add_projected(request->state, conflicts.list);
    admin_answer_wrapped(request, 200, "conflicts", conflicts.list);
}

/* ---- closing one ----------------------------------------------------------------------------
 */

struct choice {
    struct uuid object_id;
    const char *facet; /* its name */
    int64_t number;    /* of the entry, from 1 */
    bool found;
    size_t entry_count;
    struct change_set changes;
};

static void choose(void *context, const struct conflict_view *conflict)
{
    struct choice *choice = context;
    const struct resource_class *class = resource_class_of((enum resource_type)conflict->type);
    uint16_t wanted, facet = facet_to_resolve(conflict);
    if (choice->found || !uuid_equal(&conflict->object_id, &choice->object_id) ||
        !facet_by_name(class, choice->facet, &wanted) || wanted != facet)
        return;
    choice->found = true;
    choice->entry_count = conflict->entry_count;
    if (choice->number < 1 || choice->number > (int64_t)conflict->entry_count)
        return;
    static const uint8_t alive = 1;
    bool revive = conflict->kind == CONFLICT_LATE_EDIT && choice->number == 2;
    struct bytes value =
        revive ? (struct bytes){&alive, 1} : conflict->entries[choice->number - 1].value;
    change_set_add(&choice->changes, &conflict->object_id, &conflict->owner, conflict->type,
                   facet, value);
}

static void answer_resolved(struct admin_request *request)
{
    struct json_value *answer = json_value_object();
    json_value_set_text(answer, "object_id", request->parameters[0]);
    json_value_set_text(answer, "facet", request->parameters[1]);
    admin_answer_wrapped(request, 200, "conflict", answer);
}

/* {"take": N}: writes entry N again, which covers all others. */
void conflict_resolve(struct admin_request *request)
{
    struct error error = {0};
    struct choice choice = {.facet = request->parameters[1]};
    const struct json_value *take = json_value_get(request->body, "take");
    if (!take || json_value_kind(take) != JSON_KIND_INTEGER)
        error_invalid_field(&error, "take", "", "Value should be the number of an entry");
    else if (!uuid_parse(request->parameters[0], &choice.object_id))
        error_set(&error, ERROR_NOT_FOUND, "Object %.64s not found.", request->parameters[0]);
    if (error.kind != ERROR_NONE) {
        admin_answer_error(request, &error);
        return;
    }
    choice.number = json_value_number(take);
    replication_visit_conflicts(request->state->replication, choose, &choice);
    if (choice.changes.count == 1) {
        admin_change_submit(request, &choice.changes, &choice.object_id, 200, answer_resolved);
        return;
    }
    if (choice.found)
        error_set(&error, ERROR_INVALID, "The conflict has no entry %lld, only 1 to %zu.",
                  (long long)choice.number, choice.entry_count);
    else
        error_set(&error, ERROR_NOT_FOUND,
                  "%.64s of object %.64s has no open conflict with values to choose from.",
                  choice.facet, request->parameters[0]);
    change_set_free(&choice.changes);
    admin_answer_error(request, &error);
}

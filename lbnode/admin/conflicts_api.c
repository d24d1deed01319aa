/* Open conflicts: what two nodes changed without knowing of each other, and which of the values
 * holds now. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/facet_text.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

static const char *name_of(const struct node_state *state, const struct uuid *id)
{
    const struct effective *object = configuration_find(state->configuration, id);
    return object ? object->resource->name : NULL;
}

struct conflict_list {
    const struct node_state *state;
    struct json_value *list;
};

static struct json_value *entry_json(const struct node_state *state,
                                     const struct resource_class *class,
                                     const struct conflict_view *conflict,
                                     const struct conflict_entry *entry)
{
    char time[WALLTIME_TEXT_SIZE], node[UUID_TEXT_SIZE];
    struct json_value *object = json_value_object();
    const char *node_name = name_of(state, &entry->node_id);
    walltime_format(entry->wall_ms, time);
    uuid_format(&entry->node_id, node);
    json_value_set(object, "values", facet_values(class, conflict->facet, entry->value));
    json_value_set_text(object, "time", time);
    json_value_set_text(object, "node", node_name ? node_name : node);
    json_value_set_text(object, "author", entry->author);
    json_value_set_bool(object, "active", entry->is_active);
    return object;
}

static void add_conflict(void *context, const struct conflict_view *conflict)
{
    struct conflict_list *conflicts = context;
    const struct resource_class *class = resource_class_of((enum resource_type)conflict->type);
    char id[UUID_TEXT_SIZE], facet[FACET_NAME_SIZE];
    struct json_value *object = json_value_object(), *entries = json_value_array();
    uuid_format(&conflict->object_id, id);
    facet_name(class, conflict->facet, facet);
    json_value_set_text(object, "object_id", id);
    json_value_set_text(object, "object_type", class ? class->noun : NULL);
    json_value_set_text(object, "object_name", name_of(conflicts->state, &conflict->object_id));
    json_value_set_text(object, "facet", facet);
    json_value_set(object, "attributes", facet_attributes(class, conflict->facet));
    for (size_t i = 0; i < conflict->entry_count; i++)
        json_value_append(entries,
                          entry_json(conflicts->state, class, conflict, &conflict->entries[i]));
    json_value_set(object, "entries", entries);
    json_value_append(conflicts->list, object);
}

void conflicts_list(struct admin_request *request)
{
    struct conflict_list conflicts = {request->state, json_value_array()};
    replication_visit_conflicts(request->state->replication, add_conflict, &conflicts);
    admin_answer_wrapped(request, 200, "conflicts", conflicts.list);
}

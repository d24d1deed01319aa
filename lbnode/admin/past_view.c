#include "lbnode/admin/past_view.h"

#include "lbnode/admin/facet_text.h"
#include "lbnode/base/monotime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------ */

static void copy_name(struct bytes meta, uint8_t type, char out[PAST_OBJECT_NAME_SIZE])
{
    struct resource *scratch = resource_class_of(type) ? resource_new(type) : NULL;
    if (scratch && resource_read_facet(scratch, FACET_META, meta, NULL))
        snprintf(out, PAST_OBJECT_NAME_SIZE, "%s", scratch->name);
    resource_free(scratch);
}

static void take_name(void *context, const struct conflict_view *facet)
{
    if (facet->facet == FACET_META)
        copy_name(facet->entries[0].value, facet->type, context);
}

void past_object_name(const struct node_state *state,
                      const struct uuid *id,
                      char out[PAST_OBJECT_NAME_SIZE])
{
    const struct effective *object = configuration_find(state->configuration, id);
    out[0] = '\0';
    if (object)
        snprintf(out, PAST_OBJECT_NAME_SIZE, "%s", object->resource->name);
    else if (replication_is_root(state->replication, id))
        snprintf(out, PAST_OBJECT_NAME_SIZE, "recovery code");
    else
        replication_visit_entries(state->replication, id, take_name, out);
}

struct search {
    const char *name;
    struct uuid found;
    size_t count;
};

static void note_found(struct search *search, const struct uuid *id)
{
    if (search->count == 0 || !uuid_equal(&search->found, id))
        search->count++;
    search->found = *id;
}

static void search_living(const struct configuration *configuration, struct search *search)
{
    const struct resource_class *class;
    const struct effective *at;
    for (size_t c = 0; (class = resource_class_at(c)); c++)
        for (size_t i = 0; (at = configuration_at(configuration, class->type, i)); i++)
            if (strcmp(at->resource->name, search->name) == 0)
                note_found(search, &at->resource->id);
}

static bool match_name(void *context, const struct raw_facet *facet)
{
    struct search *search = context;
    char name[PAST_OBJECT_NAME_SIZE] = "";
    if (facet->facet != FACET_META)
        return true;
    copy_name(facet->value, facet->type, name);
    if (strcmp(name, search->name) == 0)
        note_found(search, &facet->object_id);
    return true;
}

bool past_find_object(const struct node_state *state,
                      const char *name_or_id,
                      struct uuid *out,
                      struct error *error)
{
    struct search search = {.name = name_or_id};
    if (uuid_parse(name_or_id, out))
        return true;
    if (*name_or_id)
        search_living(state->configuration, &search);
    if (*name_or_id && search.count == 0)
        replication_visit_facets(state->replication, match_name, &search);
    if (search.count == 0)
        return error_set(error, ERROR_NOT_FOUND,
                         "No object has or had the name '%.64s'; one that was deleted long ago "
                         "is found by its id.",
                         name_or_id);
    if (search.count > 1)
        return error_set(error, ERROR_CONFLICT,
                         "Several objects have or had the name '%.64s'; use an id.",
                         name_or_id);
    *out = search.found;
    return true;
}

/* ---- differences ------------------------------------------------------------------------ */

static bool is_same(const struct json_value *a, const struct json_value *b)
{
    enum json_kind kind = json_value_kind(a);
    if (kind != json_value_kind(b))
        return false;
    if (kind == JSON_KIND_STRING)
        return strcmp(json_value_text(a), json_value_text(b)) == 0;
    if (kind == JSON_KIND_BOOL || kind == JSON_KIND_INTEGER)
        return json_value_truth(a) == json_value_truth(b) &&
               json_value_number(a) == json_value_number(b);
    char *left = json_value_print(a, 0), *right = json_value_print(b, 0);
    bool same = left && right && strcmp(left, right) == 0;
    free(left);
    free(right);
    return same;
}

static void add_attribute(struct json_value *attributes,
                          const char *name,
                          const struct json_value *before,
                          const struct json_value *after)
{
    struct json_value *attribute = json_value_object();
    json_value_set_text(attribute, "name", name);
    json_value_set(attribute, "before", before ? json_value_copy(before) : json_value_null());
    json_value_set(attribute, "after", after ? json_value_copy(after) : json_value_null());
    json_value_append(attributes, attribute);
}

static bool is_empty(const struct json_value *value)
{
    const char *text = json_value_text(value);
    enum json_kind kind = json_value_kind(value);
    return json_value_is_null(value) || (text && !*text) ||
           ((kind == JSON_KIND_ARRAY || kind == JSON_KIND_OBJECT) &&
            json_value_count(value) == 0);
}

static struct json_value *
values_of(const struct resource_class *class, uint16_t facet, const struct bytes *value)
{
    return value ? facet_values(class, facet, *value) : json_value_object();
}

void past_add_differences(struct json_value *attributes,
                          uint8_t type,
                          uint16_t facet,
                          const struct bytes *before,
                          const struct bytes *after)
{
    const struct resource_class *class = resource_class_of((enum resource_type)type);
    struct json_value *old = values_of(class, facet, before);
    struct json_value *new = values_of(class, facet, after);
    const struct json_value *names = json_value_count(new) > 0 ? new : old;
    for (void *at = json_value_first(names); at; at = json_value_next(names, at)) {
        const struct json_value *left = json_value_get(old, json_value_key(at));
        const struct json_value *right = json_value_get(new, json_value_key(at));
        if ((is_empty(left) && is_empty(right)) || is_same(left, right))
            continue;
        add_attribute(attributes, json_value_key(at), left, right);
    }
    json_value_free(old);
    json_value_free(new);
}

/* ---- changes ---------------------------------------------------------------------------- */

struct json_value *past_change_json(const struct node_state *state,
                                    const struct past_change *change)
{
    char id[UUID_TEXT_SIZE], time[WALLTIME_TEXT_SIZE], node[PAST_OBJECT_NAME_SIZE];
    struct json_value *object = json_value_object();
    uuid_format(&change->change_id, id);
    walltime_format(change->wall_ms, time);
    past_object_name(state, &change->node_id, node);
    if (!*node)
        uuid_format(&change->node_id, node);
    json_value_set_text(object, "id", id);
    json_value_set_text(object, "time", time);
    json_value_set_text(object, "author", change->author);
    json_value_set_text(object, "via", change->via);
    json_value_set_text(object, "node", node);
    json_value_set_number(object, "operations", (int64_t)change->op_count);
    json_value_set(object, "changes", json_value_array());
    return object;
}

struct json_value *past_object_json(const struct node_state *state,
                                    const struct uuid *id,
                                    uint8_t type,
                                    const char *action)
{
    const struct resource_class *class = resource_class_of((enum resource_type)type);
    char text[UUID_TEXT_SIZE], name[PAST_OBJECT_NAME_SIZE];
    struct json_value *object = json_value_object();
    uuid_format(id, text);
    past_object_name(state, id, name);
    json_value_set_text(object, "object_id", text);
    json_value_set_text(object, "object_type", class ? class->noun : NULL);
    json_value_set_text(object, "object_name", name);
    json_value_set_text(object, "action", action);
    json_value_set(object, "attributes", json_value_array());
    return object;
}

static bool is_alive(struct bytes value)
{
    return value.size > 0 && value.data[0] != 0;
}

static const char *action_of(const struct past_op *op)
{
    if (op->facet != FACET_LIFE)
        return "update";
    if (!is_alive(op->value))
        return "delete";
    if (op->has_before != BEFORE_KNOWN)
        return "create";
    return is_alive(op->before) ? "update" : "revive";
}

/* Operations on one object stand together in a change, its life first. */
void past_add_op(const struct node_state *state,
                 struct json_value *change,
                 const struct past_op *op)
{
    struct json_value *list = json_value_get(change, "changes");
    size_t count = json_value_count(list);
    struct json_value *object = count > 0 ? json_value_at(list, count - 1) : NULL;
    char id[UUID_TEXT_SIZE];
    uuid_format(&op->object_id, id);
    const char *last = json_value_get_text(object, "object_id");
    if (!last || strcmp(last, id) != 0) {
        object = past_object_json(state, &op->object_id, op->type, action_of(op));
        json_value_append(list, object);
    }
    if (op->overruled)
        json_value_set_bool(object, "overruled", true);
    if (op->facet == FACET_LIFE)
        return;
    bool known = op->has_before == BEFORE_KNOWN;
    past_add_differences(json_value_get(object, "attributes"), op->type, op->facet,
                         known ? &op->before : NULL, &op->value);
    if (op->has_before == BEFORE_GONE)
        json_value_set_bool(object, "before_is_gone", true);
}

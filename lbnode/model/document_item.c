#include "lbnode/model/document_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/model/field_value.h"
#include "lbnode/model/sensitive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ----------------------------------------------------------------------------------
 */

bool document_key_is_nested(const struct resource_class *class, const char *key)
{
    static const struct {
        enum resource_type type;
        const char *key;
    } nested[] = {
        {RESOURCE_LOAD_BALANCER, "listeners"},
        {RESOURCE_LOAD_BALANCER, "pools"},
        {RESOURCE_POOL, "members"},
        {RESOURCE_POOL, "healthmonitor"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(nested); i++) {
        if (nested[i].type == class->type && strcmp(nested[i].key, key) == 0)
            return true;
    }
    return false;
}

bool document_reference_key(const struct field *field, char *out, size_t out_size)
{
    size_t length = strlen(field->name);
    if (field->type != FIELD_ID || field->refers_to == RESOURCE_NONE ||
        field->flags & (FIELD_OWNER | FIELD_INTERNAL) || length <= 3 ||
        strcmp(field->name + length - 3, "_id") != 0)
        return false;
    snprintf(out, out_size, "%.*s", (int)(length - 3), field->name);
    return true;
}

bool document_field_equal(const struct field *field,
                          const struct resource *a,
                          const struct resource *b)
{
    const void *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;
    switch (field->type) {
    case FIELD_BOOL: return *(const bool *)x == *(const bool *)y;
    case FIELD_INTEGER:
    case FIELD_ENUM: return *(const int64_t *)x == *(const int64_t *)y;
    case FIELD_TEXT: return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case FIELD_ID: return uuid_equal(x, y);
    case FIELD_ADDRESS: return ip_address_equal(x, y);
    case FIELD_TEXT_LIST:
    case FIELD_TEXT_MAP: return text_list_equal(x, y);
    case FIELD_SEALED: return sealed_value_equal(x, y);
    }
    return false;
}

bool planner_refuse(struct planner *planner, const char *path)
{
    struct error *error = planner->error;
    if (!error)
        return false;
    char text[sizeof(error->text)];
    memcpy(text, error->text, sizeof(text));
    return error_set(error, error->kind, "%s: %s", path, text);
}

bool planner_out_of_memory(struct planner *planner)
{
    return error_set(planner->error, ERROR_INTERNAL, "out of memory");
}

void document_label(const struct resource *resource, char *out, size_t out_size)
{
    char id[UUID_TEXT_SIZE], text[IP_ENDPOINT_TEXT_SIZE];
    if (*resource->name) {
        snprintf(out, out_size, "%s", resource->name);
    } else if (resource->type == RESOURCE_MEMBER) {
        const struct member *member = (const struct member *)resource;
        struct ip_endpoint endpoint = {member->address, (uint16_t)member->protocol_port};
        ip_endpoint_format(&endpoint, text);
        snprintf(out, out_size, "%s", text);
    } else {
        uuid_format(&resource->id, id);
        snprintf(out, out_size, "%s", id);
    }
}

bool planner_add_step(struct planner *planner,
                      enum document_action action,
                      const struct resource *resource,
                      const char *path,
                      char *detail)
{
    struct document_plan *plan = planner->plan;
    char *copy = strdup(path);
    if (copy && plan->step_count == planner->step_capacity) {
        size_t capacity = planner->step_capacity ? planner->step_capacity * 2 : 16;
        struct document_step *steps = realloc(plan->steps, capacity * sizeof(*steps));
        if (steps) {
            plan->steps = steps;
            planner->step_capacity = capacity;
        }
    }
    if (!copy || plan->step_count == planner->step_capacity) {
        free(copy);
        free(detail);
        return planner_out_of_memory(planner);
    }
    plan->steps[plan->step_count++] =
        (struct document_step){action, resource->type, resource->id, copy, detail};
    return true;
}

/* ---- opening and matching -------------------------------------------------------------------
 */

static void item_label(const struct document_item *item, size_t index, char *out, size_t size)
{
    const char *name = json_value_get_text(item->value, "name");
    const char *id = json_value_get_text(item->value, "id");
    const char *address = json_value_get_text(item->value, "address");
    long long port = (long long)json_value_number(json_value_get(item->value, "protocol_port"));
    if (name || id)
        snprintf(out, size, "%.64s", name ? name : id);
    else if (address && port)
        snprintf(out, size, "%.46s:%lld", address, port);
    else
        snprintf(out, size, "#%zu", index + 1);
}

bool document_item_open(struct planner *planner,
                        const struct document_item *parent,
                        const struct resource_class *class,
                        const struct uuid *owner,
                        const struct json_value *value,
                        size_t index,
                        struct document_item *out)
{
    char label[80];
    *out = (struct document_item){.class = class, .value = value};
    if (owner)
        out->owner = *owner;
    if (class->type == RESOURCE_HEALTH_MONITOR)
        label[0] = '\0'; /* there is only one in a pool */
    else
        item_label(out, index, label, sizeof(label));
    snprintf(out->path, sizeof(out->path), "%s%s%s%s%s", parent ? parent->path : "",
             parent ? " / " : "", class->noun, *label ? " " : "", label);
    if (json_value_kind(value) == JSON_KIND_OBJECT)
        return true;
    error_set(planner->error, ERROR_INVALID,
              "Invalid input: a %s must be a mapping of attributes", class->noun);
    return planner_refuse(planner, out->path);
}

static bool match_id(struct planner *planner,
                     const struct document_item *item,
                     const char *text,
                     const struct resource **out)
{
    struct uuid id;
    if (!text || !uuid_parse(text, &id) || uuid_is_zero(&id)) {
        error_invalid_field(planner->error, "id", text ? text : "",
                            "Value should be UUID format");
        return planner_refuse(planner, item->path);
    }
    const struct effective *found = configuration_find(planner->scratch, &id);
    if (!found)
        return true;
    if (found->resource->type != item->class->type ||
        !uuid_equal(&found->resource->owner, &item->owner)) {
        error_set(planner->error, ERROR_CONFLICT, "%s is the id of something elsewhere", text);
        return planner_refuse(planner, item->path);
    }
    *out = found->resource;
    return true;
}

static bool match_name(struct planner *planner,
                       const struct document_item *item,
                       const char *name,
                       const struct resource **out)
{
    const struct object *at =
        configuration_named(planner->scratch, item->class->type, &item->owner, name);
    for (; at; at = at->next[INDEX_NAME]) {
        if (strcmp(at->effective.resource->name, name) != 0)
            continue;
        if (*out) {
            error_set(planner->error, ERROR_CONFLICT,
                      "Several %ss are named %.64s; use the id.", item->class->title, name);
            return planner_refuse(planner, item->path);
        }
        *out = at->effective.resource;
    }
    return true;
}

/* Without a name: the object that holds what ITEM would claim (port, address, pool). */
static bool match_claim(struct planner *planner,
                        const struct document_item *item,
                        const struct resource **out)
{
    const struct resource_class *class = item->class;
    struct resource *probe = resource_new(class->type);
    if (!probe)
        return planner_out_of_memory(planner);
    probe->owner = item->owner;
    bool read = true;
    for (size_t i = 0; read && i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        const struct json_value *value = json_value_get(item->value, field->name);
        if (value && field->flags & FIELD_CREATE_ONLY && !(field->flags & FIELD_OWNER))
            read = field_from_json(field, probe, value, planner->error);
    }
    const struct object *holder =
        read ? configuration_claimants(planner->scratch, probe) : NULL;
    resource_free(probe);
    if (holder)
        *out = holder->effective.resource;
    return read || planner_refuse(planner, item->path);
}

bool document_item_match(struct planner *planner,
                         const struct document_item *item,
                         const struct resource **out)
{
    const struct json_value *id = json_value_get(item->value, "id");
    const char *name = json_value_get_text(item->value, "name");
    *out = NULL;
    if (id)
        return match_id(planner, item, json_value_text(id), out);
    if (item->class->type == RESOURCE_HEALTH_MONITOR)
        return match_claim(planner, item, out);
    if (name && *name)
        return match_name(planner, item, name, out);
    if (item->class->type == RESOURCE_POOL || item->class->type == RESOURCE_VRRP_GROUP ||
        item->class->type == RESOURCE_SECRET) {
        error_invalid_field(planner->error, "name", "None", "Mandatory field missing.");
        return planner_refuse(planner, item->path);
    }
    return match_claim(planner, item, out);
}

/* ---- from the document's words to a resource ------------------------------------------------
 */

static const struct field *find_reference(const struct resource_class *class, const char *key)
{
    char short_key[64];
    for (size_t i = 0; i < class->field_count; i++) {
        if (document_reference_key(&class->fields[i], short_key, sizeof(short_key)) &&
            strcmp(short_key, key) == 0)
            return &class->fields[i];
    }
    return NULL;
}

/* Sets FIELD's attribute to the id of what is called VALUE. Siblings refer to siblings: what
 * has the same kind of owner is looked for below the same owner. */
static bool resolve_reference(struct planner *planner,
                              const struct document_item *item,
                              const struct field *field,
                              const char *key,
                              const struct json_value *value,
                              struct json_value *attributes)
{
    static const struct uuid no_owner;
    const struct resource_class *target = resource_class_of(field->refers_to);
    char id[UUID_TEXT_SIZE];
    if (json_value_is_null(value))
        return true;
    if (!json_value_text(value))
        return error_invalid_field(planner->error, key, "", "Value should be a name or an id");
    bool siblings = target->owner_type == item->class->owner_type;
    const struct effective *found = configuration_lookup(
        planner->scratch, field->refers_to, siblings ? &item->owner : &no_owner,
        json_value_text(value), planner->error);
    if (!found)
        return false;
    uuid_format(&found->resource->id, id);
    json_value_set_text(attributes, field->name, id);
    return true;
}

static bool copy_attribute(struct planner *planner,
                           const struct document_item *item,
                           const char *key,
                           const struct json_value *value,
                           struct json_value *attributes)
{
    const struct resource_class *class = item->class;
    if (strcmp(key, "id") == 0 || document_key_is_nested(class, key))
        return true;
    const struct field *field = find_reference(class, key);
    if (field)
        return resolve_reference(planner, item, field, key, value, attributes);
    field = field_find(class, key);
    if (!field || field->flags & (FIELD_OWNER | FIELD_INTERNAL))
        return error_set(planner->error, ERROR_INVALID,
                         "Unknown attribute for argument %s: %.64s", class->noun, key);
    json_value_set(attributes, key, json_value_copy(value));
    return true;
}

/* What an update need not repeat: mandatory and unchangeable attributes keep their value. All
 * others that are absent go back to their default, so that a document says everything. */
static void keep_attributes(const struct document_item *item,
                            const struct resource *existing,
                            struct json_value *attributes)
{
    for (size_t i = 0; i < item->class->field_count; i++) {
        const struct field *field = &item->class->fields[i];
        char id[UUID_TEXT_SIZE];
        if (field->flags & FIELD_OWNER) {
            uuid_format(&item->owner, id);
            json_value_set_text(attributes, field->name, id);
            continue;
        }
        if (!existing || field->flags & FIELD_INTERNAL ||
            !(field->flags & (FIELD_REQUIRED | FIELD_CREATE_ONLY)) ||
            json_value_get(attributes, field->name))
            continue;
        struct json_value *value = field_to_json(field, existing);
        if (json_value_is_null(value))
            json_value_free(value);
        else
            json_value_set(attributes, field->name, value);
    }
}

static bool keep_hidden_fields(const struct resource_class *class,
                               const struct json_value *item,
                               const struct resource *existing,
                               struct resource *resource)
{
    bool kept = true;
    for (size_t i = 0; kept && i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (field->type == FIELD_SEALED && !json_value_get(item, field->name))
            kept = field_copy(field, existing, resource); /* a document need not have it */
        if (!(field->flags & FIELD_INTERNAL))
            continue;
        struct json_value *value = field_to_json(&class->fields[i], existing);
        kept = field_from_json(&class->fields[i], resource, value, NULL);
        json_value_free(value);
    }
    return kept;
}

/* As people write it: texts without quotes, unless there would be nothing to see. */
static char *plain_value(const struct field *field, const struct resource *resource)
{
    struct json_value *value = field_to_json(field, resource);
    const char *text = json_value_text(value);
    char *plain = text && *text ? strdup(text) : json_value_print(value, 0);
    json_value_free(value);
    return plain;
}

static bool check_create_only(struct planner *planner,
                              const struct resource_class *class,
                              const struct resource *existing,
                              const struct resource *resource)
{
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (!(field->flags & FIELD_CREATE_ONLY) || field->flags & FIELD_OWNER ||
            document_field_equal(field, existing, resource))
            continue;
        char *old = plain_value(field, existing), *new = plain_value(field, resource);
        error_set(planner->error, ERROR_INVALID,
                  "Invalid input for field/attribute %s. Value: '%.80s'. It is %.80s since the "
                  "creation and cannot change; delete the %s first.",
                  field->name, new ? new : "", old ? old : "", class->noun);
        free(old);
        free(new);
        return false;
    }
    return true;
}

/* The resource that ITEM describes; EXISTING is NULL for a new one. */
static struct resource *read_item(struct planner *planner,
                                  const struct document_item *item,
                                  const struct resource *existing)
{
    struct json_value *attributes = json_value_object();
    struct resource *resource = NULL;
    bool copied = attributes != NULL;
    for (void *at = json_value_first(item->value); copied && at;
         at = json_value_next(item->value, at))
        copied =
            copy_attribute(planner, item, json_value_key(at), json_value_of(at), attributes);
    if (copied) {
        keep_attributes(item, existing, attributes);
        resource = resource_from_json(item->class, attributes, planner->error);
    }
    json_value_free(attributes);
    if (!resource)
        return NULL;
    resource->owner = item->owner;
    if (existing) {
        resource->id = existing->id;
        if (!check_create_only(planner, item->class, existing, resource) ||
            !keep_hidden_fields(item->class, item->value, existing, resource)) {
            resource_free(resource);
            return NULL;
        }
    } else if (json_value_get_text(item->value, "id")) {
        uuid_parse(json_value_get_text(item->value, "id"), &resource->id);
    }
    return resource;
}

/* ---- planning -------------------------------------------------------------------------------
 */

/* "weight 1 -> 5, backup false -> true"; NULL when out of memory. */
static char *describe_update(const struct resource_class *class,
                             const struct resource *before,
                             const struct resource *after)
{
    struct text text = {.limit = 4096};
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (document_field_equal(field, before, after))
            continue;
        if (field->type == FIELD_SEALED) {
            text_appendf(&text, "%s%s changed", text.length ? ", " : "", field->name);
            continue;
        }
        char *old = plain_value(field, before), *new = plain_value(field, after);
        text_appendf(&text, "%s%s %s -> %s", text.length ? ", " : "", field->name,
                     old ? old : "?", new ? new : "?");
        free(old);
        free(new);
    }
    char *copy = strdup(text_string(&text));
    text_free(&text);
    return copy;
}

static bool too_large(struct planner *planner)
{
    return error_set(planner->error, ERROR_TOO_LARGE,
                     "the document needs more than %d operations; split it",
                     CHANGE_SET_MAXIMUM_OPS);
}

static bool plan_create(struct planner *planner,
                        const struct document_item *item,
                        const struct resource *resource)
{
    if (!configuration_check_create(planner->scratch, resource, planner->error))
        return false;
    if (!change_set_add_create(planner->plan->changes, resource))
        return too_large(planner);
    return planner_add_step(planner, DOCUMENT_CREATE, resource, item->path, NULL);
}

static bool plan_update(struct planner *planner,
                        const struct document_item *item,
                        const struct resource *existing,
                        const struct resource *resource)
{
    if (!configuration_check_update(planner->scratch, existing, resource, planner->error))
        return false;
    int changed = change_set_add_update(planner->plan->changes, existing, resource);
    if (changed < 0)
        return too_large(planner);
    return changed == 0 || planner_add_step(planner, DOCUMENT_UPDATE, resource, item->path,
                                            describe_update(item->class, existing, resource));
}

bool document_item_plan(struct planner *planner,
                        const struct document_item *item,
                        struct uuid *out_id)
{
    const struct resource *existing = NULL;
    if (!document_item_match(planner, item, &existing))
        return false;
    if (existing && uuid_map_get(&planner->done, &existing->id)) {
        error_set(planner->error, ERROR_INVALID, "Invalid input: the document names it twice");
        return planner_refuse(planner, item->path);
    }
    struct resource *resource = read_item(planner, item, existing);
    if (!resource)
        return planner_refuse(planner, item->path);
    *out_id = resource->id;
    bool planned = sensitive_seal(resource, existing, planner->keys, planner->error);
    planned = planned && (existing ? plan_update(planner, item, existing, resource)
                                   : plan_create(planner, item, resource));
    if (!planned) {
        resource_free(resource);
        return planner_refuse(planner, item->path);
    }
    if (!configuration_scratch_put(planner->scratch, resource) ||
        !uuid_map_set(&planner->done, out_id, planner))
        return planner_out_of_memory(planner);
    return true;
}

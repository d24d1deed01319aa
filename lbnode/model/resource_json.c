#include "lbnode/base/suggestion.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/field_value.h"

#include <stdio.h>
#include <string.h>

static bool is_attribute(const struct field *field)
{
    return !(field->flags & FIELD_INTERNAL);
}

/* Octavia's sentence, with a hint behind it when there is one. */
static bool refuse_unknown(const struct resource_class *class,
                           const char *key,
                           bool updating,
                           struct error *error)
{
    struct suggestion suggestion;
    char hint[120] = "";
    const struct field *field = field_find(class, key);
    suggestion_init(&suggestion, key);
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *candidate = &class->fields[i];
        if (is_attribute(candidate) && !(updating && (candidate->flags & FIELD_CREATE_ONLY)))
            suggestion_offer(&suggestion, candidate->name);
    }
    if (field && is_attribute(field))
        snprintf(hint, sizeof(hint), " (it is set at creation and cannot be changed)");
    else if (suggestion.nearest)
        snprintf(hint, sizeof(hint), " (did you mean %s?)", suggestion.nearest);
    return error_set(error, ERROR_INVALID, "Unknown attribute for argument %s.%s: %.100s%s",
                     class->noun, class->noun, key, hint);
}

static bool apply_object(struct resource *resource,
                         const struct json_value *object,
                         bool updating,
                         struct error *error)
{
    const struct resource_class *class = resource_class_of(resource->type);
    if (json_value_kind(object) != JSON_KIND_OBJECT)
        return error_set(error, ERROR_INVALID, "%s should be an object of attributes",
                         class->noun);
    for (void *at = json_value_first(object); at; at = json_value_next(object, at)) {
        const char *key = json_value_key(at);
        const struct json_value *value = json_value_of(at);
        const struct field *field =
            field_find(class, strcmp(key, "tenant_id") == 0 ? "project_id" : key);
        if (!field || !is_attribute(field) || (updating && (field->flags & FIELD_CREATE_ONLY)))
            return refuse_unknown(class, key, updating, error);
        bool absent = !updating && json_value_is_null(value);
        if (!absent && !field_from_json(field, resource, value, error))
            return false;
    }
    return resource_check(resource, error);
}

static bool check_mandatory(const struct resource_class *class,
                            const struct json_value *object,
                            struct error *error)
{
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if ((field->flags & FIELD_REQUIRED) && !(field->flags & FIELD_OWNER) &&
            json_value_is_null(json_value_get(object, field->name)))
            return error_invalid_field(error, field->name, "None", "Mandatory field missing.");
    }
    return true;
}

struct resource *resource_from_json(const struct resource_class *class,
                                    const struct json_value *object,
                                    struct error *error)
{
    struct resource *resource = resource_new(class->type);
    if (!resource) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    resource->id = uuid_random();
    /* A misspelt key first: it is why another one is missing. */
    bool known = true;
    for (void *at = json_value_first(object); at && known; at = json_value_next(object, at)) {
        const char *key = json_value_key(at);
        const struct field *field = field_find(class, key);
        if ((!field || !is_attribute(field)) && strcmp(key, "tenant_id") != 0)
            known = refuse_unknown(class, key, false, error);
    }
    if (known && check_mandatory(class, object, error) &&
        apply_object(resource, object, false, error))
        return resource;
    resource_free(resource);
    return NULL;
}

bool resource_update_from_json(struct resource *resource,
                               const struct json_value *object,
                               struct error *error)
{
    struct resource *changed = resource_copy(resource);
    if (!changed)
        return error_set(error, ERROR_INTERNAL, "out of memory");
    bool good = apply_object(changed, object, true, error);
    if (good)
        resource_exchange(resource, changed);
    resource_free(changed);
    return good;
}

struct json_value *resource_to_json(const struct resource *resource)
{
    const struct resource_class *class = resource_class_of(resource->type);
    struct json_value *object = json_value_object();
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (is_attribute(field) && !(field->flags & FIELD_OWNER) && field->type != FIELD_SEALED)
            json_value_set(object, field->name, field_to_json(field, resource));
    }
    return object;
}

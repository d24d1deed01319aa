#include "lbnode/model/field_table.h"

#include "lbnode/model/field_rows.h"

#include <string.h>

/* Owners before what they own. */
static const struct resource_class *const classes[] = {
    &vrrp_group_class, &load_balancer_class, &pool_class,
    &listener_class,   &member_class,        &health_monitor_class,
    &node_class,       &secret_class,        NULL,
};

const struct resource_class *resource_class_of(enum resource_type type)
{
    for (size_t i = 0; classes[i]; i++) {
        if (classes[i]->type == type)
            return classes[i];
    }
    return type == RESOURCE_KEY_GRANT ? &key_grant_class : NULL;
}

const struct resource_class *resource_class_by_noun(const char *noun)
{
    for (size_t i = 0; classes[i]; i++) {
        const struct resource_class *class = classes[i];
        if (strcmp(noun, class->noun) == 0 || strcmp(noun, class->plural) == 0 ||
            (class->short_noun && strcmp(noun, class->short_noun) == 0))
            return class;
    }
    return NULL;
}

const struct resource_class *resource_class_at(size_t index)
{
    return index < ARRAY_LENGTH(classes) ? classes[index] : NULL;
}

const struct field *field_find(const struct resource_class *class, const char *name)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (strcmp(class->fields[i].name, name) == 0)
            return &class->fields[i];
    }
    return NULL;
}

static const char *type_name(const struct field *field)
{
    static const char *const names[] = {
        [FIELD_BOOL] = "boolean",   [FIELD_INTEGER] = "integer", [FIELD_TEXT] = "string",
        [FIELD_ENUM] = "choice",    [FIELD_ID] = "id",           [FIELD_ADDRESS] = "address",
        [FIELD_TEXT_LIST] = "list", [FIELD_TEXT_MAP] = "map",    [FIELD_SEALED] = "sealed",
    };
    return names[field->type];
}

static struct json_value *describe_field(const struct field *field)
{
    struct json_value *object = json_value_object();
    json_value_set_text(object, "name", field->name);
    json_value_set_text(object, "type", type_name(field));
    json_value_set_bool(object, "required",
                        (field->flags & FIELD_REQUIRED) && !(field->flags & FIELD_PICKED));
    json_value_set_bool(object, "create_only", field->flags & FIELD_CREATE_ONLY);
    json_value_set_bool(object, "nullable", field->flags & FIELD_NULLABLE);
    if (field->type == FIELD_INTEGER || field->type == FIELD_TEXT ||
        field->type == FIELD_SEALED) {
        json_value_set_number(object, "minimum", field->minimum);
        json_value_set_number(object, "maximum", field->maximum);
    }
    json_value_set_text(object, "default", field->default_text);
    if (field->choices) {
        struct json_value *choices = json_value_array();
        for (size_t i = 0; field->choices[i]; i++)
            json_value_append(choices, json_value_string(field->choices[i]));
        json_value_set(object, "choices", choices);
    }
    if (field->unit)
        json_value_set_text(object, "unit", field->unit);
    json_value_set_text(object, "help", field->help);
    return object;
}

struct json_value *field_table_describe(void)
{
    struct json_value *root = json_value_object(), *resources = json_value_array();
    for (size_t i = 0; classes[i]; i++) {
        const struct resource_class *class = classes[i];
        struct json_value *object = json_value_object(), *attributes = json_value_array();
        json_value_set_text(object, "noun", class->noun);
        json_value_set_text(object, "plural", class->plural);
        json_value_set_text(object, "path", class->path);
        for (size_t f = 0; f < class->field_count; f++) {
            if (!(class->fields[f].flags & FIELD_INTERNAL))
                json_value_append(attributes, describe_field(&class->fields[f]));
        }
        json_value_set(object, "attributes", attributes);
        json_value_append(resources, object);
    }
    json_value_set(root, "resources", resources);
    return root;
}

#include "lbnode/cli/attributes.h"

#include "lbnode/base/parse_number.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/secret_commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct json_value *choice_value(const struct field *field, const char *text)
{
    for (size_t i = 0; field->choices[i]; i++) {
        if (strcasecmp(field->choices[i], text) == 0)
            return json_value_string(field->choices[i]);
    }
    return json_value_string(text); /* the daemon's sentence lists the valid ones */
}

static struct json_value *reference_value(const struct context *context,
                                          const struct field *field,
                                          const char *text,
                                          struct error *error)
{
    char id[UUID_TEXT_SIZE];
    const struct resource_class *class = resource_class_of(field->refers_to);
    if (!class)
        return json_value_string(text);
    if (!lookup_id(&context->client, class, NULL, text, id, error))
        return NULL;
    return json_value_string(id);
}

/* "ip-address=10.0.0.1,subnet-id=..." as in OpenStack's client, or the address alone. */
static struct json_value *vip_item(const char *text)
{
    const char *address = strstr(text, "ip-address=");
    if (!address)
        return json_value_string(text);
    address += strlen("ip-address=");
    char *copy = strndup(address, strcspn(address, ","));
    struct json_value *item = json_value_string(copy);
    free(copy);
    return item;
}

static void add_to_list(const struct field *field, struct json_value *body, const char *text)
{
    struct json_value *list = json_value_get(body, field->name);
    if (json_value_kind(list) != JSON_KIND_ARRAY) {
        json_value_set(body, field->name, json_value_array());
        list = json_value_get(body, field->name);
    }
    for (size_t i = 0; i < json_value_count(list); i++) {
        const char *item = json_value_text(json_value_at(list, i));
        if (item && strcmp(item, text) == 0)
            return; /* a tag that it has already */
    }
    json_value_append(list, field->item == ITEM_VIP ? vip_item(text) : json_value_string(text));
}

/* NAME=VALUE,NAME=VALUE */
static bool add_to_map(const struct option *option,
                       struct json_value *body,
                       const char *text,
                       struct error *error)
{
    const char *name = option->field->name;
    if (json_value_kind(json_value_get(body, name)) != JSON_KIND_OBJECT)
        json_value_set(body, name, json_value_object());
    struct json_value *map = json_value_get(body, name);
    while (*text) {
        size_t size = strcspn(text, ",");
        char *pair = strndup(text, size);
        char *separator = pair ? strchr(pair, '=') : NULL;
        if (!separator || separator == pair) {
            error_set(error, ERROR_USAGE, "option --%s wants NAME=VALUE, not '%.*s'",
                      option->name, (int)size, text);
            free(pair);
            return false;
        }
        *separator = '\0';
        json_value_set_text(map, pair, separator + 1);
        free(pair);
        text += size + (text[size] == ',');
    }
    return true;
}

static struct json_value *scalar_value(const struct context *context,
                                       const struct field *field,
                                       const char *text,
                                       struct error *error)
{
    int64_t number;
    bool empty_is_text = field->type == FIELD_TEXT && !(field->flags & FIELD_NULLABLE);
    if (text[0] == '\0' && !empty_is_text)
        return json_value_null();
    switch (field->type) {
    case FIELD_BOOL: return json_value_bool(strcmp(text, "true") == 0);
    case FIELD_ENUM: return choice_value(field, text);
    case FIELD_ID: return reference_value(context, field, text, error);
    case FIELD_INTEGER:
        if (parse_integer(text, INT64_MIN, INT64_MAX, &number))
            return json_value_integer(number);
        return json_value_string(text);
    default: return json_value_string(text);
    }
}

static bool add_given(const struct context *context,
                      const struct given_option *given,
                      struct json_value *body,
                      struct error *error)
{
    const struct field *field = given->option->field;
    if (field->type == FIELD_TEXT_MAP)
        return add_to_map(given->option, body, given->value, error);
    if (field->type == FIELD_TEXT_LIST) {
        if (given->value[0] == '\0')
            json_value_set(body, field->name, json_value_array());
        else
            add_to_list(field, body, given->value);
        return true;
    }
    if (field->type == FIELD_SEALED && given->value[0])
        return secret_read_file(field, given->value, body, error);
    struct json_value *value = scalar_value(context, field, given->value, error);
    if (value)
        json_value_set(body, field->name, value);
    return value != NULL;
}

bool attributes_from_options(const struct context *context,
                             struct json_value *body,
                             struct error *error)
{
    for (size_t i = 0; i < context->arguments.given_count; i++) {
        const struct given_option *given = &context->arguments.given[i];
        if (given->option->field && !add_given(context, given, body, error))
            return false;
    }
    return true;
}

static const char *option_of(const struct context *context, const struct field *field)
{
    for (size_t i = 0; i < context->options.count; i++) {
        if (context->options.rows[i].field == field)
            return context->options.rows[i].name;
    }
    return field->name;
}

bool attributes_check_mandatory(const struct context *context,
                                const struct json_value *body,
                                struct error *error)
{
    struct text missing = {0};
    for (size_t i = 0; i < context->class->field_count; i++) {
        const struct field *field = &context->class->fields[i];
        if ((field->flags & FIELD_REQUIRED) && !(field->flags & (FIELD_OWNER | FIELD_PICKED)) &&
            !json_value_get(body, field->name))
            text_appendf(&missing, "%s--%s", missing.length ? " and " : "",
                         option_of(context, field));
    }
    bool good = missing.length == 0;
    if (!good)
        error_set(error, ERROR_USAGE, "%s %s needs %s", context->command->noun,
                  context->command->verb, text_string(&missing));
    text_free(&missing);
    return good;
}

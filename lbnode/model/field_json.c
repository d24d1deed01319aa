#include "lbnode/model/field_table.h"

#include "lbnode/crypto/crypto.h"
#include "lbnode/model/field_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SCALAR_SIZE = 40,
    MASK_HASH_SIZE = 8
};

/* ---- value -> JSON ----------------------------------------------------------------------- */

static struct json_value *list_to_json(const struct field *field, const struct text_list *list)
{
    struct json_value *array = json_value_array();
    for (size_t i = 0; i < list->count; i++) {
        struct json_value *item = json_value_string(list->items[i]);
        if (field->item == ITEM_VIP) {
            struct json_value *object = json_value_object();
            json_value_set(object, "subnet_id", json_value_null());
            json_value_set(object, "ip_address", item);
            json_value_set(object, "port_id", json_value_null());
            item = object;
        }
        json_value_append(array, item);
    }
    return array;
}

static struct json_value *map_to_json(const struct text_list *map)
{
    struct json_value *object = json_value_object();
    for (size_t i = 0; i < map->count; i++) {
        char *key = strdup(map->items[i]);
        char *separator = key ? strchr(key, '=') : NULL;
        if (separator) {
            *separator = '\0';
            json_value_set_text(object, key, separator + 1);
        }
        free(key);
    }
    return object;
}

static struct json_value *text_to_json(const struct field *field, const char *text)
{
    if (field->item == ITEM_DECIMAL)
        return json_value_real(strtod(text, NULL));
    return json_value_string(text);
}

/* Asterisks, and behind them what tells one box from another: a hash of the box. */
static struct json_value *mask(const struct sealed_value *sealed)
{
    const struct bytes box = sealed_value_bytes(sealed);
    uint8_t hash[MASK_HASH_SIZE];
    char hex[2 * MASK_HASH_SIZE + 1], text[SCALAR_SIZE];
    if (sealed->is_plain)
        return json_value_string(FIELD_MASK);
    hash_make((struct bytes){0}, &box, 1, hash, sizeof(hash));
    bytes_to_hex((struct bytes){hash, sizeof(hash)}, hex);
    snprintf(text, sizeof(text), FIELD_MASK " (%s)", hex);
    return json_value_string(text);
}

static bool is_http_only_of_another(const struct field *field, const struct resource *resource)
{
    return (field->flags & FIELD_HTTP_ONLY) &&
           !health_monitor_is_http((const struct health_monitor *)resource);
}

struct json_value *field_to_json(const struct field *field, const struct resource *resource)
{
    char text[IP_ADDRESS_TEXT_SIZE]; /* a uuid is shorter */
    bool nothing = field_is_unset(field, resource) &&
                   ((field->flags & FIELD_NULLABLE) || field->type == FIELD_ID ||
                    field->type == FIELD_ADDRESS);
    if (nothing || is_http_only_of_another(field, resource))
        return json_value_null();
    switch (field->type) {
    case FIELD_BOOL: return json_value_bool(field_truth(field, resource));
    case FIELD_INTEGER: return json_value_integer(field_number(field, resource));
    case FIELD_TEXT: return text_to_json(field, field_text(field, resource));
    case FIELD_ENUM: return json_value_string(field->choices[field_number(field, resource)]);
    case FIELD_ID: uuid_format(field_id(field, resource), text); break;
    case FIELD_ADDRESS: ip_address_format(field_address(field, resource), text); break;
    case FIELD_TEXT_LIST: return list_to_json(field, field_list(field, resource));
    case FIELD_TEXT_MAP: return map_to_json(field_list(field, resource));
    case FIELD_SEALED: return mask(field_sealed(field, resource));
    }
    return json_value_string(text);
}

/* ---- JSON -> value ----------------------------------------------------------------------- */

/* Names the value as it stands in the request. */
static bool refuse_json(const struct field *field,
                        const struct json_value *value,
                        const char *reason,
                        struct error *error)
{
    char *printed = json_value_print(value, 0);
    error_invalid_field(error, field->name, printed ? printed : "", reason);
    free(printed);
    return false;
}

/* The text form of a scalar, NULL when VALUE is none or cannot stand for FIELD. */
static const char *
scalar_text(const struct field *field, const struct json_value *value, char buffer[SCALAR_SIZE])
{
    bool decimal = field->item == ITEM_DECIMAL;
    switch (json_value_kind(value)) {
    case JSON_KIND_STRING: return json_value_text(value);
    case JSON_KIND_BOOL:
        if (field->type != FIELD_BOOL && field->type != FIELD_TEXT_MAP)
            return NULL;
        return json_value_truth(value) ? "true" : "false";
    case JSON_KIND_INTEGER:
        snprintf(buffer, SCALAR_SIZE, decimal ? "%lld.0" : "%lld",
                 (long long)json_value_number(value));
        return buffer;
    case JSON_KIND_REAL:
        if (!decimal && field->type == FIELD_TEXT)
            return NULL;
        snprintf(buffer, SCALAR_SIZE, "%.15g", json_value_fraction(value));
        if (decimal && !strchr(buffer, '.'))
            snprintf(buffer, SCALAR_SIZE, "%.15g.0", json_value_fraction(value));
        return buffer;
    default: return NULL;
    }
}

static const char *expected_kind(const struct field *field)
{
    switch (field->type) {
    case FIELD_BOOL: return "Value should be true or false";
    case FIELD_INTEGER: return "Value should be an integer";
    case FIELD_TEXT_LIST: return "Value should be a list";
    case FIELD_TEXT_MAP: return "Value should be an object of names and values";
    default: return "Value should be a string";
    }
}

/* Octavia's form of an additional VIP. The subnet is found by the address, the port is ours. */
static const char *
vip_of_object(const struct field *field, const struct json_value *object, struct error *error)
{
    struct uuid id;
    for (void *at = json_value_first(object); at; at = json_value_next(object, at)) {
        const char *key = json_value_key(at), *text = json_value_text(json_value_of(at));
        bool is_id = strcmp(key, "subnet_id") == 0 || strcmp(key, "port_id") == 0;
        if (!is_id && strcmp(key, "ip_address") != 0) {
            error_set(error, ERROR_INVALID, "Unknown attribute for argument %s: %.100s",
                      field->name, key);
            return NULL;
        }
        if (is_id && !json_value_is_null(json_value_of(at)) &&
            (!text || !uuid_parse(text, &id))) {
            error_invalid_field(error, key, text ? text : "", "Value should be UUID format");
            return NULL;
        }
    }
    const char *address = json_value_get_text(object, "ip_address");
    if (!address)
        error_invalid_field(error, "ip_address", "None", "Mandatory field missing.");
    return address;
}

static bool list_from_json(const struct field *field,
                           const struct json_value *value,
                           struct text_list *out,
                           struct error *error)
{
    char buffer[SCALAR_SIZE];
    if (json_value_kind(value) != JSON_KIND_ARRAY)
        return refuse_json(field, value, expected_kind(field), error);
    for (size_t i = 0; i < json_value_count(value); i++) {
        const struct json_value *item = json_value_at(value, i);
        const char *text = NULL;
        if (field->item == ITEM_VIP && json_value_kind(item) == JSON_KIND_OBJECT) {
            text = vip_of_object(field, item, error);
            if (!text)
                return false;
        } else {
            text = scalar_text(field, item, buffer);
        }
        if (!text)
            return refuse_json(field, item, "Value should be a string", error);
        if (!field_add_item(field, text, out, error))
            return false;
    }
    return field_check_list(field, out, error);
}

static bool map_from_json(const struct field *field,
                          const struct json_value *value,
                          struct text_list *out,
                          struct error *error)
{
    char buffer[SCALAR_SIZE], pair[4 * 2 * TEXT_ITEM_MAXIMUM + 2];
    if (json_value_kind(value) != JSON_KIND_OBJECT)
        return refuse_json(field, value, expected_kind(field), error);
    for (void *at = json_value_first(value); at; at = json_value_next(value, at)) {
        const char *key = json_value_key(at);
        const char *text = scalar_text(field, json_value_of(at), buffer);
        if (key[0] == '\0' || strchr(key, '='))
            return error_invalid_field(error, field->name, key,
                                       "A name should not be empty or have a = in it");
        if (!text)
            return refuse_json(field, json_value_of(at), "Value should be a string", error);
        if ((size_t)snprintf(pair, sizeof(pair), "%s=%s", key, text) >= sizeof(pair))
            return error_invalid_field(error, field->name, key, "Value is too long");
        if (!field_add_item(field, pair, out, error))
            return false;
    }
    text_list_sort(out);
    return field_check_list(field, out, error);
}

static bool parse_json(const struct field *field,
                       const struct json_value *value,
                       struct field_value *out,
                       struct error *error)
{
    char buffer[SCALAR_SIZE];
    if (field->type == FIELD_TEXT_LIST)
        return list_from_json(field, value, &out->list, error);
    if (field->type == FIELD_TEXT_MAP)
        return map_from_json(field, value, &out->list, error);
    if (field->type == FIELD_SEALED && json_value_kind(value) != JSON_KIND_STRING)
        return error_set(error, ERROR_INVALID,
                         "Invalid input for field/attribute %s. Value should be a string; in "
                         "YAML, put it into quotes",
                         field->name);
    const char *text = scalar_text(field, value, buffer);
    if (!text)
        return refuse_json(field, value, expected_kind(field), error);
    return field_parse_text(field, text, out, error);
}

bool field_from_json(const struct field *field,
                     struct resource *resource,
                     const struct json_value *value,
                     struct error *error)
{
    struct field_value parsed = {0};
    if (json_value_is_null(value)) {
        if (field->flags & FIELD_REQUIRED)
            return error_invalid_field(error, field->name, "None", "Mandatory field missing.");
        return field_set_default(field, resource) ||
               error_set(error, ERROR_INTERNAL, "out of memory");
    }
    if (!parse_json(field, value, &parsed, error)) {
        field_value_free(&parsed);
        return false;
    }
    field_value_store(field, resource, &parsed);
    return true;
}

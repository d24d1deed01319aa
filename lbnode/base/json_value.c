#include "lbnode/base/json_value.h"

#include "lbnode/base/text.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAXIMUM_DEPTH = 32
};

static json_t *raw(const struct json_value *value)
{
    return (json_t *)(uintptr_t)value;
}

static struct json_value *wrap(json_t *json)
{
    return (struct json_value *)json;
}

static void wipe_and_free(void *memory)
{
    if (memory)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void json_value_wipe_memory(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}

/* Jansson recurses up to 2048 levels; strangers get far fewer. */
static bool too_deep(const char *data, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAXIMUM_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

struct json_value *json_value_parse(const char *data, size_t size, struct error *error)
{
    json_error_t problem;
    if (too_deep(data, size)) {
        error_set(error, ERROR_INVALID,
                  "Request is not in valid JSON format: nested deeper than %d levels",
                  MAXIMUM_DEPTH);
        return NULL;
    }
    json_t *json = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (!json)
        error_set(error, ERROR_INVALID, "Request is not in valid JSON format: line %d: %s",
                  problem.line, problem.text);
    explicit_bzero(&problem, sizeof(problem)); /* it quotes the text */
    return wrap(json);
}

char *json_value_print(const struct json_value *value, int indent)
{
    /* 15 digits, so that 1.1 prints as it was written. */
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    return json_dumps(raw(value), flags | (indent ? (size_t)JSON_INDENT(indent) : 0));
}

void json_value_free(struct json_value *value)
{
    json_decref(raw(value));
}

struct json_value *json_value_copy(const struct json_value *value)
{
    return wrap(json_deep_copy(raw(value)));
}

struct json_value *json_value_null(void)
{
    return wrap(json_null());
}

struct json_value *json_value_bool(bool value)
{
    return wrap(json_boolean(value));
}

struct json_value *json_value_integer(int64_t value)
{
    return wrap(json_integer(value));
}

struct json_value *json_value_real(double value)
{
    return wrap(json_real(value));
}

struct json_value *json_value_string(const char *text)
{
    if (!text)
        return json_value_null();
    json_t *json = json_string(text);
    if (json)
        return wrap(json);
    char *copy = strdup(text);
    if (!copy)
        return json_value_null();
    /* Only the bytes that are wrong; a valid part of the text stays readable. */
    for (char *at = copy; *at;) {
        size_t size = text_utf8_sequence(at, strlen(at));
        if (size == 0)
            *at = '?';
        at += size ? size : 1;
    }
    json = json_string(copy);
    free(copy);
    return wrap(json);
}

struct json_value *json_value_array(void)
{
    return wrap(json_array());
}

struct json_value *json_value_object(void)
{
    return wrap(json_object());
}

enum json_kind json_value_kind(const struct json_value *value)
{
    if (!value)
        return JSON_KIND_NULL;
    switch (json_typeof(raw(value))) {
    case JSON_OBJECT: return JSON_KIND_OBJECT;
    case JSON_ARRAY: return JSON_KIND_ARRAY;
    case JSON_STRING: return JSON_KIND_STRING;
    case JSON_INTEGER: return JSON_KIND_INTEGER;
    case JSON_REAL: return JSON_KIND_REAL;
    case JSON_TRUE:
    case JSON_FALSE: return JSON_KIND_BOOL;
    default: return JSON_KIND_NULL;
    }
}

bool json_value_is_null(const struct json_value *value)
{
    return json_value_kind(value) == JSON_KIND_NULL;
}

bool json_value_truth(const struct json_value *value)
{
    return value && json_is_true(raw(value));
}

int64_t json_value_number(const struct json_value *value)
{
    return value ? json_integer_value(raw(value)) : 0;
}

double json_value_fraction(const struct json_value *value)
{
    return value ? json_number_value(raw(value)) : 0;
}

const char *json_value_text(const struct json_value *value)
{
    return value ? json_string_value(raw(value)) : NULL;
}

size_t json_value_count(const struct json_value *array_or_object)
{
    if (json_value_kind(array_or_object) == JSON_KIND_OBJECT)
        return json_object_size(raw(array_or_object));
    return json_value_kind(array_or_object) == JSON_KIND_ARRAY
               ? json_array_size(raw(array_or_object))
               : 0;
}

struct json_value *json_value_at(const struct json_value *array, size_t index)
{
    return array ? wrap(json_array_get(raw(array), index)) : NULL;
}

void json_value_append(struct json_value *array, struct json_value *item)
{
    json_array_append_new(raw(array), raw(item));
}

struct json_value *json_value_get(const struct json_value *object, const char *key)
{
    return object ? wrap(json_object_get(raw(object), key)) : NULL;
}

void json_value_set(struct json_value *object, const char *key, struct json_value *value)
{
    json_object_set_new(raw(object), key, raw(value));
}

void json_value_remove(struct json_value *object, const char *key)
{
    json_object_del(raw(object), key);
}

void *json_value_first(const struct json_value *object)
{
    return object ? json_object_iter(raw(object)) : NULL;
}

void *json_value_next(const struct json_value *object, void *at)
{
    return json_object_iter_next(raw(object), at);
}

const char *json_value_key(void *at)
{
    return json_object_iter_key(at);
}

struct json_value *json_value_of(void *at)
{
    return wrap(json_object_iter_value(at));
}

void json_value_set_text(struct json_value *object, const char *key, const char *text)
{
    json_value_set(object, key, json_value_string(text));
}

void json_value_set_number(struct json_value *object, const char *key, int64_t number)
{
    json_value_set(object, key, json_value_integer(number));
}

void json_value_set_bool(struct json_value *object, const char *key, bool value)
{
    json_value_set(object, key, json_value_bool(value));
}

const char *json_value_get_text(const struct json_value *object, const char *key)
{
    return json_value_text(json_value_get(object, key));
}

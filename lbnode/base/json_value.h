/* JSON values: the only wrapper of jansson. Text that repeats a key, is nested deeper than 32
 * levels or carries bytes after the value is refused. Values own their children;
 * json_value_free frees a root. Functions that read accept NULL and values of another type. */
#ifndef LBNODE_BASE_JSON_VALUE_H
#define LBNODE_BASE_JSON_VALUE_H

#include "lbnode/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_value;

/* From now on all memory of JSON values is overwritten before it is given back: for a process
 * whose values may be secrets. Before the first value is made; cannot be taken back. */
void json_value_wipe_memory(void);

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INTEGER,
    JSON_KIND_REAL,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT,
};

/* NULL with ERROR set ("Request is not in valid JSON format: ...") when malformed. */
struct json_value *json_value_parse(const char *data, size_t size, struct error *error);
/* malloc'd text (wipe it, if it may hold a secret), keys in insertion order; INDENT 0 is
 * compact. */
char *json_value_print(const struct json_value *value, int indent);
void json_value_free(struct json_value *value);
struct json_value *json_value_copy(const struct json_value *value);

struct json_value *json_value_null(void);
struct json_value *json_value_bool(bool value);
struct json_value *json_value_integer(int64_t value);
struct json_value *json_value_real(double value);
/* Invalid UTF-8 becomes '?'. NULL text becomes null. */
struct json_value *json_value_string(const char *text);
struct json_value *json_value_array(void);
struct json_value *json_value_object(void);

enum json_kind json_value_kind(const struct json_value *value); /* NULL reads as null */
bool json_value_is_null(const struct json_value *value);
bool json_value_truth(const struct json_value *value);
int64_t json_value_number(const struct json_value *value); /* 0 unless integer */
double json_value_fraction(const struct json_value *value);
const char *json_value_text(const struct json_value *value); /* NULL unless string */

/* Arrays. The array takes ownership of ITEM. */
size_t json_value_count(const struct json_value *array_or_object);
struct json_value *json_value_at(const struct json_value *array, size_t index);
void json_value_append(struct json_value *array, struct json_value *item);

/* Objects. The object takes ownership of VALUE. */
struct json_value *json_value_get(const struct json_value *object, const char *key);
void json_value_set(struct json_value *object, const char *key, struct json_value *value);
void json_value_remove(struct json_value *object, const char *key);
/* for (void *at = json_value_first(o); at; at = json_value_next(o, at)) json_value_key(at)...
 */
void *json_value_first(const struct json_value *object);
void *json_value_next(const struct json_value *object, void *at);
const char *json_value_key(void *at);
struct json_value *json_value_of(void *at);

/* Shorthands for building answers. */
void json_value_set_text(struct json_value *object, const char *key, const char *text);
void json_value_set_number(struct json_value *object, const char *key, int64_t number);
void json_value_set_bool(struct json_value *object, const char *key, bool value);
const char *json_value_get_text(const struct json_value *object, const char *key);

#endif

#include "lbnode/base/yaml_value.h"

#include "lbnode/base/parse_number.h"
#include "lbnode/base/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    MAXIMUM_DEPTH = 32
};

struct reader {
    yaml_parser_t parser;
    struct error *error;
};

static struct json_value *
read_node(struct reader *reader, const yaml_event_t *event, int depth);

static bool fail(struct reader *reader, yaml_mark_t mark, const char *what)
{
    return error_set(reader->error, ERROR_INVALID, "YAML line %zu column %zu: %s",
                     mark.line + 1, mark.column + 1, what);
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return true;
    const char *problem = reader->parser.problem ? reader->parser.problem : "not valid YAML";
    return fail(reader, reader->parser.problem_mark, problem);
}

static struct json_value *typed_scalar(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    int64_t number;
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_value_string(text);
    if (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)
        return json_value_null();
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_value_bool(text[0] == 't');
    if (parse_integer(text, INT64_MIN, INT64_MAX, &number))
        return json_value_integer(number);
    return json_value_string(text);
}

static bool read_items(struct reader *reader, struct json_value *array, int depth)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            return false;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct json_value *item = end ? NULL : read_node(reader, &event, depth + 1);
        yaml_event_delete(&event);
        if (end)
            return true;
        if (!item)
            return false;
        json_value_append(array, item);
    }
}

static bool
read_pair(struct reader *reader, struct json_value *object, const yaml_event_t *key, int depth)
{
    yaml_event_t event;
    if (key->type != YAML_SCALAR_EVENT)
        return fail(reader, key->start_mark, "a key must be plain text");
    const char *name = (const char *)key->data.scalar.value;
    if (json_value_get(object, name))
        return fail(reader, key->start_mark, "the key stands twice in the same mapping");
    if (!next_event(reader, &event))
        return false;
    struct json_value *value = read_node(reader, &event, depth + 1);
    yaml_event_delete(&event);
    if (value)
        json_value_set(object, name, value);
    return value != NULL;
}

static bool read_pairs(struct reader *reader, struct json_value *object, int depth)
{
    for (;;) {
        yaml_event_t key;
        if (!next_event(reader, &key))
            return false;
        bool end = key.type == YAML_MAPPING_END_EVENT;
        bool good = end || read_pair(reader, object, &key, depth);
        yaml_event_delete(&key);
        if (end || !good)
            return good;
    }
}

static struct json_value *read_node(struct reader *reader, const yaml_event_t *event, int depth)
{
    struct json_value *value = NULL;
    bool good = true;
    if (depth > MAXIMUM_DEPTH) {
        fail(reader, event->start_mark, "nested too deep");
        return NULL;
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT: return typed_scalar(event);
    case YAML_SEQUENCE_START_EVENT:
        value = json_value_array();
        good = read_items(reader, value, depth);
        break;
    case YAML_MAPPING_START_EVENT:
        value = json_value_object();
        good = read_pairs(reader, value, depth);
        break;
    case YAML_ALIAS_EVENT:
        fail(reader, event->start_mark, "aliases are not supported; write the value out");
        return NULL;
    default: fail(reader, event->start_mark, "a value is missing"); return NULL;
    }
    if (good)
        return value;
    json_value_free(value);
    return NULL;
}

static struct json_value *read_document(struct reader *reader)
{
    struct json_value *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next_event(reader, &event))
            break;
        yaml_event_type_t type = event.type;
        bool skip = type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_START_EVENT ||
                    type == YAML_DOCUMENT_END_EVENT;
        if (type == YAML_STREAM_END_EVENT)
            return root ? root : json_value_object();
        bool second = !skip && root;
        if (second)
            fail(reader, event.start_mark, "only one document is allowed in a file");
        else if (!skip)
            root = read_node(reader, &event, 0);
        yaml_event_delete(&event);
        if (second || (!skip && !root))
            break;
    }
    json_value_free(root);
    return NULL;
}

struct json_value *yaml_value_parse(const char *data, size_t size, struct error *error)
{
    struct reader reader = {.error = error};
    if (!yaml_parser_initialize(&reader.parser)) {
        error_set(error, ERROR_INTERNAL, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, size);
    struct json_value *root = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    if (root && json_value_is_null(root)) {
        json_value_free(root);
        root = json_value_object();
    }
    return root;
}

static int append_output(void *context, unsigned char *data, size_t size)
{
    struct text *text = context;
    text_append(text, (const char *)data, size);
    return !text->overflowed;
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, bool quoted)
{
    yaml_event_t event;
    yaml_scalar_event_initialize(
        &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
        quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE);
    yaml_emitter_emit(emitter, &event);
}

/* A string that would read back as something else has to be quoted. */
static bool needs_quotes(const char *text)
{
    int64_t number;
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ||
           parse_integer(text, INT64_MIN, INT64_MAX, &number);
}

static void emit_value(yaml_emitter_t *emitter, const struct json_value *value)
{
    char number[32];
    yaml_event_t event;
    switch (json_value_kind(value)) {
    case JSON_KIND_NULL: emit_scalar(emitter, "null", false); break;
    case JSON_KIND_BOOL:
        emit_scalar(emitter, json_value_truth(value) ? "true" : "false", false);
        break;
    case JSON_KIND_INTEGER:
        snprintf(number, sizeof(number), "%lld", (long long)json_value_number(value));
        emit_scalar(emitter, number, false);
        break;
    case JSON_KIND_REAL:
        snprintf(number, sizeof(number), "%g", json_value_fraction(value));
        emit_scalar(emitter, number, false);
        break;
    case JSON_KIND_STRING:
        emit_scalar(emitter, json_value_text(value), needs_quotes(json_value_text(value)));
        break;
    case JSON_KIND_ARRAY:
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE);
        yaml_emitter_emit(emitter, &event);
        for (size_t i = 0; i < json_value_count(value); i++)
            emit_value(emitter, json_value_at(value, i));
        yaml_sequence_end_event_initialize(&event);
        yaml_emitter_emit(emitter, &event);
        break;
    case JSON_KIND_OBJECT:
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
        yaml_emitter_emit(emitter, &event);
        for (void *at = json_value_first(value); at; at = json_value_next(value, at)) {
            emit_scalar(emitter, json_value_key(at), needs_quotes(json_value_key(at)));
            emit_value(emitter, json_value_of(at));
        }
        yaml_mapping_end_event_initialize(&event);
        yaml_emitter_emit(emitter, &event);
        break;
    }
}

char *yaml_value_print(const struct json_value *value)
{
    struct text text = {0};
    yaml_emitter_t emitter;
    yaml_event_t event;
    if (!yaml_emitter_initialize(&emitter))
        return NULL;
    yaml_emitter_set_output(&emitter, append_output, &text);
    yaml_emitter_set_width(&emitter, -1);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    yaml_emitter_emit(&emitter, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    yaml_emitter_emit(&emitter, &event);
    emit_value(&emitter, value);
    yaml_document_end_event_initialize(&event, 1);
    yaml_emitter_emit(&emitter, &event);
    yaml_stream_end_event_initialize(&event);
    yaml_emitter_emit(&emitter, &event);
    yaml_emitter_delete(&emitter);
    return text.data;
}

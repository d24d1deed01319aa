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

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

static const char *const null_words[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const true_words[] = {"true", "True", "TRUE", NULL};
static const char *const false_words[] = {"false", "False", "FALSE", NULL};
/* Booleans of YAML 1.1, which other readers still know. */
static const char *const old_words[] = {"y", "Y",  "yes", "Yes", "YES", "on",  "On",  "ON", "n",
                                        "N", "no", "No",  "NO",  "off", "Off", "OFF", NULL};

static struct json_value *typed_scalar(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    int64_t number;
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_value_string(text);
    if (is_one_of(text, null_words))
        return json_value_null();
    if (is_one_of(text, true_words) || is_one_of(text, false_words))
        return json_value_bool(is_one_of(text, true_words));
    if (parse_integer(text, INT64_MIN, INT64_MAX, &number))
        return json_value_integer(number);
    return json_value_string(text);
}

/* Anchors, tags and NUL characters have no meaning here: refused rather than ignored. */
static bool is_plain_node(struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return fail(reader, event->start_mark, "a NUL character is not allowed");
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor)
        return fail(reader, event->start_mark, "anchors are not supported");
    return !tag || fail(reader, event->start_mark, "tags are not supported");
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
    if (!is_plain_node(reader, key))
        return false;
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
    if (!is_plain_node(reader, event))
        return NULL;
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
    /* What looks like a number or, in YAML 1.1, a time to other readers. An IPv4 address does
     * not. */
    const char *dot = strchr(text, '.');
    bool digits = text[strcspn(text, "0123456789")] != '\0';
    bool number =
        strspn(text, "0123456789+-._eE") == strlen(text) && !(dot && strchr(dot + 1, '.'));
    bool time = strspn(text, "0123456789:") == strlen(text);
    bool numeric = digits && (number || time || strncmp(text, "0x", 2) == 0);
    return numeric || is_one_of(text, null_words) || is_one_of(text, true_words) ||
           is_one_of(text, false_words) || is_one_of(text, old_words);
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
        snprintf(number, sizeof(number), "%.15g", json_value_fraction(value));
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

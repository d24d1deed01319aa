#include "lbnode/cli/output.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/yaml_value.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool output_format_parse(const char *text, enum output_format *out, struct error *error)
{
    static const char *const names[] = {"table", "json", "yaml", "name"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum output_format)i;
            return true;
        }
    }
    return error_set(error, ERROR_USAGE,
                     "unknown output format %s; it is one of table, json, yaml, name", text);
}

/* ---- tables ------------------------------------------------------------------------------ */

void table_init(struct table *table, size_t columns)
{
    *table = (struct table){.columns = columns};
}

void table_add(struct table *table, const char *text)
{
    if (table->cell_count == table->capacity) {
        size_t capacity = table->capacity ? table->capacity * 2 : 64;
        char **cells = realloc(table->cells, capacity * sizeof(*cells));
        if (!cells)
            return;
        table->cells = cells;
        table->capacity = capacity;
    }
    char *cell = strdup(text ? text : "");
    if (!cell)
        return;
    text_disarm(cell);
    table->cells[table->cell_count++] = cell;
}

void table_addf(struct table *table, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    table_add(table, text);
}

/* Bytes of the first COUNT characters of TEXT. */
static size_t bytes_of_characters(const char *text, size_t count)
{
    size_t size = 0;
    while (text[size] && count > 0) {
        size++;
        while (((unsigned char)text[size] & 0xc0) == 0x80)
            size++;
        count--;
    }
    return size;
}

static size_t cell_width(const struct table *table, size_t index)
{
    size_t width = text_utf8_length(table->cells[index]);
    bool last = index % table->columns == table->columns - 1;
    return last || width <= TABLE_CELL_MAXIMUM ? width : TABLE_CELL_MAXIMUM;
}

static void write_cell(const char *cell, size_t width, struct text *out)
{
    if (text_utf8_length(cell) <= width) {
        text_append_string(out, cell);
    } else {
        text_append(out, cell, bytes_of_characters(cell, width - 3));
        text_append_string(out, "...");
    }
}

static void write_row(const struct table *table,
                      size_t row,
                      const size_t *widths,
                      size_t indent,
                      struct text *out)
{
    size_t blanks = indent;
    for (size_t column = 0; column < table->columns; column++) {
        size_t index = row * table->columns + column;
        if (index < table->cell_count && table->cells[index][0] != '\0') {
            text_appendf(out, "%*s", (int)blanks, "");
            write_cell(table->cells[index], cell_width(table, index), out);
            blanks = widths[column] - cell_width(table, index) + 2;
        } else {
            blanks += widths[column] + 2;
        }
    }
    text_append(out, "\n", 1);
}

void table_write(const struct table *table, size_t indent, struct text *out)
{
    size_t widths[TABLE_COLUMNS_MAXIMUM] = {0};
    size_t rows = (table->cell_count + table->columns - 1) / table->columns;
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = cell_width(table, i), column = i % table->columns;
        if (width > widths[column])
            widths[column] = width;
    }
    for (size_t row = 0; row < rows; row++)
        write_row(table, row, widths, indent, out);
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    memset(table, 0, sizeof(*table));
}

/* ---- values ------------------------------------------------------------------------------ */

static void write_map(const struct json_value *object, struct text *out)
{
    const char *name = json_value_get_text(object, "name");
    const char *address = json_value_get_text(object, "ip_address");
    const char *id = json_value_get_text(object, "id");
    if ((name && name[0]) || address || id) {
        text_append_string(out, name && name[0] ? name : address ? address : id);
        return;
    }
    for (void *at = json_value_first(object); at; at = json_value_next(object, at)) {
        text_appendf(out, "%s%s=", at == json_value_first(object) ? "" : ", ",
                     json_value_key(at));
        value_write(json_value_of(at), out);
    }
}

void value_write(const struct json_value *value, struct text *out)
{
    switch (json_value_kind(value)) {
    case JSON_KIND_NULL: text_append_string(out, "-"); break;
    case JSON_KIND_BOOL:
        text_append_string(out, json_value_truth(value) ? "true" : "false");
        break;
    case JSON_KIND_INTEGER:
        text_appendf(out, "%lld", (long long)json_value_number(value));
        break;
    case JSON_KIND_REAL: text_appendf(out, "%.15g", json_value_fraction(value)); break;
    case JSON_KIND_STRING: text_append_string(out, json_value_text(value)); break;
    case JSON_KIND_ARRAY:
        for (size_t i = 0; i < json_value_count(value); i++) {
            text_append_string(out, i > 0 ? ", " : "");
            value_write(json_value_at(value, i), out);
        }
        break;
    case JSON_KIND_OBJECT: write_map(value, out); break;
    }
}

char *value_text(const struct json_value *object, const char *key)
{
    struct text text = {0};
    value_write(json_value_get(object, key), &text);
    return text.data ? text.data : strdup("");
}

const char *value_text_or(const struct json_value *object, const char *key, const char *other)
{
    const char *text = json_value_get_text(object, key);
    return text && text[0] ? text : other;
}

bool value_is_true(const struct json_value *object, const char *key)
{
    return json_value_truth(json_value_get(object, key));
}

/* ---- whole answers ----------------------------------------------------------------------- */

void output_document(enum output_format format, const struct json_value *document)
{
    bool json = format == OUTPUT_JSON;
    char *text = json ? json_value_print(document, 2) : yaml_value_print(document);
    if (text)
        printf("%s%s", text, json ? "\n" : "");
    free(text);
}

/* A person reads what is there: attributes that are not set, and the twin of project_id, would
 * fill half of the screen. JSON and YAML have everything. */
static bool is_worth_a_row(const char *key, const struct json_value *value)
{
    const char *text = json_value_text(value);
    enum json_kind kind = json_value_kind(value);
    bool is_empty_list =
        (kind == JSON_KIND_ARRAY || kind == JSON_KIND_OBJECT) && json_value_count(value) == 0;
    bool is_unset = json_value_is_null(value) || is_empty_list || (text && text[0] == '\0');
    return !is_unset && strcmp(key, "tenant_id") != 0;
}

void output_object(enum output_format format, const struct json_value *object)
{
    struct table table;
    struct text out = {0};
    if (format == OUTPUT_JSON || format == OUTPUT_YAML) {
        output_document(format, object);
        return;
    }
    table_init(&table, 2);
    for (void *at = json_value_first(object); at; at = json_value_next(object, at)) {
        if (!is_worth_a_row(json_value_key(at), json_value_of(at)))
            continue;
        char *value = value_text(object, json_value_key(at));
        table_add(&table, json_value_key(at));
        table_add(&table, value);
        free(value);
    }
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    text_free(&out);
    table_free(&table);
}

FILE *output_notes(enum output_format format)
{
    return format == OUTPUT_TABLE ? stdout : stderr;
}

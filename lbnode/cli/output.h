/* What commands print: aligned tables for people, JSON and YAML for programs, names for shells.
 * Text from the daemon never reaches the terminal with control characters in it. */
#ifndef LBNODE_CLI_OUTPUT_H
#define LBNODE_CLI_OUTPUT_H

#include "lbnode/base/error.h"
#include "lbnode/base/json_value.h"
#include "lbnode/base/text.h"

#include <stdio.h>

enum output_format {
    OUTPUT_TABLE,
    OUTPUT_JSON,
    OUTPUT_YAML,
    OUTPUT_NAME
};

bool output_format_parse(const char *text, enum output_format *out, struct error *error);

enum {
    TABLE_COLUMNS_MAXIMUM = 12,
    TABLE_CELL_MAXIMUM = 80 /* characters; a longer one ends in "..." unless it is the last */
};

/* Rows of cells; a column is as wide as its widest cell, columns stand two blanks apart. */
struct table {
    size_t columns;
    size_t cell_count, capacity;
    char **cells; /* owned, row by row */
};

void table_init(struct table *table, size_t columns);
/* Appends the next cell; NULL reads as "". */
void table_add(struct table *table, const char *text);
void table_addf(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Each line starts with INDENT blanks; no line ends in one. */
void table_write(const struct table *table, size_t indent, struct text *out);
void table_free(struct table *table);

/* The text of a value for people: "-" for null, "true", "5", lists joined by ", ", maps as
 * key=value, objects by their name or id. Appended to OUT. */
void value_write(const struct json_value *value, struct text *out);
/* The same for member KEY of OBJECT; the result is malloc'd, never NULL unless out of memory.
 */
char *value_text(const struct json_value *object, const char *key);
/* The text of member KEY as it is; OTHER when it is missing, no string or empty. */
const char *value_text_or(const struct json_value *object, const char *key, const char *other);
bool value_is_true(const struct json_value *object, const char *key);

/* Prints VALUE as JSON or YAML to stdout, a table of all its attributes otherwise. */
void output_object(enum output_format format, const struct json_value *object);
void output_document(enum output_format format, const struct json_value *document);
/* stdout for people, stderr for programs, which read the objects from stdout. */
FILE *output_notes(enum output_format format);

#endif

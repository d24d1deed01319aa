/* Options of a command line: rows of a table, parsed strictly. Options and positional arguments
 * may be mixed; "--" ends the options. */
#ifndef LBNODE_CLI_OPTIONS_H
#define LBNODE_CLI_OPTIONS_H

#include "lbnode/base/error.h"
#include "lbnode/model/field_table.h"

enum {
    OPTIONS_MAXIMUM = 64,     /* of one command */
    GIVEN_MAXIMUM = 256,      /* on one command line */
    POSITIONAL_MAXIMUM = 128, /* likewise */
    OPTION_NAME_SIZE = 40
};

struct option {
    char name[OPTION_NAME_SIZE]; /* without dashes */
    char letter;                 /* '\0': none */
    const char *value_name;      /* NULL: a flag */
    const char *help;
    const struct field *field; /* the attribute that it sets, or NULL */
    const char *constant;      /* what a flag stands for, as the attribute's value */
};

struct option_table {
    struct option rows[OPTIONS_MAXIMUM];
    size_t count;
    const struct resource_class *changed; /* whose objects it changes, or NULL */
};

/* Beyond the bound a row is dropped; the tests see to it that none is. */
void option_table_add(struct option_table *table, const struct option *row);
/* The options of the attributes of CLASS: for a new object, or for a change of one. */
void option_table_add_fields(struct option_table *table,
                             const struct resource_class *class,
                             bool creating);
const struct option *option_table_find(const struct option_table *table, const char *name);

struct given_option {
    const struct option *option;
    const char *value; /* of a flag: its constant, or "" */
};

/* Views into argv and the table. */
struct arguments {
    const char *positional[POSITIONAL_MAXIMUM];
    size_t positional_count;
    struct given_option given[GIVEN_MAXIMUM];
    size_t given_count;
};

/* ERROR_USAGE: an unknown option (with the nearest one), a missing or superfluous value. */
bool arguments_parse(struct arguments *arguments,
                     const struct option_table *table,
                     int argc,
                     const char *const *argv,
                     struct error *error);
/* The last value given for option NAME, or NULL. */
const char *arguments_value(const struct arguments *arguments, const char *name);
bool arguments_has(const struct arguments *arguments, const char *name);

/* "90", "90s", "15m", "2h", "1d" -> seconds, at most a year. */
bool duration_parse(const char *text, uint32_t *out_seconds);

#endif

#include "lbnode/cli/options.h"

#include "lbnode/base/parse_number.h"
#include "lbnode/base/suggestion.h"

#include <stdio.h>
#include <string.h>

void option_table_add(struct option_table *table, const struct option *row)
{
    if (table->count < OPTIONS_MAXIMUM)
        table->rows[table->count++] = *row;
}

const struct option *option_table_find(const struct option_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    }
    return NULL;
}

/* protocol_port -> protocol-port, default_pool_id -> default-pool, tags -> tag. An id that no
 * name stands for keeps its ending, as in OpenStack's client. */
static void option_name(const struct field *field, const char *prefix, char *out)
{
    size_t size = strlen(field->name);
    bool has_name = field->type == FIELD_TEXT || field->refers_to != RESOURCE_NONE;
    if (has_name && size > 3 && strcmp(field->name + size - 3, "_id") == 0)
        size -= 3;
    if (field->type == FIELD_TEXT_LIST && field->name[size - 1] == 's')
        size--;
    snprintf(out, OPTION_NAME_SIZE, "%s%.*s", prefix, (int)size, field->name);
    for (char *c = out; *c; c++) {
        if (*c == '_')
            *c = '-';
    }
}

static const char *value_name(const struct field *field)
{
    switch (field->type) {
    case FIELD_INTEGER: return field->unit ? field->unit : "N";
    case FIELD_ID: return field->refers_to != RESOURCE_NONE ? "NAME" : "ID";
    case FIELD_ADDRESS: return "ADDRESS";
    case FIELD_ENUM: return "CHOICE";
    case FIELD_TEXT_MAP: return "NAME=VALUE,...";
    case FIELD_TEXT_LIST:
        return field->item == ITEM_PREFIX                               ? "CIDR"
               : field->item == ITEM_VIP || field->item == ITEM_ADDRESS ? "ADDRESS"
                                                                        : "TEXT";
    default: return "TEXT";
    }
}

static void add_switch(struct option_table *table, const struct field *field)
{
    bool admin = strcmp(field->name, "admin_state_up") == 0;
    struct option on = {.help = field->help, .field = field, .constant = "true"};
    struct option off = {.help = "the opposite", .field = field, .constant = "false"};
    option_name(field, "enable-", on.name);
    option_name(field, "disable-", off.name);
    if (admin) {
        snprintf(on.name, sizeof(on.name), "enable");
        snprintf(off.name, sizeof(off.name), "disable");
        on.help = "put it into service (the default)";
        off.help = "take it out of service";
    }
    option_table_add(table, &on);
    option_table_add(table, &off);
}

void option_table_add_fields(struct option_table *table,
                             const struct resource_class *class,
                             bool creating)
{
    table->changed = creating ? NULL : class;
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        bool fixed = !creating && (field->flags & FIELD_CREATE_ONLY);
        if (fixed || (field->flags & (FIELD_INTERNAL | FIELD_POSITIONAL)))
            continue;
        if (field->type == FIELD_BOOL) {
            add_switch(table, field);
            continue;
        }
        struct option row = {
            .value_name = value_name(field), .help = field->help, .field = field};
        option_name(field, "", row.name);
        if (field->type == FIELD_SEALED) { /* whoever lists processes sees arguments */
            size_t used = strlen(row.name);
            snprintf(row.name + used, sizeof(row.name) - used, "-file");
            row.value_name = "FILE";
            row.help = "holds what is to be kept secret; - is standard input";
        }
        option_table_add(table, &row);
    }
}

/* An option of create that set has not, because the attribute stays what it is. */
static bool is_fixed(const struct resource_class *class, const char *name)
{
    char option[OPTION_NAME_SIZE];
    for (size_t i = 0; class && i < class->field_count; i++) {
        option_name(&class->fields[i], "", option);
        if ((class->fields[i].flags & FIELD_CREATE_ONLY) && strcmp(option, name) == 0)
            return true;
    }
    return false;
}

static bool
refuse_unknown(const struct option_table *table, const char *given, struct error *error)
{
    struct suggestion suggestion;
    char name[OPTION_NAME_SIZE];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, "="), given);
    if (is_fixed(table->changed, name))
        return error_set(error, ERROR_USAGE, "--%s can be given to create only", name);
    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < table->count; i++)
        suggestion_offer(&suggestion, table->rows[i].name);
    if (suggestion.nearest)
        return error_set(error, ERROR_USAGE, "unknown option --%s; did you mean --%s?", name,
                         suggestion.nearest);
    return error_set(error, ERROR_USAGE, "unknown option --%s; --help lists the options", name);
}

static bool
add_given(struct arguments *arguments, struct given_option given, struct error *error)
{
    if (arguments->given_count == GIVEN_MAXIMUM)
        return error_set(error, ERROR_USAGE, "more than %d options", GIVEN_MAXIMUM);
    arguments->given[arguments->given_count++] = given;
    return true;
}

/* Where the parser stands in argv. */
struct cursor {
    int argc, at;
    const char *const *argv;
};

/* GIVEN is what stands behind the option in the same word, or NULL. */
static bool take_option(struct arguments *arguments,
                        const struct option *option,
                        const char *attached,
                        struct cursor *cursor,
                        struct error *error)
{
    struct given_option given = {.option = option, .value = attached};
    if (!option->value_name) {
        if (attached)
            return error_set(error, ERROR_USAGE, "option --%s takes no value", option->name);
        given.value = option->constant ? option->constant : "";
    } else if (!attached) {
        if (cursor->at + 1 >= cursor->argc)
            return error_set(error, ERROR_USAGE, "option --%s needs a value (%s)", option->name,
                             option->value_name);
        given.value = cursor->argv[++cursor->at];
    }
    return add_given(arguments, given, error);
}

static bool take_long(struct arguments *arguments,
                      const struct option_table *table,
                      struct cursor *cursor,
                      struct error *error)
{
    const char *word = cursor->argv[cursor->at] + 2;
    size_t size = strcspn(word, "=");
    for (size_t i = 0; i < table->count; i++) {
        const struct option *row = &table->rows[i];
        if (strlen(row->name) == size && strncmp(row->name, word, size) == 0)
            return take_option(arguments, row, word[size] ? word + size + 1 : NULL, cursor,
                               error);
    }
    return refuse_unknown(table, word, error);
}

static bool take_letter(struct arguments *arguments,
                        const struct option_table *table,
                        struct cursor *cursor,
                        struct error *error)
{
    const char *word = cursor->argv[cursor->at] + 1;
    for (size_t i = 0; i < table->count; i++) {
        const struct option *row = &table->rows[i];
        if (row->letter != '\0' && row->letter == word[0])
            return take_option(arguments, row, word[1] ? word + 1 : NULL, cursor, error);
    }
    return error_set(error, ERROR_USAGE, "unknown option -%c; --help lists the options",
                     word[0]);
}

bool arguments_parse(struct arguments *arguments,
                     const struct option_table *table,
                     int argc,
                     const char *const *argv,
                     struct error *error)
{
    struct cursor cursor = {.argc = argc, .argv = argv};
    bool only_positional = false;
    memset(arguments, 0, sizeof(*arguments));
    for (; cursor.at < argc; cursor.at++) {
        const char *word = argv[cursor.at];
        if (!only_positional && strcmp(word, "--") == 0) {
            only_positional = true;
        } else if (!only_positional && word[0] == '-' && word[1] == '-') {
            if (!take_long(arguments, table, &cursor, error))
                return false;
        } else if (!only_positional && word[0] == '-' && word[1] != '\0') {
            if (!take_letter(arguments, table, &cursor, error))
                return false;
        } else if (arguments->positional_count == POSITIONAL_MAXIMUM) {
            return error_set(error, ERROR_USAGE, "more than %d arguments", POSITIONAL_MAXIMUM);
        } else {
            arguments->positional[arguments->positional_count++] = word;
        }
    }
    return true;
}

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    for (size_t i = arguments->given_count; i > 0; i--) {
        if (strcmp(arguments->given[i - 1].option->name, name) == 0)
            return arguments->given[i - 1].value;
    }
    return NULL;
}

bool arguments_has(const struct arguments *arguments, const char *name)
{
    return arguments_value(arguments, name) != NULL;
}

bool duration_parse(const char *text, uint32_t *out_seconds)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    enum {
        YEAR_S = 366 * 86400
    };
    char digits[16];
    size_t size = strspn(text, "0123456789");
    int64_t number, factor = text[size] == '\0' ? 1 : 0;
    if (size == 0 || size >= sizeof(digits))
        return false;
    memcpy(digits, text, size);
    digits[size] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (text[size] == units[i].letter && text[size + 1] == '\0')
            factor = units[i].seconds;
    }
    if (factor == 0 || !parse_integer(digits, 1, YEAR_S / factor, &number))
        return false;
    *out_seconds = (uint32_t)(number * factor);
    return true;
}

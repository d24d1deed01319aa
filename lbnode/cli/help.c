#include "lbnode/cli/command.h"

#include <string.h>

static bool is_global(const char *name)
{
    struct option_table globals = {0};
    global_options(&globals);
    return option_table_find(&globals, name) != NULL;
}

/* "--protocol-port N", "-f, --file FILE" */
static void option_head(const struct option *option, char *out, size_t size)
{
    char letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    snprintf(out, size, "%s--%s%s%s", letter, option->name, option->value_name ? " " : "",
             option->value_name ? option->value_name : "");
}

/* The help of the row, the choices, the range and the default of its attribute. */
static void option_text(const struct option *option, bool creating, struct text *out)
{
    const struct field *field = option->field;
    text_append_string(out, option->help);
    if (!field || option->constant)
        return;
    for (size_t i = 0; field->choices && field->choices[i]; i++)
        text_appendf(out, "%s%s", i > 0 ? ", " : ": ", field->choices[i]);
    if (field->type == FIELD_INTEGER && field->maximum != INT32_MAX)
        text_appendf(out, "; %lld to %lld", (long long)field->minimum,
                     (long long)field->maximum);
    if (creating && field->default_text && field->default_text[0])
        text_appendf(out, " (%s)", field->default_text);
    if (field->type == FIELD_TEXT_LIST)
        text_append_string(out, "; may be repeated");
}

static void print_options(const struct option_table *options, bool global, bool creating)
{
    struct table table;
    struct text out = {0};
    table_init(&table, 2);
    for (size_t i = 0; i < options->count; i++) {
        const struct option *option = &options->rows[i];
        char head[80];
        struct text text = {0};
        if (is_global(option->name) != global)
            continue;
        option_head(option, head, sizeof(head));
        option_text(option, creating, &text);
        table_add(&table, head);
        table_add(&table, text_string(&text));
        text_free(&text);
    }
    if (table.cell_count > 0)
        printf("\n%s\n", global ? "Options of every command:" : "Options:");
    table_write(&table, 2, &out);
    fputs(text_string(&out), stdout);
    text_free(&out);
    table_free(&table);
}

static void usage_line(const struct command *command, char *out, size_t size)
{
    snprintf(out, size, "lbnode %s%s%s [OPTIONS]%s%s", command->noun, command->verb ? " " : "",
             command->verb ? command->verb : "",
             command->positional && command->positional[0] ? " " : "",
             command->positional ? command->positional : "");
}

void help_of_command(const struct command *command)
{
    char usage[160];
    struct option_table options;
    command_options(command, &options);
    usage_line(command, usage, sizeof(usage));
    printf("Usage: %s\n\n%s\n", usage, command->summary);
    if (command->details)
        printf("%s", command->details);
    print_options(&options, false, command->attributes == ATTRIBUTES_CREATE);
    print_options(&options, true, false);
}

/* One line per command; of NOUN only, or of all when it is NULL. */
static void print_commands(const char *noun)
{
    struct table table;
    struct text out = {0};
    table_init(&table, 2);
    for (size_t i = 0; command_at(i); i++) {
        const struct command *command = command_at(i);
        if (noun && !command_noun_matches(command, noun))
            continue;
        table_addf(&table, "%s%s%s%s%s", command->noun, command->verb ? " " : "",
                   command->verb ? command->verb : "", command->positional ? " " : "",
                   command->positional ? command->positional : "");
        table_add(&table, command->summary);
    }
    table_write(&table, 2, &out);
    fputs(text_string(&out), stdout);
    text_free(&out);
    table_free(&table);
}

void help_of_noun(const char *noun)
{
    printf("Usage: lbnode %s VERB [OPTIONS]\n\n", noun);
    print_commands(noun);
    printf("\nlbnode %s VERB --help explains each.\n", noun);
}

void help_of_all(void)
{
    struct option_table globals = {0};
    global_options(&globals);
    printf("Usage: lbnode COMMAND [OPTIONS]\n\n"
           "A load balancer of two or more equal nodes. Without a command: status.\n\n");
    print_commands(NULL);
    print_options(&globals, true, false);
    printf(
        "\nNames or ids everywhere; lb and hm are short for loadbalancer and healthmonitor.\n"
        "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 conflict, 5 refused,\n"
        "6 --require-replica not met, 7 no daemon answers.\n");
}

/* ---- the manual page --------------------------------------------------------------------- */

static void print_escaped(const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void manual_options(const struct command *command)
{
    struct option_table options;
    command_options(command, &options);
    for (size_t i = 0; i < options.count; i++) {
        const struct option *option = &options.rows[i];
        char head[80];
        struct text text = {0};
        bool change_option =
            strcmp(option->name, "require-replica") == 0 || strcmp(option->name, "wait") == 0;
        if (is_global(option->name) || change_option)
            continue;
        option_head(option, head, sizeof(head));
        option_text(option, command->attributes == ATTRIBUTES_CREATE, &text);
        printf(".TP\n.B ");
        print_escaped(head);
        printf("\n");
        print_escaped(text_string(&text));
        printf("\n");
        text_free(&text);
    }
}

void help_manual(void)
{
    for (size_t i = 0; command_at(i); i++) {
        const struct command *command = command_at(i);
        char usage[160];
        usage_line(command, usage, sizeof(usage));
        printf(".SS ");
        print_escaped(usage);
        printf("\n");
        print_escaped(command->summary);
        printf(".\n");
        print_escaped(command->details ? command->details : "");
        manual_options(command);
    }
}

bool run_help_show(struct context *context, struct error *error)
{
    const struct arguments *arguments = &context->arguments;
    const char *noun = arguments->positional_count > 0 ? arguments->positional[0] : NULL;
    const char *verb = arguments->positional_count > 1 ? arguments->positional[1] : NULL;
    if (arguments_has(arguments, "man")) {
        help_manual();
    } else if (!noun) {
        help_of_all();
    } else if (command_find(noun, verb)) {
        help_of_command(command_find(noun, verb));
    } else if (!verb && command_noun_exists(noun)) {
        help_of_noun(noun);
    } else {
        return command_unknown(noun, verb, error);
    }
    return true;
}

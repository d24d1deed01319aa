#include "lbnode/cli/cli.h"

#include "lbnode/base/release.h"
#include "lbnode/cli/command.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/lbnode/lbnode.sock"

enum {
    SOCKET_PATH_SIZE = 4096
};

static int fail(const struct error *error)
{
    char text[sizeof(error->text)];
    memcpy(text, error->text, sizeof(text));
    text_disarm(text);
    fprintf(stderr, "lbnode: %s\n", text);
    return error_exit_code(error->kind);
}

static const char *socket_path(const struct arguments *arguments, char buffer[SOCKET_PATH_SIZE])
{
    const char *given = arguments_value(arguments, "socket");
    const char *run_dir = arguments_value(arguments, "run-dir");
    const char *from_environment = getenv("LBNODE_SOCKET");
    if (given)
        return given;
    if (run_dir) {
        snprintf(buffer, SOCKET_PATH_SIZE, "%s/lbnode.sock", run_dir);
        return buffer;
    }
    return from_environment && from_environment[0] ? from_environment : DEFAULT_SOCKET;
}

/* Is the word behind WORD its value? Before the command is known only global options are. */
static bool global_takes_next(const char *word)
{
    struct option_table globals = {0};
    global_options(&globals);
    for (size_t i = 0; i < globals.count; i++) {
        const struct option *row = &globals.rows[i];
        if (!row->value_name)
            continue;
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, row->name) == 0)
            return true;
        if (row->letter && word[0] == '-' && word[1] == row->letter && word[2] == '\0')
            return true;
    }
    return false;
}

/* The words of the command are taken out of the command line; the rest are its arguments. */
struct words {
    const char *noun, *verb;
    char **rest; /* argv-sized */
    int rest_count;
};

static int next_word(int argc, char **argv, int from)
{
    for (int i = from; i < argc; i++) {
        if (argv[i][0] != '-')
            return i;
        if (global_takes_next(argv[i]))
            i++;
    }
    return argc;
}

static void split_words(int argc, char **argv, struct words *words)
{
    int noun = next_word(argc, argv, 0), verb = argc, skipped = argc;
    if (noun < argc && noun + 1 < argc && strcmp(argv[noun], "loadbalancer") == 0 &&
        resource_class_by_noun(argv[noun + 1])) {
        skipped = noun; /* "loadbalancer pool list", as the openstack command says it */
        noun++;
    }
    words->noun = noun < argc ? argv[noun] : NULL;
    if (words->noun && command_noun_exists(words->noun) && !command_find(words->noun, NULL))
        verb = next_word(argc, argv, noun + 1);
    words->verb = verb < argc ? argv[verb] : NULL;
    for (int i = 0; i < argc; i++) {
        if (i != noun && i != verb && i != skipped)
            words->rest[words->rest_count++] = argv[i];
    }
}

static bool wants_help(const struct words *words)
{
    for (int i = 0; i < words->rest_count; i++) {
        if (strcmp(words->rest[i], "--") == 0)
            return false;
        if (strcmp(words->rest[i], "--help") == 0 || strcmp(words->rest[i], "-h") == 0)
            return true;
    }
    return false;
}

static bool check_positional(const struct context *context, struct error *error)
{
    const struct command *command = context->command;
    size_t count = context->arguments.positional_count;
    const char *wanted =
        command->positional && command->positional[0] ? command->positional : "";
    if (count < command->positional_minimum)
        return error_set(error, ERROR_USAGE, "%s%s%s needs %s; see --help", command->noun,
                         command->verb ? " " : "", command->verb ? command->verb : "", wanted);
    if (count > command->positional_maximum)
        return error_set(error, ERROR_USAGE, "superfluous argument '%s'; see --help",
                         context->arguments.positional[command->positional_maximum]);
    return true;
}

/* It stands in the head of the request: nothing but what a revision looks like may pass. */
static bool check_revision(const char *revision, struct error *error)
{
    return !revision ||
           (strlen(revision) == 16 && strspn(revision, "0123456789abcdef") == 16) ||
           error_set(error, ERROR_USAGE,
                     "--if-rev %.40s is no revision; the show command prints it, 16 "
                     "hexadecimal digits",
                     revision);
}

static int run_command(const struct command *command, const struct words *words)
{
    struct context *context = calloc(1, sizeof(*context));
    char path[SOCKET_PATH_SIZE];
    struct error error = {.kind = ERROR_INTERNAL, .text = "out of memory"};
    if (!context)
        return fail(&error);
    context->command = command;
    context->class = resource_class_of(command->type);
    command_options(command, &context->options);
    bool good = arguments_parse(&context->arguments, &context->options, words->rest_count,
                                (const char *const *)words->rest, &error) &&
                check_positional(context, &error);
    const char *format = arguments_value(&context->arguments, "output");
    if (good && format)
        good = output_format_parse(format, &context->format, &error);
    if (good) {
        context->client.socket_path = socket_path(&context->arguments, path);
        context->client.require_replica = arguments_has(&context->arguments, "require-replica");
        context->client.revision = arguments_value(&context->arguments, "if-rev");
        good =
            check_revision(context->client.revision, &error) && command->run(context, &error);
    }
    int exit_code = good ? context->exit_code : fail(&error);
    free(context);
    return exit_code;
}

static int run_words(const struct words *words)
{
    struct error error = {0};
    if (!words->noun && words->rest_count == 1 && strcmp(words->rest[0], "--version") == 0)
        return run_command(command_find("version", NULL), &(struct words){0});
    if (!words->noun && wants_help(words)) {
        help_of_all();
        return 0;
    }
    const char *noun = words->noun ? words->noun : "status";
    const struct command *command = command_find(noun, words->verb);
    if (command && wants_help(words)) {
        help_of_command(command);
        return 0;
    }
    if (!command && !words->verb && command_noun_exists(noun) && wants_help(words)) {
        help_of_noun(noun);
        return 0;
    }
    if (!command) {
        command_unknown(noun, words->verb, &error);
        return fail(&error);
    }
    return run_command(command, words);
}

int cli_main(int argc, char **argv)
{
    struct words words = {.rest = calloc((size_t)argc + 1, sizeof(*argv))};
    struct error error = {.kind = ERROR_INTERNAL, .text = "out of memory"};
    if (!words.rest)
        return fail(&error);
    if (argc > 0)
        split_words(argc - 1, argv + 1, &words);
    int exit_code = run_words(&words);
    if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code == 0) {
        error_set(&error, ERROR_INVALID, "could not write the output");
        exit_code = fail(&error);
    }
    free(words.rest);
    return exit_code;
}

bool run_version_show(struct context *context, struct error *error)
{
    (void)context;
    (void)error;
    printf("lbnode %s\nreplication protocol %u\n", LBNODE_VERSION, release_protocol());
    return true;
}

bool run_elsewhere(struct context *context, struct error *error)
{
    return error_set(error, ERROR_USAGE, "%s must be the first argument",
                     context->command->noun);
}

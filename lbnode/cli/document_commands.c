#include "lbnode/base/yaml_value.h"
#include "lbnode/cli/command.h"
#include "lbnode/cli/resource_commands.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOCUMENT_MAXIMUM_SIZE = 8 << 20
};

static bool read_stream(FILE *file, const char *path, struct text *out, struct error *error)
{
    char buffer[16384];
    size_t size;
    out->limit = DOCUMENT_MAXIMUM_SIZE;
    while ((size = fread(buffer, 1, sizeof(buffer), file)) > 0)
        text_append(out, buffer, size);
    if (ferror(file))
        return error_set(error, ERROR_INVALID, "%s: %s", path, strerror(errno));
    if (out->overflowed)
        return error_set(error, ERROR_TOO_LARGE, "%s is larger than %d bytes", path,
                         DOCUMENT_MAXIMUM_SIZE);
    return true;
}

static bool read_file(const char *path, struct text *out, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", out, error);
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(error, ERROR_INVALID, "%s: %s", path, strerror(errno));
    bool good = read_stream(file, path, out, error);
    fclose(file);
    return good;
}

/* YAML, or JSON when it starts like an object: errors then speak of the right language. */
static struct json_value *parse_document(const struct text *text, struct error *error)
{
    const char *start = text_string(text);
    while (isspace((unsigned char)*start))
        start++;
    if (*start == '{')
        return json_value_parse(text_string(text), text->length, error);
    return yaml_value_parse(text_string(text), text->length, error);
}

static struct json_value *read_document(const char *path, struct error *error)
{
    struct text text = {0};
    struct error reason = {0};
    struct json_value *document = NULL;
    if (read_file(path, &text, error)) {
        document = parse_document(&text, &reason);
        if (document && json_value_kind(document) != JSON_KIND_OBJECT) {
            error_set(&reason, ERROR_INVALID,
                      "a document is a mapping such as \"loadbalancers: [...]\"; lbnode export "
                      "prints one");
            json_value_free(document);
            document = NULL;
        }
        if (!document)
            error_set(error, ERROR_INVALID, "%s: %.400s",
                      strcmp(path, "-") == 0 ? "standard input" : path, reason.text);
    }
    text_free(&text);
    return document;
}

static void print_changes(const struct json_value *apply)
{
    const struct json_value *changes = json_value_get(apply, "changes");
    bool applied = json_value_truth(json_value_get(apply, "applied"));
    struct table table;
    struct text out = {0};
    table_init(&table, 3);
    for (size_t i = 0; i < json_value_count(changes); i++) {
        const struct json_value *change = json_value_at(changes, i);
        table_add(&table, json_value_get_text(change, "action"));
        table_add(&table, json_value_get_text(change, "path"));
        table_add(&table, json_value_get_text(change, "detail"));
    }
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    if (json_value_count(changes) == 0)
        printf("nothing to change\n");
    else
        printf("%zu change%s %s\n", json_value_count(changes),
               json_value_count(changes) == 1 ? "" : "s",
               applied ? "applied" : "to make (dry run)");
    text_free(&out);
    table_free(&table);
}

bool run_document_apply(struct context *context, struct error *error)
{
    struct response response;
    const struct arguments *arguments = &context->arguments;
    const char *path = arguments_value(arguments, "file");
    const char *confirm = arguments_value(arguments, "confirm");
    uint32_t confirm_s = 0;
    if (!path)
        return error_set(error, ERROR_USAGE, "apply needs --file FILE (- is standard input)");
    if (confirm && !duration_parse(confirm, &confirm_s))
        return error_set(error, ERROR_USAGE,
                         "--confirm %s should be a duration such as 60s or 5m", confirm);
    struct json_value *document = read_document(path, error);
    if (!document)
        return false;
    struct json_value *body = json_value_object();
    json_value_set(body, "document", document);
    json_value_set_bool(body, "dry_run", arguments_has(arguments, "dry-run"));
    json_value_set_bool(body, "prune", arguments_has(arguments, "prune"));
    if (confirm)
        json_value_set_number(body, "confirm_s", confirm_s);
    bool good = client_request(&context->client, "POST", "/v1/apply", body, &response, error);
    const struct json_value *apply = json_value_get(response.json, "apply");
    if (good && context->format == OUTPUT_TABLE)
        print_changes(apply);
    else if (good && context->format != OUTPUT_NAME)
        output_document(context->format, apply);
    if (good)
        cli_print_note(context, &response);
    if (good && json_value_get_text(apply, "undone_at"))
        fprintf(output_notes(context->format),
                "it is undone at %s (UTC) unless you run here: lbnode confirm\n",
                json_value_get_text(apply, "undone_at"));
    json_value_free(body);
    response_free(&response);
    return good;
}

bool run_document_export(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/v1/export", NULL, &response, error);
    if (good)
        output_document(context->format == OUTPUT_JSON ? OUTPUT_JSON : OUTPUT_YAML,
                        json_value_get(response.json, "document"));
    response_free(&response);
    return good;
}

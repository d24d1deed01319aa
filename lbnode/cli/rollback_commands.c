/* Taking changes back. */
#include "lbnode/cli/command.h"
#include "lbnode/cli/history_text.h"
#include "lbnode/cli/resource_commands.h"

static void print_left(const struct json_value *left)
{
    for (size_t i = 0; i < json_value_count(left); i++) {
        const struct json_value *item = json_value_at(left, i);
        const char *type = json_value_get_text(item, "object_type");
        const char *attribute = json_value_get_text(item, "attribute");
        struct text line = {0};
        text_appendf(&line, "left: %s %s%s%s (%s)", type ? type : "object",
                     json_value_get_text(item, "object_name"), attribute ? ": " : "",
                     attribute ? attribute : "", json_value_get_text(item, "why"));
        if (line.data)
            text_disarm(line.data);
        printf("  %s\n", text_string(&line));
        text_free(&line);
    }
}

static void print_rollback(const struct json_value *rollback)
{
    const struct json_value *changes = json_value_get(rollback, "changes");
    size_t count = json_value_count(changes);
    history_print_objects(changes);
    print_left(json_value_get(rollback, "left"));
    if (count == 0)
        printf("nothing to take back\n");
    else
        printf("%zu object%s %s\n", count, count == 1 ? "" : "s",
               json_value_truth(json_value_get(rollback, "applied"))
                   ? "rolled back"
                   : "to roll back (dry run)");
}

bool run_change_confirm(struct context *context, struct error *error)
{
    struct json_value *body = json_value_object(), *wish = json_value_object();
    struct response response;
    if (context->arguments.positional_count > 0)
        json_value_set_text(wish, "change", context->arguments.positional[0]);
    json_value_set(body, "confirm", wish);
    bool good = client_request(&context->client, "POST", "/v1/confirm", body, &response, error);
    const struct json_value *confirm = json_value_get(response.json, "confirm");
    if (good && context->format == OUTPUT_TABLE)
        printf("change %s stays\n", json_value_get_text(confirm, "change"));
    else if (good && context->format == OUTPUT_NAME)
        printf("%s\n", json_value_get_text(confirm, "change"));
    else if (good)
        output_document(context->format, confirm);
    json_value_free(body);
    response_free(&response);
    return good;
}

bool run_rollback_make(struct context *context, struct error *error)
{
    const struct arguments *arguments = &context->arguments;
    const char *change = arguments->positional_count ? arguments->positional[0] : NULL;
    const char *to = arguments_value(arguments, "to");
    const char *object = arguments_value(arguments, "object");
    struct response response;
    if (!change == !to)
        return error_set(error, ERROR_USAGE,
                         "rollback needs a CHANGE, as lbnode history lists them, or --to TIME");
    struct json_value *body = json_value_object(), *wish = json_value_object();
    if (change)
        json_value_set_text(wish, "change", change);
    if (to)
        json_value_set_text(wish, "to", to);
    if (object)
        json_value_set_text(wish, "object", object);
    json_value_set_bool(wish, "force", arguments_has(arguments, "force"));
    json_value_set_bool(wish, "dry_run", arguments_has(arguments, "dry-run"));
    json_value_set(body, "rollback", wish);
    bool good =
        client_request(&context->client, "POST", "/v1/rollback", body, &response, error);
    const struct json_value *rollback = json_value_get(response.json, "rollback");
    if (good && context->format == OUTPUT_TABLE)
        print_rollback(rollback);
    else if (good && context->format != OUTPUT_NAME)
        output_document(context->format, rollback);
    if (good)
        cli_print_note(context, &response);
    json_value_free(body);
    response_free(&response);
    return good;
}

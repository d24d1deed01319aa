/* Who changed what, and when. */
#include "lbnode/cli/command.h"
#include "lbnode/cli/history_text.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"
#include "lbnode/http/http_url.h"

#include <stdlib.h>
#include <string.h>

/* Adds NAME=VALUE, if there is one, to the query of TARGET. */
static bool add_parameter(char target[TARGET_SIZE], const char *name, const char *value)
{
    char encoded[TARGET_SIZE];
    size_t length = strlen(target);
    if (!value)
        return true;
    if (3 * strlen(value) + 1 > sizeof(encoded))
        return false;
    http_url_encode(value, encoded);
    int added = snprintf(target + length, TARGET_SIZE - length, "%c%s=%s",
                         strchr(target, '?') ? '&' : '?', name, encoded);
    return added > 0 && (size_t)added < TARGET_SIZE - length;
}

static bool too_long(struct error *error)
{
    return error_set(error, ERROR_USAGE, "an argument is too long");
}

/* ---- texts ------------------------------------------------------------------------------ */

static void write_attribute(const struct json_value *attribute, struct text *out)
{
    text_appendf(out, "%s%s ", out->length > 0 ? ", " : "",
                 json_value_get_text(attribute, "name"));
    value_write(json_value_get(attribute, "before"), out);
    text_append_string(out, " -> ");
    value_write(json_value_get(attribute, "after"), out);
}

void history_write_object(const struct json_value *object, struct text *out)
{
    const struct json_value *attributes = json_value_get(object, "attributes");
    const char *name = json_value_get_text(object, "object_name");
    const char *action = json_value_get_text(object, "action");
    const char *type = json_value_get_text(object, "object_type");
    struct text detail = {0};
    text_appendf(out, "%s %s %s", action ? action : "update", type ? type : "object",
                 name && *name ? name : json_value_get_text(object, "object_id"));
    bool tells = action && (strcmp(action, "update") == 0 || strcmp(action, "revive") == 0);
    for (size_t i = 0; tells && i < json_value_count(attributes); i++)
        write_attribute(json_value_at(attributes, i), &detail);
    if (detail.length > 0)
        text_appendf(out, ": %s", text_string(&detail));
    if (json_value_truth(json_value_get(object, "before_is_gone")))
        text_append_string(out, " (what was before is no longer kept)");
    if (json_value_truth(json_value_get(object, "overruled")))
        text_append_string(out, " (overruled by a change made at the same time)");
    text_free(&detail);
}

static void write_origin(const struct json_value *change, struct text *out)
{
    const char *author = json_value_get_text(change, "author");
    const char *via = json_value_get_text(change, "via");
    text_appendf(out, "%s@%s", author && *author ? author : "-",
                 json_value_get_text(change, "node"));
    if (via && *via)
        text_appendf(out, " (%s)", via);
}

static void write_what(const struct json_value *change, struct text *out)
{
    const struct json_value *objects = json_value_get(change, "changes");
    size_t count = json_value_count(objects);
    if (count > 0)
        history_write_object(json_value_at(objects, 0), out);
    if (count > 1)
        text_appendf(out, "; and %zu more", count - 1);
}

void history_print_objects(const struct json_value *objects)
{
    for (size_t i = 0; i < json_value_count(objects); i++) {
        struct text line = {0};
        history_write_object(json_value_at(objects, i), &line);
        if (line.data)
            text_disarm(line.data);
        printf("  %s\n", text_string(&line));
        text_free(&line);
    }
}

/* ---- history ---------------------------------------------------------------------------- */

static void add_row(struct table *table, const struct json_value *change)
{
    struct text origin = {0}, what = {0};
    write_origin(change, &origin);
    write_what(change, &what);
    table_add(table, json_value_get_text(change, "time"));
    table_add(table, json_value_get_text(change, "id"));
    table_add(table, text_string(&origin));
    table_add(table, text_string(&what));
    text_free(&origin);
    text_free(&what);
}

static void print_history(const struct json_value *answer)
{
    const struct json_value *changes = json_value_get(answer, "history");
    const char *since = json_value_get_text(answer, "complete_since");
    struct table table;
    struct text out = {0};
    table_init(&table, 4);
    for (size_t i = 0; i < json_value_count(changes); i++)
        add_row(&table, json_value_at(changes, i));
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    if (json_value_count(changes) == 0)
        printf("no changes\n");
    if (json_value_truth(json_value_get(answer, "more")))
        printf("there are older ones: --limit N\n");
    if (since)
        printf("of changes before %s some are no longer kept (history_days, history_mib)\n",
               since);
    table_free(&table);
    text_free(&out);
}

static void print_names(const struct json_value *changes)
{
    for (size_t i = 0; i < json_value_count(changes); i++)
        printf("%s\n", json_value_get_text(json_value_at(changes, i), "id"));
}

bool run_history_show(struct context *context, struct error *error)
{
    const struct arguments *arguments = &context->arguments;
    char target[TARGET_SIZE] = "/v1/history";
    struct response response;
    if (!add_parameter(target, "object",
                       arguments->positional_count ? arguments->positional[0] : NULL) ||
        !add_parameter(target, "since", arguments_value(arguments, "since")) ||
        !add_parameter(target, "limit", arguments_value(arguments, "limit")))
        return too_long(error);
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    const struct json_value *changes = json_value_get(response.json, "history");
    if (good && context->format == OUTPUT_TABLE)
        print_history(response.json);
    else if (good && context->format == OUTPUT_NAME)
        print_names(changes);
    else if (good)
        output_document(context->format, changes);
    response_free(&response);
    return good;
}

/* ---- show and diff ---------------------------------------------------------------------- */

bool run_change_show(struct context *context, struct error *error)
{
    char target[TARGET_SIZE] = "/v1/changes/", encoded[TARGET_SIZE];
    struct response response;
    struct text origin = {0};
    const char *id = context->arguments.positional[0];
    if (strlen(id) > 100)
        return too_long(error);
    http_url_encode(id, encoded);
    snprintf(target, sizeof(target), "/v1/changes/%s", encoded);
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    const struct json_value *change = json_value_get(response.json, "change");
    if (good && context->format == OUTPUT_TABLE) {
        write_origin(change, &origin);
        printf("change %s\n%s by %s\n", json_value_get_text(change, "id"),
               json_value_get_text(change, "time"), text_string(&origin));
        history_print_objects(json_value_get(change, "changes"));
    } else if (good && context->format == OUTPUT_NAME) {
        printf("%s\n", json_value_get_text(change, "id"));
    } else if (good) {
        output_document(context->format, change);
    }
    text_free(&origin);
    response_free(&response);
    return good;
}

bool run_diff_show(struct context *context, struct error *error)
{
    const struct arguments *arguments = &context->arguments;
    char target[TARGET_SIZE] = "/v1/diff";
    struct response response;
    if (!add_parameter(target, "from", arguments->positional[0]) ||
        !add_parameter(target, "to",
                       arguments->positional_count > 1 ? arguments->positional[1] : "now"))
        return too_long(error);
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    const struct json_value *objects = json_value_get(response.json, "diff");
    if (good && context->format != OUTPUT_TABLE)
        output_document(context->format, objects);
    else if (good && json_value_count(objects) == 0)
        printf("no difference\n");
    else if (good)
        history_print_objects(objects);
    response_free(&response);
    return good;
}

/* ---- audit ------------------------------------------------------------------------------ */

static long long number_of(const struct json_value *object, const char *key)
{
    return json_value_number(json_value_get(object, key));
}

static void print_audit(const struct json_value *audit)
{
    static const char *const columns[] = {"node",   "stream",  "changes", "verified",
                                          "purged", "missing", "bad"};
    const struct json_value *streams = json_value_get(audit, "streams");
    struct table table;
    struct text out = {0};
    table_init(&table, ARRAY_LENGTH(columns));
    for (size_t c = 0; c < ARRAY_LENGTH(columns); c++)
        table_add(&table, columns[c]);
    for (size_t i = 0; i < json_value_count(streams); i++)
        for (size_t c = 0; c < ARRAY_LENGTH(columns); c++) {
            char *text = value_text(json_value_at(streams, i), columns[c]);
            table_add(&table, text);
            free(text);
        }
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    printf("%s: %lld verified, %lld purged because they were old, %lld missing, %lld bad\n",
           json_value_truth(json_value_get(audit, "good")) ? "good" : "NOT GOOD",
           number_of(audit, "verified"), number_of(audit, "purged"),
           number_of(audit, "missing"), number_of(audit, "bad"));
    table_free(&table);
    text_free(&out);
}

bool run_audit_verify(struct context *context, struct error *error)
{
    struct response response;
    struct client client = context->client;
    client.long_poll_ms = CLIENT_DEADLINE_MS * 10; /* a large log takes its time */
    bool good = client_request(&client, "GET", "/v1/audit", NULL, &response, error);
    const struct json_value *audit = json_value_get(response.json, "audit");
    if (good && context->format == OUTPUT_TABLE)
        print_audit(audit);
    else if (good)
        output_document(context->format, audit);
    if (good && !json_value_truth(json_value_get(audit, "good")))
        context->exit_code = error_exit_code(ERROR_INVALID);
    response_free(&response);
    return good;
}

/* What two nodes changed at once, and which of the values to keep. */
#include "lbnode/base/parse_number.h"
#include "lbnode/cli/command.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"

#include <stdlib.h>
#include <string.h>

/* ---- showing ----------------------------------------------------------------------------- */

/* Do the entries of a conflict disagree about KEY? */
static bool is_disputed(const struct json_value *entries, const char *key)
{
    char *first = value_text(json_value_get(json_value_at(entries, 0), "values"), key);
    bool disputed = false;
    for (size_t i = 1; i < json_value_count(entries); i++) {
        char *other = value_text(json_value_get(json_value_at(entries, i), "values"), key);
        disputed |= strcmp(first, other) != 0;
        free(other);
    }
    free(first);
    return disputed;
}

/* "weight=5": what this entry says where the entries disagree. */
static void write_disputed(const struct json_value *entries,
                           const struct json_value *entry,
                           struct text *out)
{
    const struct json_value *values = json_value_get(entry, "values");
    for (void *at = json_value_first(values); at; at = json_value_next(values, at)) {
        if (json_value_count(entries) > 1 && !is_disputed(entries, json_value_key(at)))
            continue;
        text_appendf(out, "%s%s=", out->length > 0 ? ", " : "", json_value_key(at));
        value_write(json_value_of(at), out);
    }
    if (out->length == 0)
        text_append_string(out, "the same value");
}

static void
add_entry(struct table *table, const struct json_value *entries, const struct json_value *entry)
{
    struct text values = {0};
    char *time = value_text(entry, "time");
    char *node = value_text(entry, "node");
    char *author = value_text(entry, "author");
    bool active = json_value_truth(json_value_get(entry, "active"));
    char *number = value_text(entry, "number");
    table_add(table, number);
    table_add(table, active ? "in force" : "overruled");
    write_disputed(entries, entry, &values);
    table_add(table, text_string(&values));
    table_addf(table, "%s by %s on %s", time, author, node);
    text_free(&values);
    free(number);
    free(time);
    free(node);
    free(author);
}

static void print_conflict(const struct json_value *conflict)
{
    struct table table;
    struct text out = {0};
    const struct json_value *entries = json_value_get(conflict, "entries");
    char *type = value_text(conflict, "object_type"),
         *name = value_text(conflict, "object_name");
    char *attributes = value_text(conflict, "attributes");
    char *kind = value_text(conflict, "kind"), *why = value_text(conflict, "why");
    printf("%s: %s %s: %s\n", kind, type, name, attributes);
    table_init(&table, 4);
    for (size_t i = 0; i < json_value_count(entries); i++)
        add_entry(&table, entries, json_value_at(entries, i));
    table_write(&table, 2, &out);
    fputs(text_string(&out), stdout);
    printf("  %s\n", why);
    table_free(&table);
    text_free(&out);
    free(kind);
    free(why);
    free(type);
    free(name);
    free(attributes);
}

bool run_conflicts_show(struct context *context, struct error *error)
{
    struct response response;
    bool good =
        client_request(&context->client, "GET", "/v1/conflicts", NULL, &response, error);
    const struct json_value *conflicts = json_value_get(response.json, "conflicts");
    if (good && context->format != OUTPUT_TABLE)
        output_document(context->format, conflicts);
    else if (good && json_value_count(conflicts) == 0)
        printf("no conflicts\n");
    for (size_t i = 0;
         good && context->format == OUTPUT_TABLE && i < json_value_count(conflicts); i++)
        print_conflict(json_value_at(conflicts, i));
    if (good && context->format == OUTPUT_TABLE && json_value_count(conflicts) > 0)
        printf(
            "lbnode resolve OBJECT --take NUMBER keeps one value; setting the attribute again, "
            "on any node, also closes its conflict\n");
    response_free(&response);
    return good;
}

/* ---- closing ----------------------------------------------------------------------------- */

static bool has_text(const struct json_value *object, const char *key, const char *text)
{
    const char *value = json_value_get_text(object, key);
    return value && strcmp(value, text) == 0;
}

/* OBJECT is an id or a name, FACET the conflict's own or one of its attributes, or NULL. */
static bool is_meant(const struct json_value *conflict, const char *object, const char *facet)
{
    const struct json_value *attributes = json_value_get(conflict, "attributes");
    if (!json_value_get_text(conflict, "facet") || (!has_text(conflict, "object_id", object) &&
                                                    !has_text(conflict, "object_name", object)))
        return false;
    bool meant = !facet || has_text(conflict, "facet", facet);
    for (size_t i = 0; !meant && i < json_value_count(attributes); i++)
        meant = strcmp(json_value_text(json_value_at(attributes, i)), facet) == 0;
    return meant;
}

/* The one conflict that the words mean. */
static const struct json_value *find_conflict(const struct json_value *conflicts,
                                              const struct arguments *arguments,
                                              struct error *error)
{
    const char *object = arguments->positional[0];
    const char *facet = arguments->positional_count > 1 ? arguments->positional[1] : NULL;
    const struct json_value *found = NULL;
    for (size_t i = 0; i < json_value_count(conflicts); i++) {
        const struct json_value *conflict = json_value_at(conflicts, i);
        if (!is_meant(conflict, object, facet))
            continue;
        if (found) {
            error_set(error, ERROR_CONFLICT,
                      "%.64s has several open conflicts; name the object by its id and the "
                      "attribute too, as lbnode conflicts -o json shows them",
                      object);
            return NULL;
        }
        found = conflict;
    }
    if (!found)
        error_set(error, ERROR_NOT_FOUND,
                  "%.64s%s%.64s has no open conflict with values to choose from", object,
                  facet ? " " : "", facet ? facet : "");
    return found;
}

static bool take_value(struct context *context,
                       const struct json_value *conflict,
                       int64_t number,
                       struct error *error)
{
    char target[TARGET_SIZE];
    struct response response;
    struct json_value *body = json_value_object();
    json_value_set(body, "take", json_value_integer(number));
    snprintf(target, sizeof(target), "/v1/conflicts/%s/%s",
             json_value_get_text(conflict, "object_id"),
             json_value_get_text(conflict, "facet"));
    bool good = client_request(&context->client, "POST", target, body, &response, error);
    if (good) {
        fprintf(output_notes(context->format), "took value %lld of %s of %s\n",
                (long long)number, json_value_get_text(conflict, "facet"),
                context->arguments.positional[0]);
        cli_print_note(context, &response);
    }
    json_value_free(body);
    response_free(&response);
    return good;
}

bool run_conflict_resolve(struct context *context, struct error *error)
{
    struct response response;
    int64_t number;
    const char *take = arguments_value(&context->arguments, "take");
    if (!take || !parse_integer(take, 1, 1000, &number))
        return error_set(
            error, ERROR_USAGE,
            "--take must be the number that lbnode conflicts shows beside a value");
    bool good =
        client_request(&context->client, "GET", "/v1/conflicts", NULL, &response, error);
    const struct json_value *conflict =
        good ? find_conflict(json_value_get(response.json, "conflicts"), &context->arguments,
                             error)
             : NULL;
    good = conflict && take_value(context, conflict, number, error);
    response_free(&response);
    return good;
}

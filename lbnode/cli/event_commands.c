#include "lbnode/base/parse_number.h"
#include "lbnode/cli/command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_S = 20 /* with the client's patience below the client's deadline */
};

/* ---- events ------------------------------------------------------------------------------ */

/* One event is one line in every format, so that -f can be piped. */
static void print_event(const struct context *context, const struct json_value *event)
{
    static const char *const keys[] = {"time", "level", "process", "code", "text"};
    static const int widths[] = {19, 7, 10, 18, 0};
    if (context->format != OUTPUT_TABLE) {
        char *line = json_value_print(event, 0);
        printf("%s\n", line ? line : "");
        free(line);
        return;
    }
    struct table table;
    struct text out = {0};
    table_init(&table, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        char *value = value_text(event, keys[i]);
        text_appendf(&out, "%s%-*s", i > 0 ? "  " : "", widths[i], value);
        free(value);
    }
    table_add(&table, text_string(&out));
    text_clear(&out);
    table_write(&table, 0, &out);
    fputs(text_string(&out), stdout);
    table_free(&table);
    text_free(&out);
}

static bool print_events_after(const struct context *context,
                               int64_t *after,
                               bool wait,
                               struct error *error)
{
    char target[80];
    struct client client = context->client;
    struct response response;
    snprintf(target, sizeof(target), "/v1/events?after=%" PRId64, *after);
    if (wait) {
        snprintf(target + strlen(target), sizeof(target) - strlen(target), "&wait=%d", WAIT_S);
        client.needs_reader = true;
        client.long_poll_ms = WAIT_S * 1000;
    }
    bool good = client_request(&client, "GET", target, NULL, &response, error);
    const struct json_value *events = json_value_get(response.json, "events");
    for (size_t i = 0; good && i < json_value_count(events); i++) {
        const struct json_value *event = json_value_at(events, i);
        print_event(context, event);
        *after = json_value_number(json_value_get(event, "number"));
    }
    fflush(stdout);
    response_free(&response);
    return good;
}

bool run_events_show(struct context *context, struct error *error)
{
    int64_t after = 0;
    const char *since = arguments_value(&context->arguments, "since");
    bool follow = arguments_has(&context->arguments, "follow");
    if (since && !parse_integer(since, 0, INT64_MAX, &after))
        return error_set(error, ERROR_USAGE, "--since %s should be the number of an event",
                         since);
    if (!print_events_after(context, &after, false, error))
        return false;
    while (follow && !ferror(stdout)) {
        if (!print_events_after(context, &after, true, error))
            return client_output_is_gone();
    }
    return true;
}

/* ---- metrics, schema --------------------------------------------------------------------- */

bool run_metrics_show(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/metrics", NULL, &response, error);
    if (good)
        fputs(text_string(&response.body), stdout);
    response_free(&response);
    return good;
}

/* The field table as this program knows it; the daemon's own is GET /v1/schema. */
bool run_schema_show(struct context *context, struct error *error)
{
    (void)error;
    struct json_value *schema = field_table_describe();
    output_document(context->format == OUTPUT_YAML ? OUTPUT_YAML : OUTPUT_JSON, schema);
    json_value_free(schema);
    return true;
}

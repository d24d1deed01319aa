#include "lbnode/base/monotime.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/base/walltime.h"
#include "lbnode/cli/command.h"
#include "lbnode/http/http_url.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WAIT_S = 20, /* with the client's patience below the client's deadline */
    RETRY_MS = 250
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

/* How far one has read. */
struct cursor {
    int64_t last;
    char start[24]; /* of the daemon's process; "": not known yet */
    bool away;      /* the daemon did not answer last */
};

static void note_back(struct cursor *cursor)
{
    if (cursor->away)
        fprintf(stderr, "lbnode answers again\n");
    cursor->away = false;
}

enum {
    FILTER_MAXIMUM = 256 /* bytes; a longer one can match nothing */
};

static void add_filter(struct text *target, const char *key, const char *value)
{
    char part[FILTER_MAXIMUM + 1], encoded[3 * FILTER_MAXIMUM + 1];
    if (!value)
        return;
    snprintf(part, sizeof(part), "%s", value);
    http_url_encode(part, encoded);
    text_appendf(target, "&%s=%s", key, encoded);
}

static void write_target(const struct context *context,
                         const struct cursor *cursor,
                         bool wait,
                         struct text *out)
{
    const struct arguments *arguments = &context->arguments;
    const char *since = arguments_value(arguments, "since");
    int64_t number;
    text_appendf(out, "/v1/events?after=%" PRId64, cursor->last);
    add_filter(out, "start", cursor->start[0] ? cursor->start : NULL);
    if (since && !parse_integer(since, 0, INT64_MAX, &number))
        add_filter(out, "since", cursor->start[0] ? NULL : since);
    add_filter(out, "object", arguments_value(arguments, "object"));
    add_filter(out, "code", arguments_value(arguments, "code"));
    if (wait)
        text_appendf(out, "&wait=%d", WAIT_S);
}

static void advance(struct cursor *cursor, const struct json_value *answer)
{
    const char *start = json_value_get_text(answer, "start");
    cursor->last = json_value_number(json_value_get(answer, "last"));
    snprintf(cursor->start, sizeof(cursor->start), "%.20s", start ? start : "");
}

/* Whoever presses Ctrl-C ends it in order, but never in the middle of a line. */
static void hold_interrupts(bool hold)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL);
}

static bool print_events_after(const struct context *context,
                               struct cursor *cursor,
                               bool wait,
                               struct error *error)
{
    struct client client = context->client;
    struct response response;
    struct text target = {0};
    if (wait) {
        client.needs_reader = true;
        client.long_poll_ms = WAIT_S * 1000;
    }
    write_target(context, cursor, wait, &target);
    bool good = client_request(&client, "GET", text_string(&target), NULL, &response, error);
    const struct json_value *events = json_value_get(response.json, "events");
    hold_interrupts(true);
    if (good)
        note_back(cursor);
    for (size_t i = 0; good && i < json_value_count(events); i++)
        print_event(context, json_value_at(events, i));
    if (good)
        advance(cursor, response.json);
    fflush(stdout);
    hold_interrupts(false);
    text_free(&target);
    response_free(&response);
    return good;
}

static void on_interrupt(int number)
{
    (void)number;
    _exit(0);
}

/* A daemon that starts anew numbers its events from 1: the cursor tells it which start the
 * number is of, and nothing of the new one is left out. */
static bool follow_events(struct context *context, struct cursor *cursor, struct error *error)
{
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    while (!ferror(stdout)) {
        if (print_events_after(context, cursor, !cursor->away, error))
            continue;
        if (client_output_is_gone())
            return true;
        if (error->kind != ERROR_UNREACHABLE && error->kind != ERROR_UNAVAILABLE)
            return false;
        if (!cursor->away)
            fprintf(stderr, "lbnode does not answer; waiting for it\n");
        cursor->away = true;
        poll(NULL, 0, RETRY_MS);
    }
    return true;
}

bool run_events_show(struct context *context, struct error *error)
{
    struct cursor cursor = {0};
    const char *since = arguments_value(&context->arguments, "since");
    uint64_t wall_ms;
    if (since && !parse_integer(since, 0, INT64_MAX, &cursor.last) &&
        !walltime_parse(since, walltime_now_ms(), &wall_ms))
        return error_set(error, ERROR_USAGE,
                         "--since %s should be the number of an event, a time such as "
                         "2026-01-31T12:34:56Z or an age such as 10m",
                         since);
    if (!print_events_after(context, &cursor, false, error))
        return false;
    return !arguments_has(&context->arguments, "follow") ||
           follow_events(context, &cursor, error);
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

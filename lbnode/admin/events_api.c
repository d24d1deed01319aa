/* Events since a number, of a code, about an object; with wait= the answer is held until there
 * is a new one. Numbers begin anew with each start of the process: START tells starts apart. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/base/walltime.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    MAXIMUM_WAIT_S = 300,
    MAXIMUM_EVENTS = EVENT_RING_SIZE /* in one answer: all that are kept */
};

static struct json_value *event_json(const struct event_record *record)
{
    char time[WALLTIME_TEXT_SIZE];
    struct json_value *object = json_value_object();
    walltime_format(record->wall_ms, time);
    json_value_set_number(object, "number", (int64_t)record->number);
    json_value_set_text(object, "time", time);
    json_value_set_text(object, "level", event_level_name(event_code_level(record->code)));
    json_value_set_text(object, "code", event_code_name(record->code));
    json_value_set_text(object, "process", process_role_name(record->role));
    json_value_set_text(object, "text", record->text);
    return object;
}

/* ---- the question ------------------------------------------------------------------------ */

enum {
    START_TEXT_SIZE = 17
};

struct query {
    uint64_t after, since_ms;
    int64_t wait_s;
    const char *object; /* NULL: any */
    unsigned code;      /* enum event_code; EVENT_CODE_COUNT: any */
};

static unsigned code_of(const char *name)
{
    unsigned code = 0;
    while (code < EVENT_CODE_COUNT && strcmp(event_code_name((enum event_code)code), name) != 0)
        code++;
    return code;
}

static void write_start(const struct node_state *state, char out[START_TEXT_SIZE])
{
    snprintf(out, START_TEXT_SIZE, "%llx", (unsigned long long)state->started_wall_ms);
}

/* A reader that has a number of another start, or of more than there is, has seen nothing. */
static uint64_t number_after(const struct admin_request *request, uint64_t number)
{
    const char *start = http_url_parameter(&request->url, "start");
    char own[START_TEXT_SIZE];
    write_start(request->state, own);
    bool other = start && strcmp(start, own) != 0;
    return other || number > event_ring_last_number(request->state->events) ? 0 : number;
}

static bool
read_query(const struct admin_request *request, struct query *out, struct error *error)
{
    const struct http_url *url = &request->url;
    const char *after_text = http_url_parameter(url, "after");
    const char *wait_text = http_url_parameter(url, "wait");
    const char *since = http_url_parameter(url, "since");
    const char *code_text = http_url_parameter(url, "code");
    int64_t after = 0;
    *out = (struct query){.object = http_url_parameter(url, "object"),
                          .code = code_text ? code_of(code_text) : EVENT_CODE_COUNT};
    if (code_text && out->code == EVENT_CODE_COUNT)
        return error_invalid_field(error, "code", code_text,
                                   "Value should be the code of an event such as MEMBER_ERROR");
    if (after_text && !parse_integer(after_text, 0, INT64_MAX, &after))
        return error_invalid_field(error, "after", after_text,
                                   "Value should be the number of an event");
    if (wait_text && !parse_integer(wait_text, 0, MAXIMUM_WAIT_S, &out->wait_s))
        return error_invalid_field(error, "wait", wait_text,
                                   "Value should be 0 to 300 seconds");
    if (since && !walltime_parse(since, walltime_now_ms(), &out->since_ms))
        return error_invalid_field(error, "since", since,
                                   "Value should be a time such as 2026-01-31T12:34:56Z or an "
                                   "age such as 10m");
    out->after = number_after(request, (uint64_t)after);
    return true;
}

static bool is_part_of_name(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

/* Does TEXT have NAME in it as a whole word? */
static bool names(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = text; length > 0 && (at = strstr(at, name)); at++) {
        bool begins = at == text || !is_part_of_name(at[-1]);
        bool dot_ends = at[length] == '.' && !is_part_of_name(at[length + 1]);
        if (begins && (!is_part_of_name(at[length]) || dot_ends))
            return true;
    }
    return false;
}

static bool matches(const struct query *query, const struct event_record *record)
{
    return record->wall_ms >= query->since_ms &&
           (query->code == EVENT_CODE_COUNT || query->code == (unsigned)record->code) &&
           (!query->object || names(record->text, query->object));
}

/* The next one that matches; *AFTER: what was looked at. */
static const struct event_record *
next(const struct event_ring *ring, const struct query *query, uint64_t *after)
{
    const struct event_record *record;
    while ((record = event_ring_after(ring, *after))) {
        *after = record->number;
        if (matches(query, record))
            return record;
    }
    return NULL;
}

/* ---- the answer -------------------------------------------------------------------------- */

static void answer(struct admin_request *request, const struct query *query)
{
    const struct event_record *record;
    struct json_value *root = json_value_object(), *list = json_value_array();
    char start[START_TEXT_SIZE];
    uint64_t last = query->after;
    for (size_t i = 0;
         i < MAXIMUM_EVENTS && (record = next(request->state->events, query, &last)); i++)
        json_value_append(list, event_json(record));
    write_start(request->state, start);
    json_value_set(root, "events", list);
    json_value_set_number(root, "last", (int64_t)last);
    json_value_set_text(root, "start", start);
    admin_answer_json(request, 200, root);
}

static void waited(struct loop_timer *timer)
{
    struct admin_request *request = CONTAINER_OF(timer, struct admin_request, timer);
    struct error error = {0};
    struct query query;
    if (read_query(request, &query, &error))
        answer(request, &query);
    else
        admin_answer_error(request, &error);
}

/* Answers on the next turn: several events at once make one answer, and whoever raised the
 * event does not write to clients. */
static void woken(struct admin_request *request)
{
    request->on_event = NULL;
    loop_timer_start(request->loop, &request->timer, 0, waited);
}

void events_list(struct admin_request *request)
{
    struct error error = {0};
    struct query query;
    if (!read_query(request, &query, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    uint64_t after = query.after;
    if (query.wait_s == 0 || next(request->state->events, &query, &after)) {
        answer(request, &query);
        return;
    }
    request->on_event = woken;
    loop_timer_start(request->loop, &request->timer, (uint64_t)query.wait_s * 1000, waited);
}

/* Events since a number; with wait= the answer is held until there is a new one. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/parse_number.h"

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

static uint64_t number_after(const struct admin_request *request)
{
    const char *text = http_url_parameter(&request->url, "after");
    int64_t number = 0;
    if (text)
        parse_integer(text, 0, INT64_MAX, &number);
    /* A reader that is ahead of us read from an earlier start of this process. */
    uint64_t last = event_ring_last_number(request->state->events);
    return (uint64_t)number > last ? 0 : (uint64_t)number;
}

static void answer(struct admin_request *request, uint64_t after)
{
    const struct event_ring *ring = request->state->events;
    const struct event_record *record;
    struct json_value *root = json_value_object(), *list = json_value_array();
    uint64_t last = after;
    for (size_t i = 0; i < MAXIMUM_EVENTS && (record = event_ring_after(ring, last)); i++) {
        json_value_append(list, event_json(record));
        last = record->number;
    }
    json_value_set(root, "events", list);
    json_value_set_number(root, "last", (int64_t)last);
    admin_answer_json(request, 200, root);
}

static void waited(struct loop_timer *timer)
{
    struct admin_request *request = CONTAINER_OF(timer, struct admin_request, timer);
    answer(request, number_after(request));
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
    const char *after_text = http_url_parameter(&request->url, "after");
    const char *wait_text = http_url_parameter(&request->url, "wait");
    int64_t after = 0, wait_s = 0;
    if (after_text && !parse_integer(after_text, 0, INT64_MAX, &after)) {
        admin_answer_fault(request, 400, ERROR_INVALID,
                           "Invalid input for field/attribute after. Value should be the "
                           "number of an event");
        return;
    }
    if (wait_text && !parse_integer(wait_text, 0, MAXIMUM_WAIT_S, &wait_s)) {
        admin_answer_fault(request, 400, ERROR_INVALID,
                           "Invalid input for field/attribute wait. Value should be 0 to 300 "
                           "seconds");
        return;
    }
    uint64_t from = number_after(request);
    if (wait_s == 0 || event_ring_after(request->state->events, from)) {
        answer(request, from);
        return;
    }
    request->on_event = woken;
    loop_timer_start(request->loop, &request->timer, (uint64_t)wait_s * 1000, waited);
}

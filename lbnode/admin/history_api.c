/* The past: GET /v1/history, GET /v1/changes/ID, GET /v1/audit. */
#include "lbnode/admin/history_api.h"

#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/past_view.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/base/walltime.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    USUAL_CHANGES = 50,
    MOST_CHANGES = 1000,
    OBJECTS_IN_A_LIST = 64, /* of one change; GET /v1/changes/ID has them all */
};

/* ---- waiting for the index -------------------------------------------------------------- */

struct asking {
    struct admin_request *request;
    void (*go_on)(struct admin_request *request);
};

static void ready(void *context, const struct error *error)
{
    struct asking asking = *(struct asking *)context;
    free(context);
    if (!admin_request_resume(asking.request))
        return;
    if (error->kind != ERROR_NONE)
        admin_answer_error(asking.request, error);
    else
        asking.go_on(asking.request);
}

void history_ask(struct admin_request *request, void (*go_on)(struct admin_request *request))
{
    struct asking *asking = malloc(sizeof(*asking));
    if (!asking) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    *asking = (struct asking){request, go_on};
    request->held = true;
    replication_history_prepare(request->state->replication, ready, asking);
}

/* ---- points in time --------------------------------------------------------------------- */

static bool take_stamp(void *context, const struct past_change *change)
{
    struct past_point *point = context;
    point->upto = change->stamp;
    point->wall_ms = change->wall_ms;
    return true;
}

bool history_point(const struct admin_request *request,
                   const char *field,
                   const char *text,
                   struct past_point *out,
                   struct error *error)
{
    const struct past_visitor visitor = {.change = take_stamp, .context = out};
    struct uuid id;
    if (text && uuid_parse(text, &id))
        return replication_history_show(request->state->replication, &id, &visitor, error);
    if (!text || !walltime_parse(text, walltime_now_ms(), &out->wall_ms))
        return error_invalid_field(error, field, text ? text : "",
                                   "Value should be the id of a change, a time such as "
                                   "2026-01-31T12:34:56Z or an age such as 10m");
    out->upto = (struct change_stamp){out->wall_ms << 16 | UINT16_MAX, UINT64_MAX, UINT64_MAX};
    return true;
}

struct change_stamp history_after(const struct past_point *point)
{
    struct change_stamp after = point->upto;
    if (++after.seq != 0)
        return after;
    return (struct change_stamp){after.hlc + 1, 0, 0};
}

int history_stamp_compare(const struct change_stamp *a, const struct change_stamp *b)
{
    const uint64_t left[] = {a->hlc, a->stream, a->seq};
    const uint64_t right[] = {b->hlc, b->stream, b->seq};
    for (size_t i = 0; i < ARRAY_LENGTH(left); i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

/* ---- the list --------------------------------------------------------------------------- */

struct query {
    bool has_object;
    struct uuid object_id;
    uint64_t since_ms;
    int64_t limit;
};

struct listing {
    const struct node_state *state;
    struct json_value *list, *last;
    int64_t limit;
    bool more;
};

static bool add_change(void *context, const struct past_change *change)
{
    struct listing *listing = context;
    listing->more = (int64_t)json_value_count(listing->list) == listing->limit;
    if (listing->more)
        return false;
    listing->last = past_change_json(listing->state, change);
    json_value_append(listing->list, listing->last);
    return true;
}

static void add_op(void *context, const struct past_op *op)
{
    struct listing *listing = context;
    if (json_value_count(json_value_get(listing->last, "changes")) < OBJECTS_IN_A_LIST)
        past_add_op(listing->state, listing->last, op);
}

static bool
read_query(const struct admin_request *request, struct query *out, struct error *error)
{
    const char *object = http_url_parameter(&request->url, "object");
    const char *since = http_url_parameter(&request->url, "since");
    const char *limit = http_url_parameter(&request->url, "limit");
    *out = (struct query){.limit = USUAL_CHANGES, .has_object = object};
    if (since && !walltime_parse(since, walltime_now_ms(), &out->since_ms))
        return error_invalid_field(error, "since", since,
                                   "Value should be a time such as 2026-01-31T12:34:56Z or an "
                                   "age such as 10m");
    if (limit && !parse_integer(limit, 1, MOST_CHANGES, &out->limit))
        return error_invalid_field(error, "limit", limit, "Value should be 1 to 1000");
    return !object || past_find_object(request->state, object, &out->object_id, error);
}

/* Older changes may have been there: some that were made before this are gone. */
static void tell_horizon(const struct admin_request *request, struct json_value *answer)
{
    uint64_t horizon = replication_history_horizon(request->state->replication);
    char time[WALLTIME_TEXT_SIZE];
    uint64_t wall_ms = horizon >> 16, now_ms = walltime_now_ms();
    walltime_format(wall_ms < now_ms ? wall_ms : now_ms, time);
    json_value_set_text(answer, "complete_since", horizon ? time : NULL);
}

static void list_changes(struct admin_request *request)
{
    struct error error = {0};
    struct query query;
    struct listing listing = {request->state, json_value_array(), NULL, 0, false};
    const struct past_visitor visitor = {add_change, add_op, &listing};
    bool good = read_query(request, &query, &error);
    listing.limit = query.limit;
    good = good && replication_history_visit(request->state->replication,
                                             query.has_object ? &query.object_id : NULL,
                                             query.since_ms, &visitor, &error);
    if (!good) {
        json_value_free(listing.list);
        admin_answer_error(request, &error);
        return;
    }
    struct json_value *answer = json_value_object();
    json_value_set(answer, "history", listing.list);
    json_value_set_bool(answer, "more", listing.more);
    tell_horizon(request, answer);
    admin_answer_json(request, 200, answer);
}

void history_list(struct admin_request *request)
{
    history_ask(request, list_changes);
}

/* ---- one change ------------------------------------------------------------------------- */

struct showing {
    const struct node_state *state;
    struct json_value *change;
};

static bool show_change(void *context, const struct past_change *change)
{
    struct showing *showing = context;
    showing->change = past_change_json(showing->state, change);
    return true;
}

static void show_op(void *context, const struct past_op *op)
{
    const struct showing *showing = context;
    past_add_op(showing->state, showing->change, op);
}

static void show_one(struct admin_request *request)
{
    struct error error = {0};
    struct uuid id;
    struct showing showing = {request->state, NULL};
    const struct past_visitor visitor = {show_change, show_op, &showing};
    if (!uuid_parse(request->parameters[0], &id))
        error_set(&error, ERROR_NOT_FOUND,
                  "%.64s is not the id of a change; lbnode history lists them.",
                  request->parameters[0]);
    else
        replication_history_show(request->state->replication, &id, &visitor, &error);
    if (error.kind == ERROR_NONE) {
        admin_answer_wrapped(request, 200, "change", showing.change);
        return;
    }
    json_value_free(showing.change);
    admin_answer_error(request, &error);
}

void change_show(struct admin_request *request)
{
    history_ask(request, show_one);
}

/* ---- audit ------------------------------------------------------------------------------ */

static struct json_value *stream_json(const struct node_state *state,
                                      const struct audit_stream *stream)
{
    struct json_value *object = json_value_object();
    char id[24], node[PAST_OBJECT_NAME_SIZE];
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)stream->stream);
    past_object_name(state, &stream->node_id, node);
    json_value_set_text(object, "stream", id);
    json_value_set_text(object, "node", node);
    json_value_set_number(object, "changes", (int64_t)stream->last);
    json_value_set_number(object, "verified", (int64_t)stream->verified);
    json_value_set_number(object, "purged", (int64_t)stream->purged);
    json_value_set_number(object, "missing", (int64_t)stream->missing);
    json_value_set_number(object, "bad", (int64_t)stream->bad);
    if (stream->first_missing)
        json_value_set_number(object, "first_missing", (int64_t)stream->first_missing);
    if (stream->first_bad)
        json_value_set_number(object, "first_bad", (int64_t)stream->first_bad);
    return object;
}

static void audited(void *context, const struct audit_report *report, const struct error *error)
{
    struct admin_request *request = context;
    struct audit_stream sum = {0};
    if (!admin_request_resume(request))
        return;
    if (!report) {
        admin_answer_error(request, error);
        return;
    }
    struct json_value *audit = json_value_object(), *streams = json_value_array();
    for (size_t i = 0; i < report->count; i++) {
        const struct audit_stream *stream = &report->streams[i];
        json_value_append(streams, stream_json(request->state, stream));
        sum.verified += stream->verified;
        sum.purged += stream->purged;
        sum.missing += stream->missing;
        sum.bad += stream->bad;
    }
    json_value_set_bool(audit, "good", sum.missing == 0 && sum.bad == 0);
    json_value_set_number(audit, "verified", (int64_t)sum.verified);
    json_value_set_number(audit, "purged", (int64_t)sum.purged);
    json_value_set_number(audit, "missing", (int64_t)sum.missing);
    json_value_set_number(audit, "bad", (int64_t)sum.bad);
    json_value_set(audit, "streams", streams);
    admin_answer_wrapped(request, 200, "audit", audit);
}

void audit_show(struct admin_request *request)
{
    request->held = true;
    replication_audit(request->state->replication, audited, request);
}

/* The whole configuration as one document: export it, or make things as a document says, in one
 * change set, all or nothing. */
#include "lbnode/admin/admin_change.h"
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/probation.h"
#include "lbnode/admin/secrets_api.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"

#include <stdlib.h>

void document_export(struct admin_request *request)
{
    admin_answer_wrapped(request, 200, "document",
                         configuration_export(request->state->configuration));
}

static struct json_value *summary_of(const struct document_plan *plan)
{
    static const char *const actions[] = {[DOCUMENT_CREATE] = "create",
                                          [DOCUMENT_UPDATE] = "update",
                                          [DOCUMENT_DELETE] = "delete"};
    struct json_value *changes = json_value_array(), *summary = json_value_object();
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct document_step *step = &plan->steps[i];
        const struct resource_class *class = resource_class_of(step->type);
        struct json_value *change = json_value_object();
        json_value_set_text(change, "action", actions[step->action]);
        json_value_set_text(change, "type", class ? class->noun : NULL);
        json_value_set_text(change, "path", step->path);
        json_value_set_text(change, "detail", step->detail);
        json_value_append(changes, change);
    }
    json_value_set(summary, "changes", changes);
    return summary;
}

static void answer_applied(struct admin_request *request)
{
    struct json_value *summary = request->change->summary;
    request->change->summary = NULL;
    const struct admin_change *change = request->change;
    char time[WALLTIME_TEXT_SIZE];
    json_value_set_bool(summary, "applied", true);
    walltime_format(change->submitted_wall_ms + change->undo_after_s * 1000, time);
    if (change->undo_after_s > 0)
        json_value_set_text(summary, "undone_at", time);
    admin_answer_wrapped(request, 200, "apply", summary);
}

static bool
read_flag(const struct admin_request *request, const char *name, bool *out, struct error *error)
{
    const struct json_value *value = json_value_get(request->body, name);
    *out = json_value_truth(value);
    if (json_value_is_null(value) || json_value_kind(value) == JSON_KIND_BOOL)
        return true;
    return error_invalid_field(error, name, "", "Value should be true or false");
}

/* Submits PLAN; its change set moves into the request. */
static void
submit_plan(struct admin_request *request, struct document_plan *plan, uint64_t undo_after_s)
{
    const struct uuid none = {0};
    struct change_set changes = *plan->changes;
    *plan->changes = (struct change_set){0};
    if (!request->change)
        request->change = calloc(1, sizeof(*request->change));
    if (request->change) {
        json_value_free(request->change->summary);
        request->change->summary = summary_of(plan);
        request->change->undo_after_s = undo_after_s;
    }
    admin_change_submit(request, &changes, &none, 200, answer_applied);
}

static bool plan_body(const struct admin_request *request,
                      struct document_plan *plan,
                      bool *out_dry_run,
                      struct error *error)
{
    const struct json_value *document = json_value_get(request->body, "document");
    bool prune;
    if (json_value_kind(document) != JSON_KIND_OBJECT)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: the body must be {\"document\": {...}} with an "
                         "object of lists such as loadbalancers");
    struct sensitive_keys keys = secrets_keys(request->state);
    return read_flag(request, "dry_run", out_dry_run, error) &&
           read_flag(request, "prune", &prune, error) &&
           configuration_plan_document(request->state->configuration, document, prune, &keys,
                                       plan, error);
}

static void count_waiting(void *context, const struct unconfirmed *change)
{
    ++*(size_t *)context;
}

/* {"confirm_s": N}: the change is undone after so many seconds unless it is confirmed. */
static bool
read_probation(const struct admin_request *request, int64_t *out, struct error *error)
{
    const struct json_value *value = json_value_get(request->body, "confirm_s");
    size_t waiting = 0;
    *out = json_value_number(value);
    if (json_value_is_null(value))
        return true;
    if (json_value_kind(value) != JSON_KIND_INTEGER || *out < 1 || *out > PROBATION_LONGEST_S)
        return error_invalid_field(error, "confirm_s", "",
                                   "Value should be 1 to 86400 seconds");
    replication_visit_unconfirmed(request->state->replication, count_waiting, &waiting);
    return waiting < PROBATION_MAXIMUM ||
           error_set(error, ERROR_CONFLICT,
                     "%zu changes wait for a confirmation; confirm them first.", waiting);
}

void document_apply(struct admin_request *request)
{
    struct document_plan plan = {0};
    struct error error = {0};
    bool dry_run = false;
    int64_t undo_after_s;
    if (!read_probation(request, &undo_after_s, &error) ||
        !plan_body(request, &plan, &dry_run, &error)) {
        bool lacks_key = error.kind == ERROR_UNAVAILABLE && !dry_run;
        if (!lacks_key || !admin_change_needs_cluster(request))
            admin_answer_error(request, &error);
        return;
    }
    if (dry_run || plan.changes->count == 0) {
        struct json_value *summary = summary_of(&plan);
        json_value_set_bool(summary, "applied", !dry_run);
        admin_answer_wrapped(request, 200, "apply", summary);
    } else {
        submit_plan(request, &plan, (uint64_t)undo_after_s);
    }
    document_plan_free(&plan);
}

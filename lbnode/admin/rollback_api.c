/* POST /v1/rollback {"rollback": {"change": ID} or {"to": TIME, "object": NAME}, "force",
 * "dry_run"}: takes one change back, or all since a point of time. */
#include "lbnode/admin/admin_change.h"
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/past_view.h"
#include "lbnode/admin/rollback_plan.h"

#include <stdlib.h>
#include <string.h>

static bool
read_flag(const struct json_value *root, const char *name, bool *out, struct error *error)
{
    const struct json_value *value = json_value_get(root, name);
    *out = json_value_truth(value);
    return json_value_is_null(value) || json_value_kind(value) == JSON_KIND_BOOL ||
           error_invalid_field(error, name, "", "Value should be true or false");
}

static bool check_names(const struct json_value *root, struct error *error)
{
    static const char *const known[] = {"change", "to", "object", "force", "dry_run"};
    for (void *at = json_value_first(root); at; at = json_value_next(root, at)) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
            found |= strcmp(json_value_key(at), known[i]) == 0;
        if (!found)
            return error_set(error, ERROR_INVALID,
                             "Unknown attribute '%.64s': a rollback has 'change' or 'to', "
                             "'object', 'force' and 'dry_run'.",
                             json_value_key(at));
    }
    return true;
}

static bool read_wish(const struct admin_request *request,
                      struct rollback_wish *out,
                      bool *out_dry_run,
                      struct error *error)
{
    const struct json_value *root = admin_request_root(request, "rollback", error);
    const char *change = json_value_get_text(root, "change");
    const char *to = json_value_get_text(root, "to");
    const char *object = json_value_get_text(root, "object");
    bool force;
    *out = (struct rollback_wish){.author = request->author,
                                  .node_id = *replication_node_id(request->state->replication)};
    if (!root || !check_names(root, error) || !read_flag(root, "force", &force, error) ||
        !read_flag(root, "dry_run", out_dry_run, error))
        return false;
    out->mode = force ? UNDO_FORCED : UNDO_UNTOUCHED;
    if (!change == !to)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: a rollback needs either 'change' or 'to'");
    if (change && object)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: 'object' goes with 'to' alone; a change is taken "
                         "back as a whole");
    if (change && !uuid_parse(change, &out->change_id))
        return error_invalid_field(error, "change", change,
                                   "Value should be the id of a change; lbnode history lists "
                                   "them");
    out->has_object = object;
    if (object && !past_find_object(request->state, object, &out->object_id, error))
        return false;
    return !to || history_point(request, "to", to, &out->to, error);
}

static struct json_value *take_summary(struct rollback_plan *plan, bool applied)
{
    struct json_value *summary = json_value_object();
    json_value_set(summary, "changes", plan->objects);
    json_value_set(summary, "left", plan->left);
    json_value_set_bool(summary, "applied", applied);
    plan->objects = plan->left = NULL;
    return summary;
}

static void answer_rolled_back(struct admin_request *request)
{
    struct json_value *summary = request->change->summary;
    request->change->summary = NULL;
    admin_answer_wrapped(request, 200, "rollback", summary);
}

static void submit(struct admin_request *request, struct rollback_plan *plan)
{
    const struct uuid none = {0};
    struct change_set changes = plan->changes;
    plan->changes = (struct change_set){0};
    if (!request->change)
        request->change = calloc(1, sizeof(*request->change));
    if (request->change) {
        json_value_free(request->change->summary);
        request->change->summary = take_summary(plan, true);
    }
    admin_change_submit(request, &changes, &none, 200, answer_rolled_back);
}

static void refuse(struct admin_request *request, const struct rollback_plan *plan)
{
    struct error error = {0};
    char left[300];
    rollback_plan_describe_left(plan, left, sizeof(left));
    error_set(
        &error, ERROR_CONFLICT,
        "Nothing was changed: not all of it goes back without loss: %s%s. With force what "
        "others did since is lost, and what is no longer kept stays.",
        left, plan->obstacles > 3 ? "; and more" : "");
    admin_answer_error(request, &error);
}

static void roll_back(struct admin_request *request)
{
    struct error error = {0};
    struct rollback_wish wish;
    struct rollback_plan plan = {0};
    bool dry_run;
    if (!read_wish(request, &wish, &dry_run, &error) ||
        !rollback_plan_make(request->state, &wish, &plan, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    if (dry_run || (plan.changes.count == 0 && plan.obstacles == 0))
        admin_answer_wrapped(request, 200, "rollback", take_summary(&plan, !dry_run));
    else if (wish.mode != UNDO_FORCED && plan.obstacles > 0)
        refuse(request, &plan);
    else if (plan.changes.count == 0)
        admin_answer_wrapped(request, 200, "rollback", take_summary(&plan, true));
    else
        submit(request, &plan);
    rollback_plan_free(&plan);
}

void rollback_make(struct admin_request *request)
{
    history_ask(request, roll_back);
}

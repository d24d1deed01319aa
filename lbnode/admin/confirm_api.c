/* GET /v1/confirmations: changes of this node that are undone unless they are confirmed.
 * POST /v1/confirm {"confirm": {"change": ID}}: one of them stays; without an id the only one.
 */
#include "lbnode/admin/admin_change.h"
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/probation.h"
#include "lbnode/base/monotime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pending {
    struct json_value *list;
    struct uuid only;
    size_t count;
};

static void add_pending(void *context, const struct unconfirmed *change)
{
    struct pending *pending = context;
    char id[UUID_TEXT_SIZE], time[WALLTIME_TEXT_SIZE], command[UUID_TEXT_SIZE + 16];
    uint64_t rest_ms = unconfirmed_rest_ms(change, walltime_now_ms());
    struct json_value *object = json_value_object();
    uuid_format(&change->change_id, id);
    walltime_format(change->undo_at_ms, time);
    json_value_set_text(object, "change", id);
    json_value_set_text(object, "undone_at", time);
    json_value_set_number(object, "left_s", (int64_t)((rest_ms + 999) / 1000));
    snprintf(command, sizeof(command), "lbnode confirm %s", id);
    json_value_set_text(object, "confirm", command);
    json_value_append(pending->list, object);
    pending->only = change->change_id;
    pending->count++;
}

struct json_value *confirmations_json(const struct node_state *state)
{
    struct pending pending = {.list = json_value_array()};
    replication_visit_unconfirmed(state->replication, add_pending, &pending);
    return pending.list;
}

void confirmations_list(struct admin_request *request)
{
    admin_answer_wrapped(request, 200, "confirmations", confirmations_json(request->state));
}

static bool
find_change(const struct admin_request *request, struct uuid *out, struct error *error)
{
    struct pending pending = {.list = json_value_array()};
    const struct json_value *root = admin_request_root(request, "confirm", error);
    const char *change = json_value_get_text(root, "change");
    replication_visit_unconfirmed(request->state->replication, add_pending, &pending);
    json_value_free(pending.list);
    *out = pending.only;
    if (!root)
        return false;
    if (change)
        return uuid_parse(change, out) ||
               error_invalid_field(error, "change", change,
                                   "Value should be the id of a change");
    if (pending.count == 0)
        return error_set(error, ERROR_NOT_FOUND,
                         "No change waits for a confirmation on this node: it was undone, was "
                         "confirmed, or was made on another node.");
    return pending.count == 1 ||
           error_set(error, ERROR_CONFLICT,
                     "%zu changes wait for a confirmation; name the one that is meant.",
                     pending.count);
}

static void confirmed(void *context, const struct error *error)
{
    struct admin_request *request = context;
    char text[UUID_TEXT_SIZE];
    if (!admin_request_resume(request))
        return;
    if (error->kind != ERROR_NONE) {
        admin_answer_error(request, error);
        return;
    }
    struct json_value *answer = json_value_object();
    uuid_format(&request->change->object_id, text);
    json_value_set_text(answer, "change", text);
    admin_answer_wrapped(request, 200, "confirm", answer);
}

void confirm_change(struct admin_request *request)
{
    struct error error = {0};
    struct uuid id;
    bool good = find_change(request, &id, &error);
    if (good && uuid_equal(&id, &request->state->undoing))
        good = error_set(&error, ERROR_CONFLICT,
                         "It is too late: the change is being undone in this moment.");
    if (good && !request->change)
        request->change = calloc(1, sizeof(*request->change));
    if (good && !request->change)
        good = error_set(&error, ERROR_UNAVAILABLE, "out of memory");
    if (good)
        request->change->object_id = id;
    request->held = true;
    if (good &&
        replication_confirm(request->state->replication, &id, confirmed, request, &error))
        return;
    request->held = false;
    admin_answer_error(request, &error);
}

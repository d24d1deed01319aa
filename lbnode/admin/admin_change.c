#include "lbnode/admin/admin_change.h"

#include "lbnode/admin/admin_routes.h"
#include "lbnode/admin/vrid_choice.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "lbnode/model/field_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void admin_change_free(struct admin_change *change)
{
    if (!change)
        return;
    change_set_free(&change->changes);
    json_value_free(change->summary);
    free(change);
}

static struct admin_change *change_of(struct admin_request *request)
{
    if (!request->change)
        request->change = calloc(1, sizeof(*request->change));
    return request->change;
}

void admin_change_report(struct admin_request *request)
{
    static const char started[] = "this node was not in a cluster: started a new one";
    const struct admin_change *change = request->change;
    const struct submit_result *result = &change->result;
    char id[UUID_TEXT_SIZE], text[512];
    uuid_format(&result->change_id, id);
    admin_request_header(request, "X-Lbnode-Change", id);
    snprintf(text, sizeof(text), "%s%s%s", result->text, change->started_cluster ? "; " : "",
             change->started_cluster ? started : "");
    admin_request_header(request, "X-Lbnode-Note", text);
    snprintf(text, sizeof(text), "%u/%u", result->peers_durable, result->peers);
    admin_request_header(request, "X-Lbnode-Replicated", text);
}

/* ---- visible here --------------------------------------------------------------------------
 */

static bool op_is_visible(const struct admin_request *request, const struct change_op *op)
{
    const struct effective *object =
        configuration_find(request->state->configuration, &op->object_id);
    if (op->facet == FACET_LIFE) {
        bool alive = op->value_size > 0 && op->value[0] != 0;
        return alive == (object != NULL);
    }
    return !object || object->resource->updated_wall_ms >= request->change->submitted_wall_ms;
}

/* A snapshot that was built after the change runs. Before the first one there is no proxy to
 * wait for. */
static bool is_running(const struct admin_request *request)
{
    const struct node_state *state = request->state;
    uint64_t before = request->change->built_before;
    return before == 0 || (state->built_generation > before &&
                           state->running_generation >= state->built_generation);
}

static bool is_visible(const struct admin_request *request)
{
    const struct change_set *changes = &request->change->changes;
    for (size_t i = 0; i < changes->count; i++) {
        if (!op_is_visible(request, &changes->ops[i]))
            return false;
    }
    return is_running(request);
}

static void wait_until_visible(struct loop_timer *timer)
{
    struct admin_request *request = CONTAINER_OF(timer, struct admin_request, timer);
    if (is_visible(request) || loop_now_ms(request->loop) >= request->deadline_ms)
        request->change->answer(request);
    else
        loop_timer_start(request->loop, timer, ADMIN_VISIBLE_POLL_MS, wait_until_visible);
}

static void submitted(void *context, const struct submit_result *result)
{
    struct admin_request *request = context;
    if (!admin_request_resume(request))
        return;
    request->change->result = *result;
    if (result->error.kind != ERROR_NONE) {
        admin_answer_error(request, &result->error);
        return;
    }
    admin_change_report(request);
    request->deadline_ms = loop_now_ms(request->loop) + ADMIN_VISIBLE_TIMEOUT_MS;
    wait_until_visible(&request->timer);
}

static struct submit_options options_of(const struct admin_request *request)
{
    return (struct submit_options){
        .change_id = request->change_id,
        .author = request->author,
        .via = request->via,
        .require_replica = request->require_replica,
    };
}

/* ---- a cluster for a fresh node ------------------------------------------------------------
 */

static void wait_for_cluster(struct loop_timer *timer)
{
    struct admin_request *request = CONTAINER_OF(timer, struct admin_request, timer);
    bool ready = configuration_at(request->state->configuration, RESOURCE_VRRP_GROUP, 0);
    if (ready || loop_now_ms(request->loop) >= request->deadline_ms)
        request->route->handle(request);
    else
        loop_timer_start(request->loop, timer, ADMIN_VISIBLE_POLL_MS, wait_for_cluster);
}

static void cluster_started(void *context, const struct error *error)
{
    struct admin_request *request = context;
    if (!admin_request_resume(request))
        return;
    if (error->kind != ERROR_NONE) {
        admin_answer_error(request, error);
        return;
    }
    request->deadline_ms = loop_now_ms(request->loop) + ADMIN_VISIBLE_TIMEOUT_MS;
    wait_for_cluster(&request->timer);
}

static void start_cluster(struct admin_request *request)
{
    struct replication *replication = request->state->replication;
    char recovery_code[RECOVERY_CODE_SIZE];
    struct error error = {0};
    request->change->started_cluster = true;
    request->held = true;
    vrid_avoid_heard(request->state);
    bool started = replication_init(replication, replication_node_name(replication),
                                    recovery_code, cluster_started, request, &error);
    explicit_bzero(recovery_code, sizeof(recovery_code));
    if (!started) {
        request->held = false;
        admin_answer_error(request, &error);
    }
}

/* ---- entry ---------------------------------------------------------------------------------
 */

bool admin_change_needs_cluster(struct admin_request *request)
{
    struct admin_change *change = change_of(request);
    if (replication_is_initialised(request->state->replication) || !change ||
        change->started_cluster)
        return false;
    start_cluster(request);
    return true;
}

void admin_change_submit(struct admin_request *request,
                         struct change_set *changes,
                         const struct uuid *object_id,
                         int status,
                         void (*answer)(struct admin_request *request))
{
    struct admin_change *change = change_of(request);
    if (!change) {
        change_set_free(changes);
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    if (!replication_is_initialised(request->state->replication) && !change->started_cluster) {
        change_set_free(changes);
        start_cluster(request);
        return;
    }
    change_set_free(&change->changes);
    change->changes = *changes;
    *changes = (struct change_set){0};
    change->object_id = *object_id;
    change->status = status;
    change->answer = answer;
    change->submitted_wall_ms = walltime_now_ms();
    change->built_before = request->state->built_generation;
    request->held = true;
    struct submit_options options = options_of(request);
    if (request->has_revision && status != 201) {
        options.if_object = *object_id;
        options.if_revision = request->revision;
    }
    if (change->undo_after_s > 0) {
        options.undo_after_ms = change->undo_after_s * 1000;
        options.undo_at_ms = change->submitted_wall_ms + options.undo_after_ms;
    }
    replication_submit(request->state->replication, &change->changes, &options, submitted,
                       request);
}

void admin_change_remove_node(struct admin_request *request,
                              const struct uuid *node_id,
                              bool compromised,
                              void (*answer)(struct admin_request *request))
{
    struct admin_change *change = change_of(request);
    if (!change) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    change->object_id = *node_id;
    change->status = 204;
    change->answer = answer;
    change->built_before = request->state->built_generation;
    request->held = true;
    struct submit_options options = options_of(request);
    replication_remove_node(request->state->replication, node_id, compromised, &options,
                            submitted, request);
}

void admin_change_rotate_keys(struct admin_request *request,
                              unsigned purposes,
                              void (*answer)(struct admin_request *request))
{
    struct admin_change *change = change_of(request);
    if (!change) {
        admin_answer_fault(request, 503, ERROR_UNAVAILABLE, "out of memory");
        return;
    }
    change->status = 201;
    change->answer = answer;
    request->held = true;
    struct submit_options options = options_of(request);
    replication_rotate_keys(request->state->replication, purposes, &options, submitted,
                            request);
}

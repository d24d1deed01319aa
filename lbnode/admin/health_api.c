/* What the nodes think of members, and probes out of turn: a test of a health monitor is the
 * question (POST) and then looks at the answers (GET ?since=ASKED_AT) until all nodes have
 * answered or its time is over. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/health_view.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/parse_number.h"

enum {
    ANSWER_SLACK_MS = 2000 /* beside the timeout: the question and the answer travel */
};

static bool read_since(const struct admin_request *request, uint64_t *out, struct error *error)
{
    const char *text = http_url_parameter(&request->url, "since");
    int64_t number = 0;
    if (text && !parse_integer(text, 0, INT64_MAX, &number))
        return error_invalid_field(error, "since", text,
                                   "Value should be what asked_at of a probe was");
    *out = (uint64_t)number;
    return true;
}

static const struct effective *pool_of(struct admin_request *request, struct error *error)
{
    return resource_api_find(request, RESOURCE_POOL, request->parameters[0], error);
}

void member_health_show(struct admin_request *request)
{
    struct error error = {0};
    uint64_t since_ms;
    const struct effective *member =
        resource_api_find(request, RESOURCE_MEMBER, request->parameters[1], &error);
    if (member && read_since(request, &since_ms, &error))
        admin_answer_wrapped(request, 200, "health",
                             health_of_member(request->state, member, since_ms));
    else
        admin_answer_error(request, &error);
}

static struct json_value *
pool_to_json(const struct node_state *state, const struct effective *pool, uint64_t since_ms)
{
    struct json_value *root = json_value_object(), *members = json_value_array();
    const struct effective *member;
    char id[UUID_TEXT_SIZE];
    uuid_format(&pool->resource->id, id);
    json_value_set_text(root, "id", id);
    json_value_set_text(root, "name", pool->resource->name);
    for (size_t i = 0; (member = configuration_child(state->configuration, &pool->resource->id,
                                                     RESOURCE_MEMBER, i));
         i++)
        json_value_append(members, health_of_member(state, member, since_ms));
    json_value_set(root, "members", members);
    return root;
}

void pool_health_show(struct admin_request *request)
{
    struct error error = {0};
    uint64_t since_ms;
    const struct effective *pool = pool_of(request, &error);
    if (pool && read_since(request, &since_ms, &error))
        admin_answer_wrapped(request, 200, "health",
                             pool_to_json(request->state, pool, since_ms));
    else
        admin_answer_error(request, &error);
}

/* ---- probes out of turn -------------------------------------------------------------------
 */

static bool
can_be_probed(const struct node_state *state, const struct effective *pool, struct error *error)
{
    const struct health_monitor *monitor =
        configuration_monitor_of(state->configuration, &pool->resource->id);
    const char *name = pool->resource->name;
    if (!monitor)
        return error_set(error, ERROR_CONFLICT,
                         "Pool %.64s has no health monitor, so nobody knows what to ask its "
                         "members: lbnode healthmonitor create %.64s",
                         name, name);
    if (!monitor->resource.admin_state_up)
        return error_set(
            error, ERROR_CONFLICT,
            "The health monitor of pool %.64s is disabled: lbnode healthmonitor set "
            "--enable %.64s",
            name, name);
    return true;
}

static size_t count_probed(const struct node_state *state, const struct effective *pool)
{
    const struct effective *member;
    size_t count = 0;
    for (size_t i = 0; (member = configuration_child(state->configuration, &pool->resource->id,
                                                     RESOURCE_MEMBER, i));
         i++)
        count += health_is_probed(state, member);
    return count;
}

static struct json_value *node_names(const struct node_state *state)
{
    struct json_value *list = json_value_array();
    const struct effective *node;
    json_value_append(list, json_value_string(replication_node_name(state->replication)));
    for (size_t i = 0; (node = configuration_at(state->configuration, RESOURCE_NODE, i)); i++)
        if (((const struct node *)node->resource)->status == NODE_ACTIVE &&
            !node_view_is_self(state, &node->resource->id))
            json_value_append(list, json_value_string(node->resource->name));
    return list;
}

void pool_probe_start(struct admin_request *request)
{
    const struct node_state *state = request->state;
    struct error error = {0};
    const struct effective *pool = pool_of(request, &error);
    if (!pool || !can_be_probed(state, pool, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    const struct health_monitor *monitor =
        configuration_monitor_of(state->configuration, &pool->resource->id);
    struct json_value *answer = json_value_object();
    uint64_t asked_ms = state->probe_pool(state->probe_pool_context, &pool->resource->id);
    json_value_set_text(answer, "pool", pool->resource->name);
    json_value_set_number(answer, "members", (int64_t)count_probed(state, pool));
    json_value_set(answer, "nodes", node_names(state));
    json_value_set_number(answer, "asked_at", (int64_t)asked_ms);
    json_value_set_number(answer, "asked_ms_ago", (int64_t)(walltime_now_ms() - asked_ms));
    json_value_set_number(answer, "limit_ms", monitor->timeout * 1000 + ANSWER_SLACK_MS);
    admin_answer_wrapped(request, 202, "probe", answer);
}

/* Planned switch: {"failover": {"group": NAME, "to": NODE}}, both optional. The answer says
 * which groups were asked to move; the status of the election tells how it went. */
#include "lbnode/admin/admin_handlers.h"

#include "lbnode/admin/node_view.h"

#include <string.h>

struct wish {
    struct uuid group_id, node_id; /* zero: any */
    const char *to;                /* name of the node, or NULL */
};

static bool find_id(const struct admin_request *request,
                    const struct json_value *root,
                    const char *key,
                    enum resource_type type,
                    struct uuid *out,
                    struct error *error)
{
    const char *name = json_value_get_text(root, key);
    const struct effective *object;
    if (!name)
        return true;
    object = configuration_lookup(request->state->configuration, type, NULL, name, error);
    if (object)
        *out = object->resource->id;
    return object != NULL;
}

/* A switch to a node that does not answer would end here again, after a moment of silence. */
static bool
node_is_fit(const struct admin_request *request, const struct wish *wish, struct error *error)
{
    struct peer_view peer;
    if (uuid_is_zero(&wish->node_id))
        return true;
    if (node_view_is_self(request->state, &wish->node_id))
        return error_set(
            error, ERROR_CONFLICT,
            "Node %.64s is this node: a switch is asked of the node that is active.", wish->to);
    if (!node_view_peer(request->state, &wish->node_id, &peer) || peer.state != PEER_IS_ALIVE)
        return error_set(error, ERROR_CONFLICT, "Node %.64s does not answer.", wish->to);
    return true;
}

static bool
read_wish(const struct admin_request *request, struct wish *out, struct error *error)
{
    const struct json_value *root = admin_request_root(request, "failover", error);
    memset(out, 0, sizeof(*out));
    if (!root)
        return false;
    for (void *at = json_value_first(root); at; at = json_value_next(root, at)) {
        const char *key = json_value_key(at);
        if (strcmp(key, "to") != 0 && strcmp(key, "group") != 0)
            return error_set(error, ERROR_INVALID,
                             "Unknown attribute '%.64s': a failover has 'to' and 'group'.",
                             key);
    }
    out->to = json_value_get_text(root, "to");
    return find_id(request, root, "group", RESOURCE_VRRP_GROUP, &out->group_id, error) &&
           find_id(request, root, "to", RESOURCE_NODE, &out->node_id, error) &&
           node_is_fit(request, out, error);
}

/* Names of the groups that are active here and meant. */
static struct json_value *groups_to_move(const struct node_state *state,
                                         const struct wish *wish)
{
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < state->vrrp_count; i++) {
        const struct message_vrrp_status *status = &state->vrrp[i];
        const struct effective *group =
            configuration_find(state->configuration, &status->group_id);
        bool meant =
            uuid_is_zero(&wish->group_id) || uuid_equal(&wish->group_id, &status->group_id);
        bool again = i > 0 && uuid_equal(&state->vrrp[i - 1].group_id, &status->group_id);
        if (group && meant && !again && status->state == VRRP_ACTIVE && status->interface[0])
            json_value_append(list, json_value_string(group->resource->name));
    }
    return list;
}

void failover_start(struct admin_request *request)
{
    const struct node_state *state = request->state;
    struct error error = {0};
    struct wish wish;
    if (!read_wish(request, &wish, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    struct json_value *groups = groups_to_move(state, &wish);
    if (json_value_count(groups) == 0) {
        json_value_free(groups);
        error_set(&error, ERROR_CONFLICT,
                  "This node has no active address to give away: ask the node that is active.");
        admin_answer_error(request, &error);
        return;
    }
    state->hand_over(state->hand_over_context, &wish.group_id, &wish.node_id);
    struct json_value *answer = json_value_object();
    json_value_set(answer, "groups", groups);
    json_value_set_text(answer, "to", wish.to);
    admin_answer_wrapped(request, 202, "failover", answer);
}

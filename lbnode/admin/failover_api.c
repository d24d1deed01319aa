/* Planned switch: {"failover": {"group": NAME, "to": NODE, "from": NODE}}, all optional. It may
 * be asked of any node: what is active elsewhere that node is asked to give away. The answer
 * says which groups were asked to move; the status of the election tells how it went. */
#include "lbnode/admin/admin_handlers.h"

#include "lbnode/admin/eligibility_view.h"
#include "lbnode/admin/node_view.h"

#include <string.h>

struct wish {
    struct uuid group_id, node_id, from_id; /* zero: any */
    const char *to;                         /* name of the node, or NULL */
    bool only_here; /* neither a group nor a node is named, and something is active here */
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

static const char *name_of(const struct node_state *state, const struct uuid *id)
{
    const struct effective *object = configuration_find(state->configuration, id);
    return object ? object->resource->name : "?";
}

static bool moves_here(const struct message_vrrp_status *status)
{
    return status->state == VRRP_ACTIVE && status->interface[0];
}

static bool
read_wish(const struct admin_request *request, struct wish *out, struct error *error)
{
    const struct node_state *state = request->state;
    const struct json_value *root = admin_request_root(request, "failover", error);
    memset(out, 0, sizeof(*out));
    if (!root)
        return false;
    for (void *at = json_value_first(root); at; at = json_value_next(root, at)) {
        const char *key = json_value_key(at);
        if (strcmp(key, "to") != 0 && strcmp(key, "group") != 0 && strcmp(key, "from") != 0)
            return error_set(
                error, ERROR_INVALID,
                "Unknown attribute '%.64s': a failover has 'to', 'group' and 'from'.", key);
    }
    out->to = json_value_get_text(root, "to");
    if (!find_id(request, root, "group", RESOURCE_VRRP_GROUP, &out->group_id, error) ||
        !find_id(request, root, "to", RESOURCE_NODE, &out->node_id, error) ||
        !find_id(request, root, "from", RESOURCE_NODE, &out->from_id, error))
        return false;
    bool anything = uuid_is_zero(&out->group_id) && !out->to && uuid_is_zero(&out->from_id);
    for (size_t i = 0; anything && i < state->vrrp_count; i++)
        out->only_here = out->only_here || moves_here(&state->vrrp[i]);
    return true;
}

/* A switch to a node that does not answer would end here again, after a moment of silence. */
static bool target_is_fit(const struct node_state *state,
                          const struct message_vrrp_status *group,
                          const struct wish *wish,
                          struct error *error)
{
    struct eligibility found;
    eligibility_find(state, group, &wish->node_id, &found);
    if (found.eligible)
        return true;
    return error_set(error, ERROR_CONFLICT, "Node %.64s cannot take group %.64s: %s%s%s.",
                     wish->to, name_of(state, &group->group_id), found.text,
                     found.remedy[0] ? "; there: " : "", found.remedy);
}

/* Another VRRP router may take a group of policy COMPAT, which says nothing in heartbeats. */
static bool takes_strangers(const struct node_state *state, const struct uuid *group_id)
{
    const struct effective *object = configuration_find(state->configuration, group_id);
    return object && object->resource->type == RESOURCE_VRRP_GROUP &&
           ((const struct vrrp_group *)(const void *)object->resource)->policy ==
               VRRP_POLICY_COMPAT;
}

static bool anybody_is_fit(const struct node_state *state,
                           const struct message_vrrp_status *group,
                           const struct uuid *owner,
                           struct error *error)
{
    const struct effective *object;
    struct eligibility found, first = {.text = "there is no other node", .remedy = ""};
    const char *name = NULL;
    for (size_t i = 0; (object = configuration_at(state->configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        if (node->status != NODE_ACTIVE || uuid_equal(&node->resource.id, owner))
            continue;
        eligibility_find(state, group, &node->resource.id, &found);
        if (found.eligible)
            return true;
        if (!name)
            first = found;
        name = name ? name : node->resource.name;
    }
    if (takes_strangers(state, &group->group_id))
        return true;
    return error_set(error, ERROR_CONFLICT, "No other node can take group %.64s: %s%.64s%s%s.",
                     name_of(state, &group->group_id), name ? "node " : "", name ? name : "",
                     name ? ": " : "", first.text);
}

/* The groups that are meant, each once, and who is active for them. */
struct moves {
    const struct message_vrrp_status *groups[NODE_STATE_MAXIMUM_VRRP];
    struct uuid owners[NODE_STATE_MAXIMUM_VRRP];
    size_t count, already; /* already: active where they are to go */
};

static bool has(const struct moves *moves, const struct uuid *group_id)
{
    for (size_t i = 0; i < moves->count; i++)
        if (uuid_equal(&moves->groups[i]->group_id, group_id))
            return true;
    return false;
}

static bool is_meant(const struct wish *wish,
                     const struct message_vrrp_status *group,
                     const struct uuid *owner)
{
    return (uuid_is_zero(&wish->group_id) || uuid_equal(&wish->group_id, &group->group_id)) &&
           (uuid_is_zero(&wish->from_id) || uuid_equal(&wish->from_id, owner)) &&
           (!wish->only_here || moves_here(group));
}

static void
find_moves(const struct node_state *state, const struct wish *wish, struct moves *out)
{
    for (size_t i = 0; i < state->vrrp_count; i++) {
        const struct message_vrrp_status *group = &state->vrrp[i];
        struct uuid owner;
        if ((group->state == VRRP_ACTIVE && !moves_here(group)) || has(out, &group->group_id) ||
            !eligibility_find_owner(state, group, &owner) || !is_meant(wish, group, &owner))
            continue;
        if (wish->to && uuid_equal(&owner, &wish->node_id)) {
            out->already++;
            continue;
        }
        out->groups[out->count] = group;
        out->owners[out->count++] = owner;
    }
}

static bool check(const struct node_state *state,
                  const struct wish *wish,
                  const struct moves *moves,
                  struct error *error)
{
    if (moves->count == 0 && moves->already > 0)
        return error_set(error, ERROR_CONFLICT, "Node %.64s is active already.", wish->to);
    if (moves->count == 0)
        return error_set(error, ERROR_CONFLICT,
                         "No node is known to be active for it: lbnode status tells more.");
    for (size_t i = 0; i < moves->count; i++) {
        bool fit = wish->to ? target_is_fit(state, moves->groups[i], wish, error)
                            : anybody_is_fit(state, moves->groups[i], &moves->owners[i], error);
        if (!fit)
            return false;
    }
    return true;
}

static void
start(const struct node_state *state, const struct wish *wish, const struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        const struct uuid *group_id = &moves->groups[i]->group_id;
        if (moves->groups[i]->state == VRRP_ACTIVE)
            state->hand_over(state->hand_over_context, group_id, &wish->node_id);
    }
}

/* A node is asked once for all that it is to give away: of more it would take no notice. */
static void
ask_others(const struct node_state *state, const struct wish *wish, const struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        size_t of_owner = 0, before = 0;
        for (size_t k = 0; k < moves->count; k++) {
            bool same = uuid_equal(&moves->owners[k], &moves->owners[i]);
            of_owner += same;
            before += same && k < i;
        }
        if (moves->groups[i]->state == VRRP_ACTIVE || before > 0)
            continue;
        struct uuid all = {{0}};
        replication_ask_switch(state->replication, &moves->owners[i],
                               of_owner == 1 ? &moves->groups[i]->group_id : &all,
                               &wish->node_id);
    }
}

static struct json_value *
answer_of(const struct node_state *state, const struct wish *wish, const struct moves *moves)
{
    struct json_value *answer = json_value_object(), *groups = json_value_array();
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < moves->count; i++) {
        const char *name = name_of(state, &moves->groups[i]->group_id);
        struct json_value *move = json_value_object();
        json_value_set_text(move, "group", name);
        json_value_set_text(move, "from", name_of(state, &moves->owners[i]));
        json_value_append(list, move);
        json_value_append(groups, json_value_string(name));
    }
    json_value_set(answer, "groups", groups);
    json_value_set(answer, "moves", list);
    json_value_set_text(answer, "to", wish->to);
    return answer;
}

void failover_start(struct admin_request *request)
{
    const struct node_state *state = request->state;
    struct error error = {0};
    struct moves moves = {.count = 0};
    struct wish wish;
    if (!read_wish(request, &wish, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    find_moves(state, &wish, &moves);
    if (!check(state, &wish, &moves, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    start(state, &wish, &moves);
    ask_others(state, &wish, &moves);
    admin_answer_wrapped(request, 202, "failover", answer_of(state, &wish, &moves));
}

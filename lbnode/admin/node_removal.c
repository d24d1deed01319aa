/* Taking a node out of the cluster. One that answers leaves in order: first it gives its
 * addresses away, then it takes no changes and no addresses any more, and when this node has
 * all that it wrote, the record that removes it cuts nothing off. One that is dead, or whose
 * key is in wrong hands, is removed at once, with what has reached this node. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/eligibility_view.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/resource_api.h"

enum {
    STEP_POLL_MS = 20,
    STEP_TIMEOUT_MS = 12000 /* two of them are less than the command line waits */
};

static const struct node *node_of(const struct effective *object)
{
    return (const struct node *)(const void *)object->resource;
}

static bool is_alive(const struct admin_request *request, const struct node *node)
{
    struct peer_view peer = {.state = PEER_NEVER_SEEN};
    node_view_peer(request->state, &node->resource.id, &peer);
    return peer.state == PEER_IS_ALIVE;
}

/* A node that does not answer may still hold changes that nobody else has: removing it needs
 * the word of a person. */
static bool may_remove(const struct admin_request *request,
                       const struct effective *object,
                       struct error *error)
{
    const struct node *node = node_of(object);
    bool compromised = admin_request_flag(request, "compromised");
    if (node_view_is_self(request->state, &node->resource.id))
        return error_set(error, ERROR_CONFLICT,
                         "Node %.64s is this node: remove it from another node of the cluster.",
                         node->resource.name);
    if (node->status == NODE_REVOKED || (node->status == NODE_REMOVED && !compromised))
        return error_set(error, ERROR_CONFLICT, "Node %.64s was removed before.",
                         node->resource.name);
    if (compromised || admin_request_flag(request, "dead") || is_alive(request, node))
        return true;
    return error_set(
        error, ERROR_CONFLICT,
        "Node %.64s does not answer: changes that only it has would be lost. Start "
        "it, or confirm with dead=true that it will not come back.",
        node->resource.name);
}

/* ---- leaving in order ----------------------------------------------------------------------
 */

/* The group that the node is still active for; NULL: none. */
static const struct message_vrrp_status *group_held(const struct node_state *state,
                                                    const struct uuid *node_id)
{
    struct uuid owner;
    for (size_t i = 0; i < state->vrrp_count; i++)
        if (eligibility_find_owner(state, &state->vrrp[i], &owner) &&
            uuid_equal(&owner, node_id))
            return &state->vrrp[i];
    return NULL;
}

/* What the removal waits for, into request->obstacle; false: nothing. */
static bool is_needed(struct admin_request *request, const struct node *node)
{
    const struct node_state *state = request->state;
    const struct message_vrrp_status *group = group_held(state, &node->resource.id);
    struct peer_view peer = {.state = PEER_NEVER_SEEN};
    node_view_peer(state, &node->resource.id, &peer);
    const char *why = NULL;
    if (peer.state != PEER_IS_ALIVE)
        why = "it stopped answering";
    else if (node->leaving && !peer.in_sync)
        why = "it has changes that this node lacks";
    else if (!node->leaving && group)
        why = "it is still active for an address, as no other node can be: lbnode status tells "
              "more";
    request->obstacle = why;
    if (peer.state == PEER_IS_UNREACHABLE)
        request->deadline_ms = 0;
    return why != NULL;
}

/* LEAVING and DRAIN of the node. */
static bool submit_leaving(struct admin_request *request,
                           const struct node *node,
                           bool leaving,
                           bool drain,
                           submit_done *done,
                           struct error *error)
{
    const struct submit_options options = {.author = request->author, .via = request->via};
    struct change_set changes = {0};
    struct resource *after = resource_copy(&node->resource);
    if (after) {
        struct node *changed = CONTAINER_OF(after, struct node, resource);
        changed->leaving = leaving;
        changed->drain = drain;
    }
    bool made = after && change_set_add_update(&changes, &node->resource, after) >= 0;
    if (made) {
        request->held = true;
        replication_submit(request->state->replication, &changes, &options, done, request);
    }
    change_set_free(&changes);
    resource_free(after);
    return made || error_set(error, ERROR_UNAVAILABLE, "out of memory");
}

static void stays(void *context, const struct submit_result *result)
{
    struct admin_request *request = context;
    struct error error;
    if (!admin_request_resume(request))
        return;
    error_set(&error, ERROR_CONFLICT,
              "Node %.64s was not removed, and stays: %s. Confirm with dead=true (--dead) to "
              "remove it with what has reached this node.",
              request->parameters[0], request->obstacle);
    admin_answer_error(request, &error);
}

static void take_step(struct loop_timer *timer);

/* The node was asked for the next step; the client's patience begins anew. */
static void was_asked(void *context, const struct submit_result *result)
{
    struct admin_request *request = context;
    if (!admin_request_resume(request))
        return;
    if (result->error.kind != ERROR_NONE) {
        admin_answer_error(request, &result->error);
        return;
    }
    request->deadline_ms = loop_now_ms(request->loop) + STEP_TIMEOUT_MS;
    loop_timer_start(request->loop, &request->timer, STEP_POLL_MS, take_step);
}

static void take_step(struct loop_timer *timer)
{
    struct admin_request *request = CONTAINER_OF(timer, struct admin_request, timer);
    struct error error = {0};
    const struct effective *object = node_of_request(request, &error);
    const struct node *node = object ? node_of(object) : NULL;
    if (!node || node->status != NODE_ACTIVE)
        error_set(&error, ERROR_CONFLICT, "Node %.64s was removed by somebody else.",
                  request->parameters[0]);
    else if (!node->drain)
        submit_leaving(request, node, false, true, was_asked, &error);
    else if (is_needed(request, node) && loop_now_ms(request->loop) < request->deadline_ms)
        loop_timer_start(request->loop, timer, STEP_POLL_MS, take_step);
    else if (request->obstacle)
        submit_leaving(request, node, false, request->was_drained, stays, &error);
    else if (!node->leaving)
        submit_leaving(request, node, true, true, was_asked, &error);
    else
        admin_change_remove_node(request, &node->resource.id, false, resource_api_answer_empty);
    if (error.kind != ERROR_NONE)
        admin_answer_error(request, &error);
}

/* ---- entry ---------------------------------------------------------------------------------
 */

void node_remove(struct admin_request *request)
{
    struct error error = {0};
    const struct effective *object = node_of_request(request, &error);
    bool compromised = admin_request_flag(request, "compromised");
    bool at_once = compromised || admin_request_flag(request, "dead");
    if (!object || !may_remove(request, object, &error)) {
        admin_answer_error(request, &error);
        return;
    }
    request->was_drained = node_of(object)->drain && !node_of(object)->leaving;
    request->deadline_ms = loop_now_ms(request->loop) + STEP_TIMEOUT_MS;
    if (at_once)
        admin_change_remove_node(request, &object->resource->id, compromised,
                                 resource_api_answer_empty);
    else
        take_step(&request->timer);
}

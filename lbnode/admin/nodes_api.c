/* The nodes of the cluster: list, show, remove. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/list_query.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/resource_api.h"

void nodes_list(struct admin_request *request)
{
    const struct list_query query = {.url = &request->url};
    struct json_value *all = node_view_list(request->state, false);
    struct json_value *list = json_value_array(), *root = json_value_object();
    for (size_t i = 0; i < json_value_count(all); i++) {
        if (list_query_matches(&query, json_value_at(all, i)))
            json_value_append(list, json_value_copy(json_value_at(all, i)));
    }
    json_value_free(all);
    json_value_set(root, "nodes", list);
    json_value_set(root, "nodes_links", json_value_array());
    admin_answer_json(request, 200, root);
}

static const struct effective *find_node(const struct admin_request *request,
                                         struct error *error)
{
    return configuration_lookup(request->state->configuration, RESOURCE_NODE, NULL,
                                request->parameters[0], error);
}

void node_show(struct admin_request *request)
{
    struct error error = {0};
    const struct effective *object = find_node(request, &error);
    if (object)
        admin_answer_wrapped(request, 200, "node", node_view(request->state, object));
    else
        admin_answer_error(request, &error);
}

/* A node that does not answer may still hold changes that nobody else has: removing it needs
 * the word of a person. */
static bool may_remove(const struct admin_request *request,
                       const struct effective *object,
                       struct error *error)
{
    const struct node *node = (const struct node *)object->resource;
    struct peer_view peer = {.state = PEER_NEVER_SEEN};
    if (node_view_is_self(request->state, &node->resource.id))
        return error_set(error, ERROR_CONFLICT,
                         "Node %.64s is this node: remove it from another node of the cluster.",
                         node->resource.name);
    if (node->status != NODE_ACTIVE)
        return error_set(error, ERROR_CONFLICT, "Node %.64s was removed before.",
                         node->resource.name);
    node_view_peer(request->state, &node->resource.id, &peer);
    if (peer.state == PEER_IS_ALIVE || admin_request_flag(request, "dead"))
        return true;
    return error_set(
        error, ERROR_CONFLICT,
        "Node %.64s does not answer: changes that only it has would be lost. Start "
        "it, or confirm with dead=true that it will not come back.",
        node->resource.name);
}

void node_remove(struct admin_request *request)
{
    struct error error = {0};
    const struct effective *object = find_node(request, &error);
    if (object && may_remove(request, object, &error))
        admin_change_remove_node(request, &object->resource->id, resource_api_answer_empty);
    else
        admin_answer_error(request, &error);
}

/* The nodes of the cluster: list, show, remove. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/list_query.h"
#include "lbnode/admin/node_view.h"
#include "lbnode/admin/resource_api.h"

#include <string.h>

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

/* What an administrator decides about a node; the rest says the node itself. */
static struct json_value *decisions(const struct admin_request *request, struct error *error)
{
    const struct json_value *root = admin_request_root(request, "node", error);
    for (void *at = json_value_first(root); at; at = json_value_next(root, at)) {
        if (strcmp(json_value_key(at), "drain") != 0) {
            error_set(error, ERROR_INVALID, "Attribute '%.64s' of a node cannot be changed.",
                      json_value_key(at));
            return NULL;
        }
    }
    return root ? json_value_copy(root) : NULL;
}

static void answer_node(struct admin_request *request)
{
    const struct effective *object =
        configuration_find(request->state->configuration, &request->change->object_id);
    if (object)
        admin_answer_wrapped(request, request->change->status, "node",
                             node_view(request->state, object));
    else
        admin_answer_empty(request, request->change->status);
}

void node_update(struct admin_request *request)
{
    struct error error = {0};
    struct change_set changes = {0};
    const struct effective *object = find_node(request, &error);
    struct json_value *wanted = object ? decisions(request, &error) : NULL;
    struct resource *after = wanted ? resource_copy(object->resource) : NULL;
    if (after && resource_update_from_json(after, wanted, &error) &&
        change_set_add_named(&changes, after, wanted)) {
        admin_change_submit(request, &changes, &object->resource->id, 200, answer_node);
    } else {
        if (error.kind == ERROR_NONE)
            error_set(&error, ERROR_UNAVAILABLE, "out of memory");
        admin_answer_error(request, &error);
    }
    json_value_free(wanted);
    resource_free(after);
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

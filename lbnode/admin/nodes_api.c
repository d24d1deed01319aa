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

const struct effective *node_of_request(const struct admin_request *request,
                                        struct error *error)
{
    return configuration_lookup(request->state->configuration, RESOURCE_NODE, NULL,
                                request->parameters[0], error);
}

void node_show(struct admin_request *request)
{
    struct error error = {0};
    const struct effective *object = node_of_request(request, &error);
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
    const struct effective *object = node_of_request(request, &error);
    struct json_value *wanted = object ? decisions(request, &error) : NULL;
    struct resource *after = wanted ? resource_copy(object->resource) : NULL;
    if (after && !json_value_truth(json_value_get(wanted, "drain")))
        CONTAINER_OF(after, struct node, resource)->leaving = false; /* it may stay */
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

/* ---- a new key ------------------------------------------------------------------------------
 */

static void add_unaware(void *context, const char *name)
{
    json_value_append(context, json_value_string(name));
}

static void rekeyed(void *context, const struct error *error)
{
    struct admin_request *request = context;
    if (!admin_request_resume(request))
        return;
    if (error->kind != ERROR_NONE) {
        admin_answer_error(request, error);
        return;
    }
    const struct replication *replication = request->state->replication;
    struct json_value *answer = json_value_object(), *unaware = json_value_array();
    replication_visit_unaware(replication, add_unaware, unaware);
    json_value_set_text(answer, "node", replication_node_name(replication));
    json_value_set(answer, "unaware", unaware);
    admin_answer_wrapped(request, 200, "rekey", answer);
}

void node_rekey(struct admin_request *request)
{
    struct error error = {0};
    const struct effective *object = node_of_request(request, &error);
    if (object && !node_view_is_self(request->state, &object->resource->id)) {
        error_set(&error, ERROR_CONFLICT,
                  "Only node %.64s itself can make a new key for it: run this there. If its "
                  "key is lost, remove it and let it join again.",
                  object->resource->name);
        object = NULL;
    }
    request->held = object != NULL;
    if (object && replication_rekey(request->state->replication, request->author, request->via,
                                    rekeyed, request, &error))
        return;
    request->held = false;
    admin_answer_error(request, &error);
}

/* What load balancers have beyond the generic handlers: a virtual address that must be given,
 * creation with all that is below them, the status tree, statistics. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/load_balancer_tree.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/admin/status_view.h"

#include <string.h>

static void answer_tree(struct admin_request *request)
{
    const struct effective *object =
        configuration_find(request->state->configuration, &request->change->object_id);
    if (object)
        admin_answer_wrapped(request, 201, "loadbalancer",
                             load_balancer_tree_view(request->state, object));
    else
        resource_api_answer_object(request);
}

/* A document updates what has the name already; a creation must not. */
static bool is_name_free(const struct admin_request *request,
                         const struct json_value *root,
                         struct error *error)
{
    const char *name = json_value_get_text(root, "name");
    const struct effective *object;
    if (!name || !*name)
        return error_invalid_field(error, "name", "None",
                                   "Mandatory field missing, to create a load balancer and "
                                   "what is below it in one call.");
    for (size_t i = 0;
         (object = configuration_at(request->state->configuration, RESOURCE_LOAD_BALANCER, i));
         i++) {
        if (strcmp(object->resource->name, name) == 0)
            return error_set(
                error, ERROR_CONFLICT,
                "Another Load Balancer has the name '%.64s': choose another one to "
                "create it with what is below it in one call.",
                name);
    }
    return true;
}

static void create_tree(struct admin_request *request, const struct json_value *root)
{
    struct error error = {0};
    struct document_plan plan = {0};
    struct uuid id = {0};
    struct json_value *document =
        is_name_free(request, root, &error) ? load_balancer_tree_document(root, &error) : NULL;
    if (document && configuration_plan_document(request->state->configuration, document, false,
                                                NULL, &plan, &error)) {
        struct change_set changes = *plan.changes;
        *plan.changes = (struct change_set){0};
        for (size_t i = 0; i < plan.step_count; i++) {
            if (plan.steps[i].type == RESOURCE_LOAD_BALANCER)
                id = plan.steps[i].id;
        }
        admin_change_submit(request, &changes, &id, 201, answer_tree);
        document_plan_free(&plan);
    } else {
        /* The path exists; what is missing is a pool that the body refers to. */
        if (error.kind == ERROR_NOT_FOUND)
            error.kind = ERROR_INVALID;
        admin_answer_error(request, &error);
    }
    json_value_free(document);
}

/* Without children, whether they are absent or empty. */
static void create_alone(struct admin_request *request, const struct json_value *root)
{
    struct error error = {0};
    struct change_set changes = {0};
    struct json_value *object = resource_api_normalise(root);
    json_value_remove(object, "listeners");
    json_value_remove(object, "pools");
    struct resource *resource =
        resource_api_build(request, RESOURCE_LOAD_BALANCER, object, &error);
    if (resource)
        resource_api_submit_create(request, resource, &changes);
    else
        admin_answer_error(request, &error);
}

void load_balancer_create(struct admin_request *request)
{
    struct error error = {0};
    const struct json_value *root = admin_request_root(request, "loadbalancer", &error);
    if (!root)
        admin_answer_error(request, &error);
    else if (json_value_is_null(json_value_get(root, "vip_address")))
        admin_answer_fault(request, 400, ERROR_INVALID,
                           "Invalid input for field/attribute vip_address. Value: 'None'. "
                           "Mandatory field missing. lbnode does not choose an address: give "
                           "one that is free in the subnet of the nodes.");
    else if (load_balancer_tree_is_given(root))
        create_tree(request, root);
    else
        create_alone(request, root);
}

void load_balancer_status(struct admin_request *request)
{
    const struct status_detail octavia = {.own_fields = false};
    struct error error = {0};
    const struct effective *object =
        resource_api_find(request, RESOURCE_LOAD_BALANCER, request->parameters[0], &error);
    if (!object) {
        admin_answer_error(request, &error);
        return;
    }
    struct json_value *statuses = json_value_object();
    json_value_set(statuses, "loadbalancer", status_tree(request->state, object, &octavia));
    admin_answer_wrapped(request, 200, "statuses", statuses);
}

void load_balancer_stats(struct admin_request *request)
{
    struct error error = {0};
    struct traffic_counters counters = {0};
    const struct effective *listener, *object;
    object = resource_api_find(request, RESOURCE_LOAD_BALANCER, request->parameters[0], &error);
    if (!object) {
        admin_answer_error(request, &error);
        return;
    }
    for (size_t i = 0;
         (listener = configuration_child(request->state->configuration, &object->resource->id,
                                         RESOURCE_LISTENER, i));
         i++)
        traffic_add_listener(request->state, &listener->resource->id, &counters);
    admin_answer_json(request, 200, traffic_to_json(&counters));
}

/* What load balancers have beyond the generic handlers: a virtual address that must be given,
 * the status tree, statistics. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/admin/status_view.h"

void load_balancer_create(struct admin_request *request)
{
    const struct json_value *root = json_value_get(request->body, "loadbalancer");
    if (json_value_kind(root) == JSON_KIND_OBJECT &&
        json_value_is_null(json_value_get(root, "vip_address"))) {
        admin_answer_fault(request, 400, ERROR_INVALID,
                           "Invalid input for field/attribute vip_address. Value: 'None'. "
                           "Mandatory field missing. lbnode does not choose an address: give "
                           "one that is free in the subnet of the nodes.");
        return;
    }
    resource_create(request);
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

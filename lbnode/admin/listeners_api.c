/* Statistics of one listener; everything else about listeners is generic. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/admin/status_view.h"

void listener_stats(struct admin_request *request)
{
    struct error error = {0};
    struct traffic_counters counters = {0};
    const struct effective *object =
        resource_api_find(request, RESOURCE_LISTENER, request->parameters[0], &error);
    if (!object) {
        admin_answer_error(request, &error);
        return;
    }
    traffic_add_listener(request->state, &object->resource->id, &counters);
    admin_answer_json(request, 200, traffic_to_json(&counters));
}

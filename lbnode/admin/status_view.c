#include "lbnode/admin/status_view.h"

#include "lbnode/admin/health_view.h"
#include "lbnode/base/monotime.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/health_reason.h"
#include "lbnode/model/status.h"

#include <stdio.h>
#include <string.h>

/* ---- sources -------------------------------------------------------------------------------
 */

static enum verdict_state verdict_of(void *context, const struct uuid *member_id)
{
    return health_decided(context, member_id);
}

static const struct load_balancer *owner_of(const struct node_state *state,
                                            const struct resource *listener)
{
    const struct effective *owner = configuration_find(state->configuration, &listener->owner);
    return owner ? (const struct load_balancer *)owner->resource : NULL;
}

/* A port is taken to be bound until the supervisor says that it is not. */
static bool listener_running(void *context, const struct uuid *listener_id)
{
    const struct node_state *state = context;
    const struct effective *object = configuration_find(state->configuration, listener_id);
    if (!object || !object->effective)
        return false;
    const struct listener *listener = (const struct listener *)object->resource;
    const struct load_balancer *owner = owner_of(state, object->resource);
    for (size_t i = 0; owner && i < state->binding_count; i++) {
        const struct binding_state *binding = &state->bindings[i];
        if (binding->endpoint.port == listener->protocol_port && binding->error_number > 0 &&
            ip_address_equal(&binding->endpoint.address, &owner->vip_address))
            return false;
    }
    return true;
}

void traffic_add_listener(const struct node_state *state,
                          const struct uuid *listener_id,
                          struct traffic_counters *counters)
{
    uint32_t slot, incarnation;
    if (!state->slots || !state->counters ||
        !slot_map_find(state->slots, listener_id, &slot, &incarnation) ||
        slot >= LISTENER_SLOTS)
        return;
    for (uint32_t worker = 0; worker < state->worker_count && worker < WORKERS_MAXIMUM;
         worker++) {
        const struct listener_counters *cell =
            &state->counters->workers[worker].listeners[slot];
        if (atomic_load_explicit(&cell->incarnation, memory_order_relaxed) != incarnation)
            continue;
#define ADD_COUNTER(name)                                                                      \
    counters->name += atomic_load_explicit(&cell->name, memory_order_relaxed)
        ADD_COUNTER(active_connections);
        ADD_COUNTER(bytes_in);
        ADD_COUNTER(bytes_out);
        ADD_COUNTER(request_errors);
        ADD_COUNTER(total_connections);
#undef ADD_COUNTER
    }
}

static bool listener_full(void *context, const struct uuid *listener_id)
{
    const struct node_state *state = context;
    const struct effective *object = configuration_find(state->configuration, listener_id);
    struct traffic_counters counters = {0};
    if (!object)
        return false;
    int64_t limit = ((const struct listener *)object->resource)->connection_limit;
    traffic_add_listener(state, listener_id, &counters);
    return limit >= 0 && counters.active_connections >= (uint64_t)limit;
}

enum operating_status status_now(const struct node_state *state,
                                 const struct resource *resource)
{
    const struct status_source source = {
        .verdict = verdict_of,
        .listener_running = listener_running,
        .listener_full = listener_full,
        .context = (void *)(uintptr_t)state,
    };
    return status_of(state->configuration, resource, &source);
}

const char *status_name_of(const struct node_state *state, const struct resource *resource)
{
    return operating_status_name(status_now(state, resource));
}

struct json_value *traffic_to_json(const struct traffic_counters *counters)
{
    struct json_value *root = json_value_object(), *stats = json_value_object();
    json_value_set_number(stats, "active_connections", (int64_t)counters->active_connections);
    json_value_set_number(stats, "bytes_in", (int64_t)counters->bytes_in);
    json_value_set_number(stats, "bytes_out", (int64_t)counters->bytes_out);
    json_value_set_number(stats, "request_errors", (int64_t)counters->request_errors);
    json_value_set_number(stats, "total_connections", (int64_t)counters->total_connections);
    json_value_set(root, "stats", stats);
    return root;
}

/* ---- the tree ------------------------------------------------------------------------------
 */

static struct json_value *status_node(const struct node_state *state,
                                      const struct effective *object)
{
    char id[UUID_TEXT_SIZE];
    struct json_value *node = json_value_object();
    uuid_format(&object->resource->id, id);
    json_value_set_text(node, "id", id);
    json_value_set_text(node, "name", object->resource->name);
    json_value_set_text(node, "operating_status", status_name_of(state, object->resource));
    json_value_set_text(node, "provisioning_status", object->effective ? "ACTIVE" : "ERROR");
    return node;
}

static void
set_address(struct json_value *node, const char *key, const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(address, text);
    json_value_set_text(node, key, text);
}

/* An attribute of the field table, as it stands in the object's own JSON. */
static void
set_attribute(struct json_value *node, const struct resource *resource, const char *name)
{
    const struct field *field = field_find(resource_class_of(resource->type), name);
    if (field)
        json_value_set(node, name, field_to_json(field, resource));
}

/* Why the node that decides found a member ERROR or cannot judge it: "timeout after 5 s, since
 * 2026-01-31T12:34:56". */
static void set_reason(const struct node_state *state,
                       struct json_value *node,
                       const struct effective *object)
{
    char text[HEALTH_REASON_TEXT_SIZE + 64], why[HEALTH_REASON_TEXT_SIZE];
    char since[WALLTIME_TEXT_SIZE] = "";
    struct health_view view;
    if (!object->effective) {
        json_value_set_text(node, "reason", object->reason_text);
        return;
    }
    health_decision(state, &object->resource->id, &view);
    health_words(state, object, &view, why);
    if (view.state == VERDICT_ONLINE || (view.state == VERDICT_UNKNOWN && !*why))
        return; /* it is well, or waited for */
    if (view.state == VERDICT_ERROR && view.since_ms_ago != HEALTH_NEVER_MS)
        walltime_format(walltime_now_ms() - (uint64_t)view.since_ms_ago, since);
    snprintf(text, sizeof(text), "%s%s%s", *why ? why : "told by another node",
             *since ? ", since " : "", since);
    json_value_set_text(node, "reason", text);
}

static struct json_value *members_of(const struct node_state *state,
                                     const struct uuid *pool_id,
                                     const struct status_detail *detail)
{
    const struct effective *child;
    struct json_value *list = json_value_array();
    for (size_t i = 0;
         (child = configuration_child(state->configuration, pool_id, RESOURCE_MEMBER, i));
         i++) {
        const struct member *member = (const struct member *)child->resource;
        struct json_value *node = status_node(state, child);
        set_address(node, "address", &member->address);
        json_value_set_number(node, "protocol_port", member->protocol_port);
        if (detail->own_fields) {
            json_value_set_number(node, "weight", member->weight);
            json_value_set_bool(node, "backup", member->backup);
            set_reason(state, node, child);
        }
        json_value_append(list, node);
    }
    return list;
}

static struct json_value *pool_node(const struct node_state *state,
                                    const struct effective *pool,
                                    const struct status_detail *detail)
{
    struct json_value *node = status_node(state, pool);
    const struct health_monitor *monitor =
        configuration_monitor_of(state->configuration, &pool->resource->id);
    const struct effective *object =
        monitor ? configuration_find(state->configuration, &monitor->resource.id) : NULL;
    if (detail->own_fields)
        set_attribute(node, pool->resource, "lb_algorithm");
    if (object) {
        struct json_value *child = status_node(state, object);
        set_attribute(child, object->resource, "type");
        json_value_set(node, "health_monitor", child);
    }
    json_value_set(node, "members", members_of(state, &pool->resource->id, detail));
    return node;
}

static struct json_value *listener_node(const struct node_state *state,
                                        const struct effective *object,
                                        const struct status_detail *detail)
{
    const struct listener *listener = (const struct listener *)object->resource;
    struct json_value *node = status_node(state, object), *pools = json_value_array();
    const struct effective *pool =
        configuration_find(state->configuration, &listener->default_pool_id);
    if (detail->own_fields) {
        set_attribute(node, object->resource, "protocol");
        json_value_set_number(node, "protocol_port", listener->protocol_port);
    }
    if (pool && pool->resource->type == RESOURCE_POOL)
        json_value_append(pools, pool_node(state, pool, detail));
    json_value_set(node, "pools", pools);
    return node;
}

static bool is_default_pool(const struct node_state *state, const struct resource *pool)
{
    const struct effective *child;
    for (size_t i = 0; (child = configuration_child(state->configuration, &pool->owner,
                                                    RESOURCE_LISTENER, i));
         i++) {
        if (uuid_equal(&((const struct listener *)child->resource)->default_pool_id, &pool->id))
            return true;
    }
    return false;
}

/* Octavia's tree hides pools that no listener uses. */
static struct json_value *unused_pools(const struct node_state *state,
                                       const struct effective *load_balancer,
                                       const struct status_detail *detail)
{
    const struct effective *pool;
    struct json_value *list = json_value_array();
    for (size_t i = 0;
         (pool = configuration_child(state->configuration, &load_balancer->resource->id,
                                     RESOURCE_POOL, i));
         i++) {
        if (!is_default_pool(state, pool->resource))
            json_value_append(list, pool_node(state, pool, detail));
    }
    return list;
}

struct json_value *status_tree(const struct node_state *state,
                               const struct effective *load_balancer,
                               const struct status_detail *detail)
{
    const struct effective *child;
    struct json_value *node = status_node(state, load_balancer), *list = json_value_array();
    if (detail->own_fields) {
        set_address(node, "vip_address",
                    &((const struct load_balancer *)load_balancer->resource)->vip_address);
        if (!load_balancer->effective)
            json_value_set_text(node, "reason", load_balancer->reason_text);
    }
    for (size_t i = 0;
         (child = configuration_child(state->configuration, &load_balancer->resource->id,
                                      RESOURCE_LISTENER, i));
         i++)
        json_value_append(list, listener_node(state, child, detail));
    json_value_set(node, "listeners", list);
    if (detail->own_fields)
        json_value_set(node, "pools", unused_pools(state, load_balancer, detail));
    return node;
}

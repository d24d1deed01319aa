#include "lbnode/admin/resource_view.h"

#include "lbnode/admin/eligibility_view.h"
#include "lbnode/admin/status_view.h"
#include "lbnode/base/monotime.h"

#include <string.h>

/* ---- the order of keys ---------------------------------------------------------------------
 * Attributes of the field table that are not named here follow at the end. */

/* clang-format off */
static const char *const load_balancer_keys[] = {
    "id", "name", "description", "provisioning_status", "operating_status", "admin_state_up",
    "project_id", "created_at", "updated_at", "vip_address", "vip_port_id", "vip_subnet_id",
    "vip_network_id", "vip_sg_ids", "additional_vips", "listeners", "pools", "provider",
    "flavor_id", "vip_qos_policy_id", "tags", "availability_zone", "vip_vnic_type", "tenant_id",
    NULL};
static const char *const listener_keys[] = {
    "id", "name", "description", "provisioning_status", "operating_status", "admin_state_up",
    "protocol", "protocol_port", "connection_limit", "default_tls_container_ref",
    "sni_container_refs", "project_id", "default_pool_id", "l7policies", "insert_headers",
    "created_at", "updated_at", "loadbalancers", "timeout_client_data",
    "timeout_member_connect", "timeout_member_data", "timeout_tcp_inspect", "tags",
    "client_ca_tls_container_ref", "client_authentication", "client_crl_container_ref",
    "allowed_cidrs", "tls_ciphers", "tls_versions", "alpn_protocols", "tenant_id", NULL};
static const char *const pool_keys[] = {
    "id", "name", "description", "provisioning_status", "operating_status", "admin_state_up",
    "protocol", "lb_algorithm", "session_persistence", "project_id", "loadbalancers",
    "listeners", "created_at", "updated_at", "healthmonitor_id", "members", "tags",
    "tls_container_ref", "ca_tls_container_ref", "crl_container_ref", "tls_enabled",
    "tls_ciphers", "tls_versions", "alpn_protocols", "tenant_id", NULL};
static const char *const member_keys[] = {
    "id", "name", "operating_status", "provisioning_status", "admin_state_up", "address",
    "protocol_port", "weight", "backup", "subnet_id", "project_id", "created_at", "updated_at",
    "monitor_address", "monitor_port", "tags", "tenant_id", NULL};
static const char *const health_monitor_keys[] = {
    "id", "name", "type", "delay", "timeout", "max_retries", "max_retries_down", "http_method",
    "url_path", "expected_codes", "admin_state_up", "project_id", "pools",
    "provisioning_status", "operating_status", "created_at", "updated_at", "tags",
    "http_version", "domain_name", "tenant_id", NULL};
static const char *const vrrp_group_keys[] = {
    "id", "name", "description", "provisioning_status", "created_at", "updated_at", "nodes",
    NULL};
static const char *const secret_keys[] = {
    "id", "name", "description", "status", "secret_type", "content_types", "created", "updated",
    NULL};
static const char *const own_keys[] = {
    "id", "name", "description", "provisioning_status", "created_at", "updated_at", NULL};
/* clang-format on */

static const char *const *keys_of(enum resource_type type)
{
    switch (type) {
    case RESOURCE_LOAD_BALANCER: return load_balancer_keys;
    case RESOURCE_LISTENER: return listener_keys;
    case RESOURCE_POOL: return pool_keys;
    case RESOURCE_MEMBER: return member_keys;
    case RESOURCE_HEALTH_MONITOR: return health_monitor_keys;
    case RESOURCE_VRRP_GROUP: return vrrp_group_keys;
    case RESOURCE_SECRET: return secret_keys;
    default: return own_keys;
    }
}

const char *resource_view_constant(const char *name)
{
    static const char *const constants[][2] = {
        {"vip_sg_ids", "[]"},
        {"flavor_id", "null"},
        {"vip_qos_policy_id", "null"},
        {"availability_zone", "null"},
        {"vip_vnic_type", "\"normal\""},
        {"default_tls_container_ref", "null"},
        {"sni_container_refs", "[]"},
        {"l7policies", "[]"},
        {"client_ca_tls_container_ref", "null"},
        {"client_authentication", "\"NONE\""},
        {"client_crl_container_ref", "null"},
        {"tls_ciphers", "null"},
        {"tls_versions", "null"},
        {"alpn_protocols", "null"},
        {"session_persistence", "null"},
        {"tls_container_ref", "null"},
        {"ca_tls_container_ref", "null"},
        {"crl_container_ref", "null"},
        {"tls_enabled", "false"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(constants); i++) {
        if (strcmp(constants[i][0], name) == 0)
            return constants[i][1];
    }
    return NULL;
}

/* ---- synthetic ids -------------------------------------------------------------------------
 */

/* Not derived from the cluster: clients look them up before there is one. */
static const struct uuid synthetic_names = {
    {'l', 'b', 'n', 'o', 'd', 'e', ' ', 'v', 'i', 'p', ' ', 'n', 'a', 'm', 'e', 's'}};

struct uuid synthetic_subnet_id(void)
{
    return uuid_derived(&synthetic_names, "vip-subnet");
}

struct uuid synthetic_network_id(void)
{
    return uuid_derived(&synthetic_names, "vip-network");
}

struct uuid synthetic_port_id(const struct load_balancer *load_balancer)
{
    return uuid_derived(&load_balancer->resource.id, "vip-port");
}

/* ---- keys that are no attributes -----------------------------------------------------------
 */

struct view {
    const struct node_state *state;
    const struct effective *object;
    const struct resource *resource;
};

static struct json_value *id_value(const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    return json_value_string(text);
}

static struct json_value *time_value(uint64_t wall_ms)
{
    char text[WALLTIME_TEXT_SIZE];
    walltime_format(wall_ms, text);
    return *text ? json_value_string(text) : json_value_null();
}

static struct json_value *view_id(const struct view *view)
{
    return id_value(&view->resource->id);
}

static struct json_value *view_provisioning(const struct view *view)
{
    return json_value_string(view->object->effective ? "ACTIVE" : "ERROR");
}

static struct json_value *view_operating(const struct view *view)
{
    return json_value_string(status_name_of(view->state, view->resource));
}

static struct json_value *view_created(const struct view *view)
{
    return time_value(view->resource->created_wall_ms);
}

static struct json_value *view_updated(const struct view *view)
{
    uint64_t updated_ms = view->resource->updated_wall_ms;
    return time_value(updated_ms ? updated_ms : view->resource->created_wall_ms);
}

static void append_stub(struct json_value *list, const struct uuid *id)
{
    struct json_value *stub = json_value_object();
    json_value_set(stub, "id", id_value(id));
    json_value_append(list, stub);
}

static struct json_value *child_stubs(const struct view *view, enum resource_type type)
{
    const struct effective *child;
    struct json_value *list = json_value_array();
    for (size_t i = 0; (child = configuration_child(view->state->configuration,
                                                    &view->resource->id, type, i));
         i++)
        append_stub(list, &child->resource->id);
    return list;
}

static struct json_value *view_loadbalancers(const struct view *view)
{
    struct json_value *list = json_value_array();
    if (!uuid_is_zero(&view->resource->owner))
        append_stub(list, &view->resource->owner);
    return list;
}

/* Of a load balancer: its listeners. Of a pool: those that have it as default pool. */
static struct json_value *view_listeners(const struct view *view)
{
    const struct effective *child;
    if (view->resource->type == RESOURCE_LOAD_BALANCER)
        return child_stubs(view, RESOURCE_LISTENER);
    struct json_value *list = json_value_array();
    for (size_t i = 0;
         (child = configuration_child(view->state->configuration, &view->resource->owner,
                                      RESOURCE_LISTENER, i));
         i++) {
        const struct listener *listener = (const struct listener *)child->resource;
        if (uuid_equal(&listener->default_pool_id, &view->resource->id))
            append_stub(list, &child->resource->id);
    }
    return list;
}

/* Of a load balancer: its pools. Of a health monitor: its one pool. */
static struct json_value *view_pools(const struct view *view)
{
    return view->resource->type == RESOURCE_LOAD_BALANCER ? child_stubs(view, RESOURCE_POOL)
                                                          : view_loadbalancers(view);
}

static struct json_value *view_members(const struct view *view)
{
    return child_stubs(view, RESOURCE_MEMBER);
}

static struct json_value *view_monitor(const struct view *view)
{
    const struct health_monitor *monitor =
        configuration_monitor_of(view->state->configuration, &view->resource->id);
    return monitor ? id_value(&monitor->resource.id) : NULL;
}

static struct json_value *view_tenant(const struct view *view)
{
    return json_value_string(view->resource->project_id);
}

static struct json_value *view_vip_port(const struct view *view)
{
    const struct load_balancer *load_balancer = (const struct load_balancer *)view->resource;
    struct uuid synthetic = synthetic_port_id(load_balancer);
    return id_value(uuid_is_zero(&load_balancer->vip_port_id) ? &synthetic
                                                              : &load_balancer->vip_port_id);
}

static struct json_value *view_vip_subnet(const struct view *view)
{
    const struct load_balancer *load_balancer = (const struct load_balancer *)view->resource;
    struct uuid synthetic = synthetic_subnet_id();
    return id_value(uuid_is_zero(&load_balancer->vip_subnet_id)
                        ? &synthetic
                        : &load_balancer->vip_subnet_id);
}

static struct json_value *view_vip_network(const struct view *view)
{
    const struct load_balancer *load_balancer = (const struct load_balancer *)view->resource;
    struct uuid synthetic = synthetic_network_id();
    return id_value(uuid_is_zero(&load_balancer->vip_network_id)
                        ? &synthetic
                        : &load_balancer->vip_network_id);
}

static struct json_value *view_additional_vips(const struct view *view)
{
    const struct load_balancer *load_balancer = (const struct load_balancer *)view->resource;
    struct json_value *list = json_value_array();
    for (size_t i = 0; i < load_balancer->additional_vips.count; i++) {
        struct json_value *vip = json_value_object();
        json_value_set(vip, "subnet_id", view_vip_subnet(view));
        json_value_set_text(vip, "ip_address", load_balancer->additional_vips.items[i]);
        json_value_set(vip, "port_id", view_vip_port(view));
        json_value_append(list, vip);
    }
    return list;
}

static struct json_value *view_nodes(const struct view *view)
{
    return eligibility_sentences(view->state, &view->resource->id);
}

/* Barbican's words for: there is a payload, and of which kind. */
static struct json_value *view_content_types(const struct view *view)
{
    const struct secret *secret = (const struct secret *)view->resource;
    if (!secret->payload.data)
        return json_value_null();
    struct json_value *types = json_value_object();
    json_value_set_text(types, "default", secret->payload_content_type);
    return types;
}

typedef struct json_value *view_maker(const struct view *view);

static view_maker *maker_of(const char *name)
{
    static const struct {
        const char *name;
        view_maker *make;
    } makers[] = {
        {"id", view_id},
        {"provisioning_status", view_provisioning},
        {"operating_status", view_operating},
        {"created_at", view_created},
        {"updated_at", view_updated},
        {"loadbalancers", view_loadbalancers},
        {"listeners", view_listeners},
        {"pools", view_pools},
        {"members", view_members},
        {"healthmonitor_id", view_monitor},
        {"tenant_id", view_tenant},
        {"vip_port_id", view_vip_port},
        {"vip_subnet_id", view_vip_subnet},
        {"vip_network_id", view_vip_network},
        {"additional_vips", view_additional_vips},
        {"nodes", view_nodes},
        {"status", view_provisioning},
        {"content_types", view_content_types},
        {"created", view_created},
        {"updated", view_updated},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(makers); i++) {
        if (strcmp(makers[i].name, name) == 0)
            return makers[i].make;
    }
    return NULL;
}

/* ---- the whole -----------------------------------------------------------------------------
 */

static bool is_shown(const struct field *field)
{
    return !(field->flags & (FIELD_INTERNAL | FIELD_OWNER)) && field->type != FIELD_SEALED;
}

static struct json_value *value_of(const struct view *view, const char *name)
{
    const struct resource_class *class = resource_class_of(view->resource->type);
    view_maker *make = maker_of(name);
    const char *constant = resource_view_constant(name);
    if (make)
        return make(view);
    if (constant)
        return json_value_parse(constant, strlen(constant), NULL);
    const struct field *field = field_find(class, name);
    return field && is_shown(field) ? field_to_json(field, view->resource) : NULL;
}

struct json_value *resource_view(const struct node_state *state, const struct effective *object)
{
    const struct view view = {state, object, object->resource};
    const struct resource_class *class = resource_class_of(object->resource->type);
    struct json_value *root = json_value_object();
    for (const char *const *name = keys_of(object->resource->type); *name; name++) {
        struct json_value *value = value_of(&view, *name);
        if (value)
            json_value_set(root, *name, value);
    }
    for (size_t i = 0; i < class->field_count; i++) {
        const struct field *field = &class->fields[i];
        if (is_shown(field) && !json_value_get(root, field->name))
            json_value_set(root, field->name, field_to_json(field, object->resource));
    }
    return root;
}

bool resource_view_has(enum resource_type type, const char *name)
{
    const struct resource_class *class = resource_class_of(type);
    for (const char *const *key = keys_of(type); *key; key++) {
        if (strcmp(*key, name) == 0)
            return true;
    }
    const struct field *field = class ? field_find(class, name) : NULL;
    return field && is_shown(field);
}

/* What a local write must satisfy beyond its own fields: the rules of the projection, said in
 * Octavia's sentences, so that no accepted change makes an object ineffective. */
#include "lbnode/model/configuration_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/model/field_table.h"
#include "lbnode/model/snapshot.h"

#include <string.h>

static const char *const protocol_names[PROTOCOL_COUNT] = {
    [PROTOCOL_HTTP] = "HTTP",
    [PROTOCOL_TCP] = "TCP",
    [PROTOCOL_UDP] = "UDP",
};

/* octavia-api.md 9.1: rows are listeners, columns pools. Listeners of UDP there are none yet.
 */
static const bool compatible[PROTOCOL_COUNT][PROTOCOL_COUNT] = {
    [PROTOCOL_HTTP] = {[PROTOCOL_HTTP] = true},
    [PROTOCOL_TCP] = {[PROTOCOL_HTTP] = true, [PROTOCOL_TCP] = true},
};

const char *protocol_name(int64_t protocol)
{
    return protocol >= 0 && protocol < PROTOCOL_COUNT ? protocol_names[protocol] : "UNKNOWN";
}

bool protocols_are_compatible(int64_t listener_protocol, int64_t pool_protocol)
{
    return listener_protocol >= 0 && listener_protocol < PROTOCOL_COUNT && pool_protocol >= 0 &&
           pool_protocol < PROTOCOL_COUNT && compatible[listener_protocol][pool_protocol];
}

/* The living object that a reference names, or NULL with Octavia's 404. */
static const struct effective *find_reference(const struct configuration *configuration,
                                              enum resource_type type,
                                              const struct uuid *id,
                                              struct error *error)
{
    const struct effective *found = configuration_find(configuration, id);
    if (found && found->resource->type == type)
        return found;
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    error_set(error, ERROR_NOT_FOUND, "%s %s not found.", resource_title(type), text);
    return NULL;
}

/* Somebody else who claims the same as RESOURCE. */
static const struct resource *rival_of(const struct configuration *configuration,
                                       const struct resource *resource)
{
    const struct object *at = configuration_claimants(configuration, resource);
    while (at && uuid_equal(&at->effective.resource->id, &resource->id))
        at = at->next[INDEX_CLAIM];
    return at ? at->effective.resource : NULL;
}

/* ---- load balancers -------------------------------------------------------------------------
 */

static bool has_address(const struct load_balancer *load_balancer,
                        const struct ip_address *address)
{
    struct ip_address other;
    if (ip_address_equal(&load_balancer->vip_address, address))
        return true;
    for (size_t i = 0; i < load_balancer->additional_vips.count; i++) {
        if (ip_address_parse(load_balancer->additional_vips.items[i], &other) &&
            ip_address_equal(&other, address))
            return true;
    }
    return false;
}

static bool address_is_free(const struct configuration *configuration,
                            const struct resource *self,
                            const struct ip_address *address,
                            struct error *error)
{
    const struct effective *at;
    for (size_t i = 0; (at = configuration_at(configuration, RESOURCE_LOAD_BALANCER, i)); i++) {
        if (uuid_equal(&at->resource->id, &self->id) ||
            !has_address((const struct load_balancer *)at->resource, address))
            continue;
        char text[IP_ADDRESS_TEXT_SIZE], id[UUID_TEXT_SIZE];
        ip_address_format(address, text);
        uuid_format(&at->resource->id, id);
        return error_set(error, ERROR_CONFLICT,
                         "The VIP IP address is already in use: %s belongs to Load Balancer %s",
                         text, id);
    }
    return true;
}

static bool node_has_address(const struct node *node, const struct ip_address *address)
{
    struct ip_endpoint endpoint;
    if (ip_address_equal(&node->vrrp_address, address))
        return true;
    for (size_t i = 0; i < node->addresses.count; i++) {
        if (ip_endpoint_parse(node->addresses.items[i], 0, &endpoint) &&
            ip_address_equal(&endpoint.address, address))
            return true;
    }
    return false;
}

/* An address of one node cannot move to another without cutting the first one off. A node that
 * is alone may serve on its own: it moves nowhere. */
static bool address_is_no_nodes(const struct configuration *configuration,
                                const struct ip_address *address,
                                struct error *error)
{
    const struct node *owner = NULL;
    const struct effective *at;
    size_t active = 0;
    for (size_t i = 0; (at = configuration_at(configuration, RESOURCE_NODE, i)); i++) {
        const struct node *node = (const struct node *)at->resource;
        if (node->status != NODE_ACTIVE)
            continue;
        active++;
        if (node_has_address(node, address))
            owner = node;
    }
    if (!owner || active < 2)
        return true;
    char text[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(address, text);
    return error_set(error, ERROR_CONFLICT,
                     "The VIP IP address is already in use: %s is an address of node %s", text,
                     owner->resource.name);
}

static bool check_addresses(const struct configuration *configuration,
                            const struct load_balancer *load_balancer,
                            struct error *error)
{
    const struct resource *self = &load_balancer->resource;
    if (!address_is_free(configuration, self, &load_balancer->vip_address, error) ||
        !address_is_no_nodes(configuration, &load_balancer->vip_address, error))
        return false;
    for (size_t i = 0; i < load_balancer->additional_vips.count; i++) {
        struct ip_address address;
        if (ip_address_parse(load_balancer->additional_vips.items[i], &address) &&
            (!address_is_free(configuration, self, &address, error) ||
             !address_is_no_nodes(configuration, &address, error)))
            return false;
    }
    return true;
}

static bool check_group_reference(const struct configuration *configuration,
                                  const struct load_balancer *load_balancer,
                                  struct error *error)
{
    return uuid_is_zero(&load_balancer->vrrp_group_id) ||
           find_reference(configuration, RESOURCE_VRRP_GROUP, &load_balancer->vrrp_group_id,
                          error);
}

/* ---- listeners ------------------------------------------------------------------------------
 */

static bool check_pool_fits(const struct resource *listener,
                            const struct resource *pool,
                            struct error *error)
{
    char id[UUID_TEXT_SIZE];
    int64_t listener_protocol = ((const struct listener *)listener)->protocol;
    int64_t pool_protocol = ((const struct pool *)pool)->protocol;
    uuid_format(&pool->id, id);
    if (!uuid_equal(&pool->owner, &listener->owner))
        return error_set(error, ERROR_INVALID,
                         "Validation failure: Pool %s belongs to another Load Balancer than "
                         "the listener.",
                         id);
    if (!protocols_are_compatible(listener_protocol, pool_protocol))
        return error_set(error, ERROR_INVALID,
                         "Validation failure: The pool protocol '%s' is invalid while the "
                         "listener protocol is '%s'.",
                         protocol_name(pool_protocol), protocol_name(listener_protocol));
    return true;
}

static bool check_default_pool(const struct configuration *configuration,
                               const struct listener *listener,
                               struct error *error)
{
    if (uuid_is_zero(&listener->default_pool_id))
        return true;
    const struct effective *pool =
        find_reference(configuration, RESOURCE_POOL, &listener->default_pool_id, error);
    return pool && check_pool_fits(&listener->resource, pool->resource, error);
}

/* ---- health monitors ------------------------------------------------------------------------
 */

/* octavia-api.md 9.2. */
static bool check_monitored_pool(const struct configuration *configuration,
                                 const struct health_monitor *monitor,
                                 struct error *error)
{
    const struct effective *pool = configuration_find(configuration, &monitor->resource.owner);
    bool is_udp = ((const struct pool *)pool->resource)->protocol == PROTOCOL_UDP;
    bool suits_udp = monitor->type == MONITOR_HTTP || monitor->type == MONITOR_TCP ||
                     monitor->type == MONITOR_UDP_CONNECT;
    if (is_udp && !suits_udp)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: The associated pool protocol is UDP, so only a "
                         "UDP-CONNECT/TCP/HTTP health monitor is supported.");
    if (!is_udp && monitor->type == MONITOR_UDP_CONNECT)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: The UDP-CONNECT type is only supported for pools "
                         "of type UDP.");
    return true;
}

/* ---- claims ---------------------------------------------------------------------------------
 */

static bool
refuse_claim(const struct resource *resource, const struct resource *rival, struct error *error)
{
    char text[IP_ADDRESS_TEXT_SIZE], id[UUID_TEXT_SIZE];
    switch (resource->type) {
    case RESOURCE_LISTENER:
        return error_set(error, ERROR_CONFLICT,
                         "Another Listener on this Load Balancer is already using protocol %s "
                         "and protocol_port %lld",
                         protocol_name(((const struct listener *)rival)->protocol),
                         (long long)((const struct listener *)rival)->protocol_port);
    case RESOURCE_MEMBER:
        ip_address_format(&((const struct member *)resource)->address, text);
        return error_set(error, ERROR_CONFLICT,
                         "Another member on this pool is already using ip %s on protocol_port "
                         "%lld",
                         text, (long long)((const struct member *)resource)->protocol_port);
    case RESOURCE_HEALTH_MONITOR:
        return error_set(error, ERROR_CONFLICT, "This pool already has a health monitor");
    case RESOURCE_LOAD_BALANCER:
        ip_address_format(&((const struct load_balancer *)resource)->vip_address, text);
        uuid_format(&rival->id, id);
        return error_set(error, ERROR_CONFLICT,
                         "The VIP IP address is already in use: %s belongs to Load Balancer %s",
                         text, id);
    default:
        return error_set(error, ERROR_CONFLICT, "VRRP group %s is already using vrid %lld",
                         rival->name, (long long)((const struct vrrp_group *)resource)->vrid);
    }
}

static bool check_claim(const struct configuration *configuration,
                        const struct resource *resource,
                        struct error *error)
{
    const struct resource *rival = rival_of(configuration, resource);
    return !rival || refuse_claim(resource, rival, error);
}

/* Load balancers and the default rule find groups by name: two of one name would be a riddle.
 */
static bool check_group_name(const struct configuration *configuration,
                             const struct resource *group,
                             struct error *error)
{
    const struct object *at =
        configuration_named(configuration, RESOURCE_VRRP_GROUP, &group->owner, group->name);
    if (*group->name == '\0')
        return error_invalid_field(error, "name", "", "A VRRP group must have a name");
    for (; at; at = at->next[INDEX_NAME]) {
        const struct resource *other = at->effective.resource;
        if (strcmp(other->name, group->name) == 0 && !uuid_equal(&other->id, &group->id))
            return error_set(error, ERROR_CONFLICT, "A VRRP group of %s already exists.",
                             group->name);
    }
    return true;
}

/* What one node can run is the bound of a cluster: the snapshot must fit everywhere. */
static bool check_quota(const struct configuration *configuration,
                        const struct resource *resource,
                        struct error *error)
{
    static const size_t limits[RESOURCE_TYPE_LIMIT] = {
        [RESOURCE_LISTENER] = LISTENER_SLOTS,
        [RESOURCE_POOL] = POOL_SLOTS,
        [RESOURCE_MEMBER] = MEMBER_SLOTS,
    };
    size_t limit = limits[resource->type];
    if (limit > 0 && configuration->by_type[resource->type].count >= limit)
        return error_set(error, ERROR_REFUSED,
                         "Quota has been met for resources: %s (at most %zu)",
                         resource_title(resource->type), limit);
    return true;
}

bool configuration_check_create(const struct configuration *configuration,
                                const struct resource *resource,
                                struct error *error)
{
    enum resource_type owner_type = resource_class_of(resource->type)->owner_type;
    if (owner_type != RESOURCE_NONE &&
        !find_reference(configuration, owner_type, &resource->owner, error))
        return false;
    if (!check_quota(configuration, resource, error) ||
        !check_claim(configuration, resource, error))
        return false;
    switch (resource->type) {
    case RESOURCE_VRRP_GROUP: return check_group_name(configuration, resource, error);
    case RESOURCE_LOAD_BALANCER: {
        const struct load_balancer *load_balancer = (const struct load_balancer *)resource;
        return check_addresses(configuration, load_balancer, error) &&
               check_group_reference(configuration, load_balancer, error);
    }
    case RESOURCE_LISTENER:
        return check_default_pool(configuration, (const struct listener *)resource, error);
    case RESOURCE_HEALTH_MONITOR:
        return check_monitored_pool(configuration, (const struct health_monitor *)resource,
                                    error);
    default: return true;
    }
}

static bool check_group_update(const struct configuration *configuration,
                               const struct resource *before,
                               const struct resource *after,
                               struct error *error)
{
    if (((const struct vrrp_group *)before)->vrid != ((const struct vrrp_group *)after)->vrid &&
        !check_claim(configuration, after, error))
        return false;
    if (strcmp(before->name, after->name) == 0)
        return true;
    if (strcmp(before->name, "default") == 0)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: the VRRP group default cannot be renamed");
    return check_group_name(configuration, after, error);
}

/* Only what changes is checked: an object that a merge left in conflict can still be edited. */
bool configuration_check_update(const struct configuration *configuration,
                                const struct resource *before,
                                const struct resource *after,
                                struct error *error)
{
    switch (after->type) {
    case RESOURCE_VRRP_GROUP: return check_group_update(configuration, before, after, error);
    case RESOURCE_LOAD_BALANCER: {
        const struct load_balancer *now = (const struct load_balancer *)after;
        return uuid_equal(&now->vrrp_group_id,
                          &((const struct load_balancer *)before)->vrrp_group_id) ||
               check_group_reference(configuration, now, error);
    }
    case RESOURCE_LISTENER: {
        const struct listener *now = (const struct listener *)after;
        return uuid_equal(&now->default_pool_id,
                          &((const struct listener *)before)->default_pool_id) ||
               check_default_pool(configuration, now, error);
    }
    default: return true;
    }
}

#include "lbnode/node/vrrp_set.h"

#include "lbnode/base/parse_number.h"

#include <stdio.h>
#include <string.h>

static uint8_t priority_of(const struct vrrp_group *group, const char *node_name)
{
    const char *text = text_list_value(&group->preference, node_name);
    int64_t priority;
    return text && parse_integer(text, 1, 254, &priority) ? (uint8_t)priority
                                                          : VRRP_DEFAULT_PRIORITY;
}

static void add_routers(const struct vrrp_group *group, struct message_vrrp_group *message)
{
    for (size_t i = 0;
         i < group->unicast_peers.count && message->router_count < VRRP_GROUP_ROUTERS_MAXIMUM;
         i++) {
        struct ip_address *place = &message->routers[message->router_count];
        message->router_count += ip_address_parse(group->unicast_peers.items[i], place);
    }
}

static bool add_group(const struct vrrp_group *group,
                      const struct vrrp_set_node *own,
                      struct message_list *out)
{
    struct message_vrrp_group message;
    const char *interface = group->interface[0] ? group->interface : own->interface;
    memset(&message, 0, sizeof(message)); /* padding too: sets are compared byte by byte */
    message.header = (struct message){.type = MESSAGE_VRRP_GROUP, .size = sizeof(message)};
    message.group_id = group->resource.id;
    snprintf(message.name, sizeof(message.name), "%s", group->resource.name);
    snprintf(message.interface, sizeof(message.interface), "%s", interface);
    message.gateway = group->gateway;
    message.vrid = (uint8_t)group->vrid;
    message.priority = priority_of(group, own->name);
    message.preempt = group->preempt;
    message.compat = group->policy == VRRP_POLICY_COMPAT;
    message.multicast = group->mode == VRRP_MODE_MULTICAST;
    message.pseudo = group->checksum == VRRP_SEND_PSEUDO;
    message.preempt_delay_ms = (uint32_t)(group->preempt_delay_s * 1000);
    message.advert_interval_ms = (uint32_t)group->advert_interval_ms;
    add_routers(group, &message);
    return message_list_add(out, &message.header);
}

static bool has_address(const struct message_list *list, const struct ip_address *address)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].header.type == MESSAGE_VRRP_ADDRESS &&
            ip_address_equal(&list->items[i].member_VRRP_ADDRESS.address, address))
            return true;
    return false;
}

static bool add_address(const struct vrrp_group *group,
                        const struct ip_address *address,
                        struct message_list *out)
{
    struct message_vrrp_address message;
    if (address->family == 0 || ip_address_is_loopback(address) || has_address(out, address))
        return true;
    memset(&message, 0, sizeof(message));
    message.header = (struct message){.type = MESSAGE_VRRP_ADDRESS, .size = sizeof(message)};
    message.group_id = group->resource.id;
    message.address = *address;
    return message_list_add(out, &message.header);
}

static bool add_load_balancer(const struct vrrp_group *group,
                              const struct load_balancer *load_balancer,
                              struct message_list *out)
{
    bool good = add_address(group, &load_balancer->vip_address, out);
    for (size_t i = 0; good && i < load_balancer->additional_vips.count; i++) {
        struct ip_address address;
        if (ip_address_parse(load_balancer->additional_vips.items[i], &address))
            good = add_address(group, &address, out);
    }
    return good;
}

static bool add_addresses(const struct configuration *configuration,
                          const struct vrrp_group *group,
                          struct message_list *out)
{
    const struct effective *object;
    bool good = true;
    for (size_t i = 0;
         good && (object = configuration_at(configuration, RESOURCE_LOAD_BALANCER, i)); i++) {
        const struct load_balancer *load_balancer = (const void *)object->resource;
        if (object->effective && object->resource->admin_state_up &&
            configuration_group_of(configuration, load_balancer) == group)
            good = add_load_balancer(group, load_balancer, out);
    }
    return good;
}

static bool add_groups(const struct configuration *configuration,
                       const struct vrrp_set_node *own,
                       struct message_list *out)
{
    const struct effective *object;
    for (size_t i = 0; (object = configuration_at(configuration, RESOURCE_VRRP_GROUP, i));
         i++) {
        const struct vrrp_group *group = (const void *)object->resource;
        size_t before = out->count;
        if (!object->effective || !object->resource->admin_state_up)
            continue;
        if (!add_group(group, own, out) || !add_addresses(configuration, group, out))
            return false;
        if (out->count == before + 1)
            out->count = before; /* no address, nothing to elect */
    }
    return true;
}

static bool
add_peer(const struct node *node, const struct ip_address *address, struct message_list *out)
{
    struct message_vrrp_peer message;
    memset(&message, 0, sizeof(message));
    message.header = (struct message){.type = MESSAGE_VRRP_PEER, .size = sizeof(message)};
    message.node_id = node->resource.id;
    snprintf(message.name, sizeof(message.name), "%s", node->resource.name);
    message.drained = node->drain;
    message.address = *address;
    return message_list_add(out, &message.header);
}

/* The address for adverts, and for each family without one the first gossip address. */
static bool add_peers_of(const struct node *node, struct message_list *out)
{
    bool has[7] = {false};
    bool good = true;
    if (node->vrrp_address.family) {
        has[node->vrrp_address.family] = true;
        good = add_peer(node, &node->vrrp_address, out);
    }
    for (size_t i = 0; good && i < node->addresses.count; i++) {
        struct ip_endpoint endpoint;
        if (!ip_endpoint_parse(node->addresses.items[i], 1, &endpoint) ||
            has[endpoint.address.family])
            continue;
        has[endpoint.address.family] = true;
        good = add_peer(node, &endpoint.address, out);
    }
    return good;
}

static bool add_peers(const struct configuration *configuration,
                      const struct vrrp_set_node *own,
                      struct message_list *out)
{
    const struct effective *object;
    bool good = true;
    for (size_t i = 0; good && (object = configuration_at(configuration, RESOURCE_NODE, i));
         i++) {
        const struct node *node = (const void *)object->resource;
        if (node->status == NODE_ACTIVE && !uuid_equal(&node->resource.id, own->id))
            good = add_peers_of(node, out);
    }
    return good;
}

/* Or is about to be. */
static bool was_removed(const struct configuration *configuration, const struct uuid *id)
{
    const struct effective *object = configuration_find(configuration, id);
    const struct node *node = object && object->resource->type == RESOURCE_NODE
                                  ? (const void *)object->resource
                                  : NULL;
    return node && (node->status != NODE_ACTIVE || node->leaving);
}

static bool is_drained(const struct configuration *configuration, const struct uuid *id)
{
    const struct effective *object = configuration_find(configuration, id);
    return object && object->resource->type == RESOURCE_NODE &&
           ((const struct node *)(const void *)object->resource)->drain;
}

/* The address that the peers put into their sets for this node. */
static struct ip_address own_ipv4(const struct configuration *configuration,
                                  const struct uuid *id)
{
    const struct effective *object = configuration_find(configuration, id);
    const struct node *node = object && object->resource->type == RESOURCE_NODE
                                  ? (const void *)object->resource
                                  : NULL;
    struct ip_endpoint endpoint;
    if (node && node->vrrp_address.family == 4)
        return node->vrrp_address;
    for (size_t i = 0; node && i < node->addresses.count; i++)
        if (ip_endpoint_parse(node->addresses.items[i], 1, &endpoint) &&
            endpoint.address.family == 4)
            return endpoint.address;
    return (struct ip_address){0};
}

bool vrrp_set_build(const struct configuration *configuration,
                    const struct vrrp_set_node *own,
                    struct message_list *out)
{
    struct message_vrrp_begin begin;
    struct message_vrrp_commit commit = MESSAGE_OF(VRRP_COMMIT, struct message_vrrp_commit);
    memset(&begin, 0, sizeof(begin));
    begin.header = (struct message){.type = MESSAGE_VRRP_BEGIN, .size = sizeof(begin)};
    begin.own_address = own_ipv4(configuration, own->id);
    begin.drained = is_drained(configuration, own->id);
    out->count = 0;
    return message_list_add(out, &begin.header) &&
           (own->removed || was_removed(configuration, own->id) ||
            add_groups(configuration, own, out)) &&
           add_peers(configuration, own, out) && message_list_add(out, &commit.header);
}

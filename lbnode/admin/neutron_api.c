/* The little of OpenStack's network API that load balancer clients look up before they create
 * anything: one subnet in one network, and a port for each load balancer. All read-only, with
 * ids that are the same on every node. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/list_query.h"
#include "lbnode/admin/resource_view.h"

#include <stdio.h>
#include <string.h>

static void set_id(struct json_value *object, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    json_value_set_text(object, key, text);
}

static void set_project(struct json_value *object)
{
    json_value_set_text(object, "tenant_id", "lbnode");
    json_value_set_text(object, "project_id", "lbnode");
}

/* An address of the subnet: the first virtual address, else one of a node's. */
static struct ip_address subnet_address(const struct node_state *state)
{
    const struct effective *object =
        configuration_at(state->configuration, RESOURCE_LOAD_BALANCER, 0);
    struct ip_endpoint endpoint = {0};
    if (object)
        return ((const struct load_balancer *)object->resource)->vip_address;
    object = configuration_at(state->configuration, RESOURCE_NODE, 0);
    const struct node *node = object ? (const struct node *)object->resource : NULL;
    if (node && node->vrrp_address.family != 0)
        return node->vrrp_address;
    if (node && node->addresses.count > 0)
        ip_endpoint_parse(node->addresses.items[0], 1, &endpoint);
    if (endpoint.address.family == 0)
        endpoint.address = (struct ip_address){.family = 4, .bytes = {192, 0, 2, 0}};
    return endpoint.address;
}

static void
set_prefix(struct json_value *subnet, const struct ip_address *address, unsigned length)
{
    struct ip_address network = *address;
    char text[IP_ADDRESS_TEXT_SIZE], cidr[IP_ADDRESS_TEXT_SIZE + 8];
    memset(network.bytes + length / 8, 0, ip_address_size(address) - length / 8);
    ip_address_format(&network, text);
    snprintf(cidr, sizeof(cidr), "%s/%u", text, length);
    json_value_set_text(subnet, "cidr", cidr);
    json_value_set_number(subnet, "ip_version", address->family);
}

static struct json_value *subnet_document(const struct node_state *state)
{
    static const char *const lists[] = {"allocation_pools", "dns_nameservers", "host_routes",
                                        "tags"};
    struct json_value *subnet = json_value_object();
    struct uuid id = synthetic_subnet_id(), network = synthetic_network_id();
    struct ip_address address = subnet_address(state);
    set_id(subnet, "id", &id);
    json_value_set_text(subnet, "name", "vip-subnet");
    set_id(subnet, "network_id", &network);
    set_prefix(subnet, &address, address.family == 4 ? 24 : 64);
    json_value_set(subnet, "gateway_ip", json_value_null());
    json_value_set_bool(subnet, "enable_dhcp", false);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        json_value_set(subnet, lists[i], json_value_array());
    set_project(subnet);
    return subnet;
}

static struct json_value *network_document(void)
{
    struct json_value *network = json_value_object(), *subnets = json_value_array();
    struct uuid id = synthetic_network_id(), subnet = synthetic_subnet_id();
    char text[UUID_TEXT_SIZE];
    uuid_format(&subnet, text);
    json_value_append(subnets, json_value_string(text));
    set_id(network, "id", &id);
    json_value_set_text(network, "name", "vip-network");
    json_value_set(network, "subnets", subnets);
    json_value_set_text(network, "status", "ACTIVE");
    json_value_set_bool(network, "admin_state_up", true);
    json_value_set_bool(network, "shared", true);
    json_value_set_bool(network, "router:external", false);
    set_project(network);
    return network;
}

static struct json_value *port_document(const struct node_state *state,
                                        const struct effective *object)
{
    const struct load_balancer *load_balancer = (const struct load_balancer *)object->resource;
    struct json_value *port = json_value_object(), *addresses = json_value_array();
    struct json_value *address = json_value_object();
    struct json_value *view = resource_view(state, object);
    char id[UUID_TEXT_SIZE], text[UUID_TEXT_SIZE + 16];
    uuid_format(&load_balancer->resource.id, id);
    json_value_set_text(port, "id", json_value_get_text(view, "vip_port_id"));
    snprintf(text, sizeof(text), "octavia-lb-%s", id);
    json_value_set_text(port, "name", text);
    json_value_set_text(port, "network_id", json_value_get_text(view, "vip_network_id"));
    json_value_set_text(address, "subnet_id", json_value_get_text(view, "vip_subnet_id"));
    json_value_set_text(address, "ip_address", json_value_get_text(view, "vip_address"));
    json_value_append(addresses, address);
    json_value_set(port, "fixed_ips", addresses);
    json_value_set_text(port, "device_owner", "Octavia");
    snprintf(text, sizeof(text), "lb-%s", id);
    json_value_set_text(port, "device_id", text);
    json_value_set(port, "security_groups", json_value_array());
    json_value_set_text(port, "status", "ACTIVE");
    json_value_set_bool(port, "admin_state_up", true);
    json_value_set(port, "mac_address", json_value_null());
    set_project(port);
    json_value_free(view);
    return port;
}

/* ---- answers -------------------------------------------------------------------------------
 */

/* Unlike Octavia's lists, any filter is accepted: an attribute that is not there never fits. */
static void append_if_wanted(const struct admin_request *request,
                             struct json_value *list,
                             struct json_value *item)
{
    const struct list_query query = {.url = &request->url};
    if (list_query_matches(&query, item))
        json_value_append(list, list_query_fields(&request->url, item));
    else
        json_value_free(item);
}

static void answer_one(struct admin_request *request,
                       const char *tag,
                       const char *title,
                       struct json_value *item)
{
    char sentence[160];
    const char *id = item ? json_value_get_text(item, "id") : NULL;
    if (id && strcmp(id, request->parameters[0]) == 0) {
        admin_answer_wrapped(request, 200, tag, item);
        return;
    }
    json_value_free(item);
    snprintf(sentence, sizeof(sentence), "%s %.64s could not be found.", title,
             request->parameters[0]);
    admin_answer_fault(request, 404, ERROR_NOT_FOUND, sentence);
}

void neutron_subnets(struct admin_request *request)
{
    struct json_value *list = json_value_array();
    append_if_wanted(request, list, subnet_document(request->state));
    admin_answer_wrapped(request, 200, "subnets", list);
}

void neutron_subnet(struct admin_request *request)
{
    answer_one(request, "subnet", "Subnet", subnet_document(request->state));
}

void neutron_networks(struct admin_request *request)
{
    struct json_value *list = json_value_array();
    append_if_wanted(request, list, network_document());
    admin_answer_wrapped(request, 200, "networks", list);
}

void neutron_network(struct admin_request *request)
{
    answer_one(request, "network", "Network", network_document());
}

void neutron_ports(struct admin_request *request)
{
    const struct effective *object;
    struct json_value *list = json_value_array();
    for (size_t i = 0;
         (object = configuration_at(request->state->configuration, RESOURCE_LOAD_BALANCER, i));
         i++)
        append_if_wanted(request, list, port_document(request->state, object));
    admin_answer_wrapped(request, 200, "ports", list);
}

void neutron_port(struct admin_request *request)
{
    const struct effective *object;
    struct json_value *found = NULL;
    for (size_t i = 0; !found && (object = configuration_at(request->state->configuration,
                                                            RESOURCE_LOAD_BALANCER, i));
         i++) {
        struct json_value *port = port_document(request->state, object);
        const char *id = json_value_get_text(port, "id");
        if (id && strcmp(id, request->parameters[0]) == 0)
            found = port;
        else
            json_value_free(port);
    }
    answer_one(request, "port", "Port", found);
}

void neutron_security_groups(struct admin_request *request)
{
    admin_answer_wrapped(request, 200, "security_groups", json_value_array());
}

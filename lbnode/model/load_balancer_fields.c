#include "lbnode/model/field_rows.h"

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "vip_address", .type = FIELD_ADDRESS, FIELD_AT(load_balancer, vip_address),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .check = check_vip, .help = "virtual IP address, IPv4 or IPv6"},
    {.name = "additional_vips", .type = FIELD_TEXT_LIST, FIELD_AT(load_balancer, additional_vips),
     .facet = FACET_CREATION, .tag = 4, .flags = FIELD_CREATE_ONLY, .item = ITEM_VIP,
     .maximum = IP_ADDRESS_TEXT_SIZE, .check = check_vip,
     .help = "further virtual IP addresses, such as one of the other family"},
    {.name = "vip_subnet_id", .type = FIELD_ID, FIELD_AT(load_balancer, vip_subnet_id),
     .facet = FACET_CREATION, .tag = 5, .flags = FIELD_CREATE_ONLY | FIELD_NULLABLE,
     .help = "subnet of the address; kept for OpenStack clients"},
    {.name = "vip_network_id", .type = FIELD_ID, FIELD_AT(load_balancer, vip_network_id),
     .facet = FACET_CREATION, .tag = 6, .flags = FIELD_CREATE_ONLY | FIELD_NULLABLE,
     .help = "network of the address; kept for OpenStack clients"},
    {.name = "vip_port_id", .type = FIELD_ID, FIELD_AT(load_balancer, vip_port_id),
     .facet = FACET_CREATION, .tag = 7, .flags = FIELD_CREATE_ONLY | FIELD_NULLABLE,
     .help = "port of the address; kept for OpenStack clients"},
    {.name = "provider", .type = FIELD_TEXT, FIELD_AT(load_balancer, provider),
     .facet = FACET_CREATION, .tag = 8, .flags = FIELD_CREATE_ONLY, .maximum = 64,
     .default_text = "lbnode", .check = check_provider,
     .help = "lbnode, or octavia and amphora as other names for it"},
    {.name = "vrrp_group_id", .type = FIELD_ID, FIELD_AT(load_balancer, vrrp_group_id),
     .facet = 10, .tag = 1, .flags = FIELD_NULLABLE, .refers_to = RESOURCE_VRRP_GROUP,
     .help = "VRRP group whose active node serves the address; the group default if not set"},
};
/* clang-format on */

const struct resource_class load_balancer_class = {
    .type = RESOURCE_LOAD_BALANCER,
    .noun = "loadbalancer",
    .short_noun = "lb",
    .plural = "loadbalancers",
    .path = "/lbaas/loadbalancers",
    .title = "Load Balancer",
    .size = sizeof(struct load_balancer),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
};

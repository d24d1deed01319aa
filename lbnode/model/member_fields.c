#include "lbnode/model/field_rows.h"

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "pool_id", .type = FIELD_ID, FIELD_AT(resource, owner),
     .facet = FACET_CREATION, .tag = 2,
     .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY | FIELD_OWNER | FIELD_POSITIONAL,
     .refers_to = RESOURCE_POOL, .help = "pool that it belongs to"},
    {.name = "address", .type = FIELD_ADDRESS, FIELD_AT(member, address),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .check = check_member_address, .help = "IP address of the server"},
    {.name = "protocol_port", .type = FIELD_INTEGER, FIELD_AT(member, protocol_port),
     .facet = FACET_CREATION, .tag = 4, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .minimum = 1, .maximum = PORT_MAXIMUM, .help = "port of the server"},
    {.name = "subnet_id", .type = FIELD_ID, FIELD_AT(member, subnet_id),
     .facet = FACET_CREATION, .tag = 5, .flags = FIELD_CREATE_ONLY | FIELD_NULLABLE,
     .help = "subnet of the server; kept for OpenStack clients"},
    {.name = "weight", .type = FIELD_INTEGER, FIELD_AT(member, weight),
     .facet = 10, .tag = 1, .maximum = 256, .default_text = "1",
     .help = "share of new requests; 0 drains the member"},
    {.name = "backup", .type = FIELD_BOOL, FIELD_AT(member, backup),
     .facet = 11, .tag = 1, .default_text = "false",
     .help = "used only when all members that are not backups are down"},
    {.name = "connection_limit", .type = FIELD_INTEGER, FIELD_AT(member, connection_limit),
     .facet = 11, .tag = 2, .minimum = -1, .maximum = INT32_MAX, .default_text = "-1",
     .help = "most requests (HTTP) or connections (TCP) at a time from one node; -1 is no limit"},
    {.name = "monitor_address", .type = FIELD_ADDRESS, FIELD_AT(member, monitor_address),
     .facet = 12, .tag = 1, .flags = FIELD_NULLABLE, .check = check_monitor_address,
     .help = "address that the health monitor probes; not set: the address"},
    {.name = "monitor_port", .type = FIELD_INTEGER, FIELD_AT(member, monitor_port),
     .facet = 12, .tag = 2, .flags = FIELD_NULLABLE, .minimum = 1, .maximum = PORT_MAXIMUM,
     .help = "port that the health monitor probes; not set: the port"},
};
/* clang-format on */

const struct resource_class member_class = {
    .type = RESOURCE_MEMBER,
    .noun = "member",
    .plural = "members",
    .path = "/lbaas/pools/%/members",
    .title = "Member",
    .size = sizeof(struct member),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
    .owner_type = RESOURCE_POOL,
};

#include "lbnode/model/field_rows.h"

enum {
    TIMEOUT_MAXIMUM_MS = 2073600000 /* 24 days, as in Octavia */
};

static const char *const protocols[] = {"HTTP", "TCP", NULL};

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "loadbalancer_id", .type = FIELD_ID, FIELD_AT(resource, owner),
     .facet = FACET_CREATION, .tag = 2,
     .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY | FIELD_OWNER | FIELD_POSITIONAL,
     .refers_to = RESOURCE_LOAD_BALANCER, .help = "load balancer that it belongs to"},
    {.name = "protocol", .type = FIELD_ENUM, FIELD_AT(listener, protocol),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .choices = protocols, .help = "what clients speak"},
    {.name = "protocol_port", .type = FIELD_INTEGER, FIELD_AT(listener, protocol_port),
     .facet = FACET_CREATION, .tag = 4, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .minimum = 1, .maximum = PORT_MAXIMUM, .help = "port that clients connect to"},
    {.name = "default_pool_id", .type = FIELD_ID, FIELD_AT(listener, default_pool_id),
     .facet = 10, .tag = 1, .flags = FIELD_NULLABLE, .refers_to = RESOURCE_POOL,
     .help = "pool that serves the requests; without one clients get a 503"},
    {.name = "timeout_client_data", .type = FIELD_INTEGER,
     FIELD_AT(listener, timeout_client_data), .facet = 12, .tag = 1,
     .maximum = TIMEOUT_MAXIMUM_MS, .default_text = "50000", .unit = "ms",
     .help = "longest silence of a client; 0 is the maximum"},
    {.name = "timeout_member_connect", .type = FIELD_INTEGER,
     FIELD_AT(listener, timeout_member_connect), .facet = 12, .tag = 2,
     .maximum = TIMEOUT_MAXIMUM_MS, .default_text = "5000", .unit = "ms",
     .help = "longest wait for a connection to a member; 0 is the maximum"},
    {.name = "timeout_member_data", .type = FIELD_INTEGER,
     FIELD_AT(listener, timeout_member_data), .facet = 12, .tag = 3,
     .maximum = TIMEOUT_MAXIMUM_MS, .default_text = "50000", .unit = "ms",
     .help = "longest silence of a member; 0 is the maximum"},
    {.name = "timeout_tcp_inspect", .type = FIELD_INTEGER,
     FIELD_AT(listener, timeout_tcp_inspect), .facet = 12, .tag = 4,
     .maximum = TIMEOUT_MAXIMUM_MS, .default_text = "0", .unit = "ms",
     .help = "extra wait for packets to inspect; kept for OpenStack clients"},
    {.name = "insert_headers", .type = FIELD_TEXT_MAP, FIELD_AT(listener, insert_headers),
     .facet = 13, .tag = 1, .maximum = TEXT_ITEM_MAXIMUM, .check = check_insert_header,
     .help = "header fields to add to requests: X-Forwarded-For, -Port, -Proto = true"},
    {.name = "allowed_cidrs", .type = FIELD_TEXT_LIST, FIELD_AT(listener, allowed_cidrs),
     .facet = 14, .tag = 1, .flags = FIELD_NULLABLE, .maximum = IP_ADDRESS_TEXT_SIZE + 4,
     .item = ITEM_PREFIX, .help = "prefixes of clients that may connect; not set: everybody"},
    {.name = "connection_limit", .type = FIELD_INTEGER, FIELD_AT(listener, connection_limit),
     .facet = 15, .tag = 1, .minimum = -1, .maximum = INT32_MAX, .default_text = "-1",
     .help = "most client connections at a time on one node; -1 is no limit"},
    {.name = "source_connection_limit", .type = FIELD_INTEGER,
     FIELD_AT(listener, source_connection_limit), .facet = 15, .tag = 2, .minimum = -1,
     .maximum = 1000000, .default_text = "-1",
     .help = "most connections at a time from one client address (IPv6: /64); -1 is no limit"},
};
/* clang-format on */

const struct resource_class listener_class = {
    .type = RESOURCE_LISTENER,
    .noun = "listener",
    .plural = "listeners",
    .path = "/lbaas/listeners",
    .title = "Listener",
    .size = sizeof(struct listener),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
    .owner_type = RESOURCE_LOAD_BALANCER,
};

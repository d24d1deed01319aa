#include "lbnode/model/field_rows.h"

/* In the order of enum node_status. */
static const char *const statuses[] = {"ACTIVE", "REMOVED", "REVOKED", NULL};

/* Keys, status and cut-offs come from the membership commands, the protocol from the node:
 * never from an attribute. */
/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(FIELD_INTERNAL),
    {.name = "sign_key", .type = FIELD_TEXT, FIELD_AT(node, sign_key),
     .facet = 10, .tag = 1, .flags = FIELD_INTERNAL, .maximum = 64, .default_text = "",
     .help = "public key that verifies what the node signed"},
    {.name = "key_id", .type = FIELD_TEXT, FIELD_AT(node, key_id),
     .facet = 10, .tag = 2, .flags = FIELD_INTERNAL, .maximum = 64, .default_text = "",
     .help = "short name of the key"},
    {.name = "addresses", .type = FIELD_TEXT_LIST, FIELD_AT(node, addresses),
     .facet = 11, .tag = 1, .maximum = IP_ENDPOINT_TEXT_SIZE, .item = ITEM_ENDPOINT,
     .help = "where the other nodes reach it, ADDRESS:PORT; the first is the main one"},
    {.name = "vrrp_address", .type = FIELD_ADDRESS, FIELD_AT(node, vrrp_address),
     .facet = 11, .tag = 2, .flags = FIELD_NULLABLE,
     .help = "source of its adverts; not set: the first of its addresses"},
    {.name = "roles", .type = FIELD_TEXT_LIST, FIELD_AT(node, roles),
     .facet = 12, .tag = 1, .maximum = TEXT_ITEM_MAXIMUM, .help = "what the node does"},
    {.name = "drain", .type = FIELD_BOOL, FIELD_AT(node, drain),
     .facet = 13, .tag = 1, .default_text = "false",
     .help = "true: gives its addresses to another node, serves only while no other can"},
    {.name = "leaving", .type = FIELD_BOOL, FIELD_AT(node, leaving),
     .facet = 13, .tag = 2, .flags = FIELD_INTERNAL, .default_text = "false",
     .help = "true: it is being removed, and takes no changes and no addresses any more"},
    {.name = "status", .type = FIELD_ENUM, FIELD_AT(node, status),
     .facet = 14, .tag = 1, .flags = FIELD_INTERNAL, .default_text = "ACTIVE",
     .choices = statuses, .help = "membership"},
    {.name = "cutoff", .type = FIELD_TEXT_MAP, FIELD_AT(node, cutoff),
     .facet = 14, .tag = 2, .flags = FIELD_INTERNAL, .maximum = TEXT_ITEM_MAXIMUM,
     .help = "last valid number of each stream of a removed node"},
    {.name = "protocol", .type = FIELD_INTEGER, FIELD_AT(node, protocol),
     .facet = 15, .tag = 1, .flags = FIELD_INTERNAL, .minimum = 1, .maximum = 65535,
     .default_text = "1", .help = "how it speaks to other nodes; it says so itself"},
    {.name = "version", .type = FIELD_TEXT, FIELD_AT(node, version),
     .facet = 15, .tag = 2, .flags = FIELD_INTERNAL, .maximum = 64,
     .help = "of its program; it says so itself"},
};
/* clang-format on */

const struct resource_class node_class = {
    .type = RESOURCE_NODE,
    .noun = "node",
    .plural = "nodes",
    .path = "/nodes",
    .title = "Node",
    .size = sizeof(struct node),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
};

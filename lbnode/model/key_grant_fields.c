#include "lbnode/model/field_rows.h"

/* In the order of enum key_grant_purpose. */
static const char *const purposes[] = {"CLUSTER_SECRET", "DATA_KEY", NULL};

enum {
    SEALED_HEX_SIZE = 2 * (32 + 48),
    RECEIVER_HEX_SIZE = 2 * 8
};

/* One secret key of the cluster, sealed to one node, which owns the object. Written and read by
 * replication alone; no person sees or changes it. The common attributes are left out: nobody
 * would read them. */
/* clang-format off */
static const struct field fields[] = {
    {.name = "key_id", .type = FIELD_ID, FIELD_AT(key_grant, key_id),
     .facet = 10, .tag = 1, .flags = FIELD_INTERNAL | FIELD_REQUIRED,
     .help = "hash of the key: its name"},
    {.name = "purpose", .type = FIELD_ENUM, FIELD_AT(key_grant, purpose),
     .facet = 10, .tag = 2, .flags = FIELD_INTERNAL | FIELD_REQUIRED, .choices = purposes,
     .help = "what the key is for"},
    {.name = "sealed", .type = FIELD_TEXT, FIELD_AT(key_grant, sealed),
     .facet = 10, .tag = 3, .flags = FIELD_INTERNAL | FIELD_REQUIRED,
     .minimum = SEALED_HEX_SIZE, .maximum = SEALED_HEX_SIZE,
     .help = "the key, in a box that the node alone opens"},
    {.name = "created_ms", .type = FIELD_INTEGER, FIELD_AT(key_grant, created_ms),
     .facet = 10, .tag = 4, .flags = FIELD_INTERNAL | FIELD_REQUIRED, .maximum = (1ll << 48) - 1,
     .unit = "ms", .help = "when the key was made"},
    {.name = "receiver", .type = FIELD_TEXT, FIELD_AT(key_grant, receiver),
     .facet = 10, .tag = 5, .flags = FIELD_INTERNAL | FIELD_REQUIRED,
     .minimum = RECEIVER_HEX_SIZE, .maximum = RECEIVER_HEX_SIZE,
     .help = "short name of the node's key that opens the box"},
};
/* clang-format on */

const struct resource_class key_grant_class = {
    .type = RESOURCE_KEY_GRANT,
    .noun = "key_grant",
    .plural = "key_grants",
    .path = "",
    .title = "Key Grant",
    .size = sizeof(struct key_grant),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
    .owner_type = RESOURCE_NODE,
    .is_internal = true,
};

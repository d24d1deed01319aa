#include "lbnode/model/field_rows.h"

static const char *const protocols[] = {"HTTP", "TCP", NULL};
/* In the order of enum lb_algorithm; only what the proxy can do. */
static const char *const algorithms[] = {"ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP",
                                         "SOURCE_IP_PORT", NULL};

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "loadbalancer_id", .type = FIELD_ID, FIELD_AT(resource, owner),
     .facet = FACET_CREATION, .tag = 2,
     .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY | FIELD_OWNER,
     .refers_to = RESOURCE_LOAD_BALANCER, .help = "load balancer that it belongs to"},
    {.name = "protocol", .type = FIELD_ENUM, FIELD_AT(pool, protocol),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .choices = protocols, .help = "what its members speak"},
    {.name = "lb_algorithm", .type = FIELD_ENUM, FIELD_AT(pool, lb_algorithm),
     .facet = 10, .tag = 1, .flags = FIELD_REQUIRED, .choices = algorithms,
     .help = "how a member is chosen"},
};
/* clang-format on */

const struct resource_class pool_class = {
    .type = RESOURCE_POOL,
    .noun = "pool",
    .plural = "pools",
    .path = "/lbaas/pools",
    .title = "Pool",
    .size = sizeof(struct pool),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
    .owner_type = RESOURCE_LOAD_BALANCER,
};

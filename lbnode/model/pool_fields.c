#include "lbnode/model/field_rows.h"

static const char *const protocols[] = {"HTTP", "TCP", "UDP", NULL};
/* In the order of enum lb_algorithm; only what the proxy can do. */
static const char *const algorithms[] = {"ROUND_ROBIN", "LEAST_CONNECTIONS", "SOURCE_IP",
                                         "SOURCE_IP_PORT", NULL};

/* In the order of enum connection_reuse. */
static const char *const reuses[] = {"NEVER", "SAFE", "SAFE_PLUS", "ALWAYS", NULL};

/* In the order of enum initial_state. */
static const char *const initial_states[] = {"OFFLINE", "ONLINE", NULL};
/* In the order of enum passive_check. */
static const char *const passive_checks[] = {"OFF", "FAILURES", "FAILURES_AND_5XX", NULL};

/* In the order of enum on_down. */
static const char *const on_downs[] = {"KEEP", "DRAIN", "RESET", NULL};

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "loadbalancer_id", .type = FIELD_ID, FIELD_AT(resource, owner),
     .facet = FACET_CREATION, .tag = 2,
     .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY | FIELD_OWNER,
     .refers_to = RESOURCE_LOAD_BALANCER, .help = "load balancer that it belongs to"},
    {.name = "protocol", .type = FIELD_ENUM, FIELD_AT(pool, protocol),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .choices = protocols,
     .help = "what its members speak; a pool of UDP is monitored, but no listener takes one yet"},
    {.name = "lb_algorithm", .type = FIELD_ENUM, FIELD_AT(pool, lb_algorithm),
     .facet = 10, .tag = 1, .flags = FIELD_REQUIRED, .choices = algorithms,
     .help = "how a member is chosen"},
    {.name = "slow_start", .type = FIELD_INTEGER, FIELD_AT(pool, slow_start),
     .facet = 13, .tag = 1, .maximum = 3600, .default_text = "0", .unit = "s",
     .help = "how long a member that came back from ERROR takes to get its whole share; 0 is at once"},
    {.name = "queue_limit", .type = FIELD_INTEGER, FIELD_AT(pool, queue_limit),
     .facet = 14, .tag = 1, .maximum = 10000, .default_text = "10000",
     .help = "most requests that wait on one node while all members are at their connection_limit"},
    {.name = "queue_timeout", .type = FIELD_INTEGER, FIELD_AT(pool, queue_timeout),
     .facet = 14, .tag = 2, .minimum = 1, .maximum = 3600000, .default_text = "5000", .unit = "ms",
     .help = "how long they wait before they are refused with a 503"},
    {.name = "connection_reuse", .type = FIELD_ENUM, FIELD_AT(pool, connection_reuse),
     .facet = 15, .tag = 1, .choices = reuses, .default_text = "SAFE_PLUS",
     .help = "which HTTP requests may go over a kept connection: a client's first one too (ALWAYS), "
             "if it can be repeated (SAFE_PLUS), or not (SAFE)"},
    {.name = "initial_state", .type = FIELD_ENUM, FIELD_AT(pool, initial_state),
     .facet = 16, .tag = 1, .choices = initial_states, .default_text = "OFFLINE",
     .help = "whether a member gets traffic (ONLINE) or none (OFFLINE) before its monitor's first verdict"},
    {.name = "on_down", .type = FIELD_ENUM, FIELD_AT(pool, on_down),
     .facet = 17, .tag = 1, .choices = on_downs, .default_text = "KEEP",
     .help = "what becomes of the connections of a member that its monitor finds in ERROR: they go on, "
             "end when they pause (DRAIN), or at once"},
    {.name = "fail_open_percent", .type = FIELD_INTEGER, FIELD_AT(pool, fail_open_percent),
     .facet = 18, .tag = 1, .maximum = 100, .default_text = "0", .unit = "%",
     .help = "when fewer of its members than these percent are usable, all get traffic, as the monitor is "
             "more likely wrong; 0 is never"},
    {.name = "passive_check", .type = FIELD_ENUM, FIELD_AT(pool, passive_check),
     .facet = 19, .tag = 1, .choices = passive_checks, .default_text = "FAILURES",
     .help = "what of the traffic makes the monitor probe a member at once: connections and requests "
             "that fail, answers with a status of 500 or more too, or nothing"},
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

#include "lbnode/model/field_rows.h"

enum {
    SECONDS_MAXIMUM = 86400
};

/* In the order of enum monitor_type. */
static const char *const types[] = {"HTTP",  "TCP",       "PING", "UDP-CONNECT",
                                    "HTTPS", "TLS-HELLO", NULL};

/* clang-format off */
static const struct field fields[] = {
    COMMON_ROWS(0),
    {.name = "pool_id", .type = FIELD_ID, FIELD_AT(resource, owner),
     .facet = FACET_CREATION, .tag = 2,
     .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY | FIELD_OWNER | FIELD_POSITIONAL,
     .refers_to = RESOURCE_POOL, .help = "pool whose members it probes"},
    {.name = "type", .type = FIELD_ENUM, FIELD_AT(health_monitor, type),
     .facet = FACET_CREATION, .tag = 3, .flags = FIELD_REQUIRED | FIELD_CREATE_ONLY,
     .choices = types, .help = "kind of probe"},
    {.name = "delay", .type = FIELD_INTEGER, FIELD_AT(health_monitor, delay),
     .facet = 11, .tag = 1, .flags = FIELD_REQUIRED, .minimum = 1,
     .maximum = SECONDS_MAXIMUM, .unit = "s", .help = "time from probe to probe"},
    {.name = "timeout", .type = FIELD_INTEGER, FIELD_AT(health_monitor, timeout),
     .facet = 11, .tag = 2, .flags = FIELD_REQUIRED, .minimum = 1,
     .maximum = SECONDS_MAXIMUM, .unit = "s",
     .help = "longest wait for the answer of a probe; not above the delay"},
    {.name = "max_retries", .type = FIELD_INTEGER, FIELD_AT(health_monitor, max_retries),
     .facet = 11, .tag = 3, .flags = FIELD_REQUIRED, .minimum = 1, .maximum = 10,
     .help = "successes in a row that make a member ONLINE"},
    {.name = "max_retries_down", .type = FIELD_INTEGER,
     FIELD_AT(health_monitor, max_retries_down), .facet = 11, .tag = 4, .minimum = 1,
     .maximum = 10, .default_text = "3",
     .help = "failures in a row that make a member ERROR"},
    {.name = "http_method", .type = FIELD_TEXT, FIELD_AT(health_monitor, http_method),
     .facet = 10, .tag = 1, .flags = FIELD_HTTP_ONLY, .minimum = 1, .maximum = 16,
     .default_text = "GET", .check = check_http_method, .help = "method of the request"},
    {.name = "url_path", .type = FIELD_TEXT, FIELD_AT(health_monitor, url_path),
     .facet = 10, .tag = 2, .flags = FIELD_HTTP_ONLY, .minimum = 1, .maximum = TEXT_ITEM_MAXIMUM,
     .default_text = "/", .check = check_url_path, .help = "path of the request"},
    {.name = "expected_codes", .type = FIELD_TEXT, FIELD_AT(health_monitor, expected_codes),
     .facet = 10, .tag = 3, .flags = FIELD_HTTP_ONLY, .minimum = 1, .maximum = 64,
     .default_text = "200", .check = check_expected_codes,
     .help = "statuses of success: 200, 200,202 or 200-204"},
    {.name = "http_version", .type = FIELD_TEXT, FIELD_AT(health_monitor, http_version),
     .facet = 10, .tag = 4, .flags = FIELD_HTTP_ONLY | FIELD_NULLABLE, .minimum = 1,
     .maximum = 3, .item = ITEM_DECIMAL, .check = check_http_version,
     .help = "1.0 or 1.1; not set: 1.0"},
    {.name = "domain_name", .type = FIELD_TEXT, FIELD_AT(health_monitor, domain_name),
     .facet = 10, .tag = 5, .flags = FIELD_HTTP_ONLY | FIELD_NULLABLE, .minimum = 1,
     .maximum = TEXT_ITEM_MAXIMUM, .check = check_domain_name,
     .help = "Host field of the request, and name in the TLS handshake; needs http_version 1.1"},
    {.name = "transition_delay_ms", .type = FIELD_INTEGER,
     FIELD_AT(health_monitor, transition_delay_ms), .facet = 12, .tag = 1,
     .flags = FIELD_NULLABLE, .minimum = 100, .maximum = SECONDS_MAXIMUM * 1000, .unit = "ms",
     .help = "time from probe to probe while results in a row count towards a change, if shorter "
             "than the delay; not set: the delay"},
};
/* clang-format on */

const struct resource_class health_monitor_class = {
    .type = RESOURCE_HEALTH_MONITOR,
    .noun = "healthmonitor",
    .short_noun = "hm",
    .plural = "healthmonitors",
    .path = "/lbaas/healthmonitors",
    .title = "HealthMonitor",
    .size = sizeof(struct health_monitor),
    .fields = fields,
    .field_count = ARRAY_LENGTH(fields),
    .owner_type = RESOURCE_POOL,
};

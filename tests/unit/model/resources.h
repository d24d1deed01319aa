/* Resources of every class for the tests of the model, with every attribute set. */
#ifndef TESTS_UNIT_MODEL_RESOURCES_H
#define TESTS_UNIT_MODEL_RESOURCES_H

#include "lbnode/model/field_table.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

struct example {
    enum resource_type type;
    const char *json;
};

#define EXAMPLE_ID "2fbd1b4c-8ba1-4f3e-9d44-7b1c6a1e0f01"
#define EXAMPLE_COMMON                                                                         \
    "\"name\": \"n\", \"description\": \"caf\xc3\xa9\", \"tags\": [\"a\", \"b\"], "            \
    "\"admin_state_up\": false"

static const struct example examples[] = {
    {RESOURCE_VRRP_GROUP,
     "{" EXAMPLE_COMMON ", \"vrid\": 51, \"interface\": \"eth0\", \"preference\": {\"lb1\": "
     "\"200\", \"lb2\": \"100\"}, \"advert_interval_ms\": 250, "
     "\"preempt\": true, \"preempt_delay_s\": 5, \"policy\": \"COMPAT\", \"mode\": "
     "\"MULTICAST\", \"checksum\": \"PSEUDO\", \"gateway\": \"10.77.0.1\", \"unicast_peers\": "
     "[\"10.77.0.9\", "
     "\"fe80::9\"]}"},
    {RESOURCE_LOAD_BALANCER,
     "{" EXAMPLE_COMMON ", \"project_id\": \"p1\", \"vip_address\": \"10.77.0.100\", "
     "\"additional_vips\": [{\"subnet_id\": null, \"ip_address\": \"fd77::100\", \"port_id\": "
     "null}], \"vip_subnet_id\": \"" EXAMPLE_ID "\", \"vip_network_id\": \"" EXAMPLE_ID
     "\", \"vip_port_id\": \"" EXAMPLE_ID "\", \"provider\": \"octavia\", "
     "\"vrrp_group_id\": \"" EXAMPLE_ID "\"}"},
    {RESOURCE_LISTENER,
     "{" EXAMPLE_COMMON ", \"project_id\": \"p1\", \"protocol\": \"HTTP\", \"protocol_port\": "
     "80, \"default_pool_id\": \"" EXAMPLE_ID "\", \"timeout_client_data\": 1, "
     "\"timeout_member_connect\": 2, \"timeout_member_data\": 3, \"timeout_tcp_inspect\": 4, "
     "\"insert_headers\": {\"X-Forwarded-For\": \"true\"}, \"allowed_cidrs\": "
     "[\"10.0.0.0/8\", \"fd00::/8\"], \"connection_limit\": 100, \"source_connection_limit\": "
     "7}"},
    {RESOURCE_POOL, "{" EXAMPLE_COMMON ", \"project_id\": \"p1\", \"protocol\": \"TCP\", "
                    "\"lb_algorithm\": \"SOURCE_IP\", \"slow_start\": 30, \"queue_limit\": 5, "
                    "\"queue_timeout\": 900, \"connection_reuse\": \"NEVER\", \"on_down\": "
                    "\"RESET\", \"passive_check\": \"OFF\", \"fail_open_percent\": 40, "
                    "\"initial_state\": \"ONLINE\"}"},
    {RESOURCE_MEMBER, "{" EXAMPLE_COMMON ", \"project_id\": \"p1\", \"address\": \"fd77::21\", "
                      "\"protocol_port\": 8080, \"subnet_id\": \"" EXAMPLE_ID
                      "\", \"weight\": 0, \"connection_limit\": 50, \"backup\": "
                      "true, \"monitor_address\": \"10.0.0.1\", \"monitor_port\": 8081}"},
    {RESOURCE_HEALTH_MONITOR,
     "{" EXAMPLE_COMMON ", \"project_id\": \"p1\", \"type\": \"HTTP\", \"delay\": 5, "
     "\"timeout\": 3, \"max_retries\": 2, \"max_retries_down\": 4, \"http_method\": \"HEAD\", "
     "\"url_path\": \"/health?a=b\", \"expected_codes\": \"200-204\", \"http_version\": 1.1, "
     "\"domain_name\": \"a.example\", \"transition_delay_ms\": 500}"},
    {RESOURCE_NODE, "{" EXAMPLE_COMMON ", \"addresses\": [\"10.77.0.11:7850\", "
                    "\"[fd77::11]:7850\"], \"vrrp_address\": \"10.77.0.11\", \"roles\": "
                    "[\"proxy\"], \"drain\": true}"},
};

static inline struct json_value *parse(const char *text)
{
    struct error error = {0};
    struct json_value *value = json_value_parse(text, strlen(text), &error);
    if (!value)
        fail_msg("%s: %s", error.text, text);
    return value;
}

/* A resource of TYPE from JSON text; its owner is set when the class has one. */
static inline struct resource *
resource_of(enum resource_type type, const char *text, struct error *error)
{
    const struct resource_class *class = resource_class_of(type);
    struct json_value *object = parse(text);
    struct resource *resource = resource_from_json(class, object, error);
    if (resource && class->owner_type != RESOURCE_NONE)
        resource->owner = (struct uuid){{7}};
    json_value_free(object);
    return resource;
}

static inline struct resource *good_resource(enum resource_type type, const char *text)
{
    struct error error = {0};
    struct resource *resource = resource_of(type, text, &error);
    if (!resource)
        fail_msg("%s: %s", error.text, text);
    return resource;
}

static inline void assert_same_resource(const struct resource *a, const struct resource *b)
{
    struct json_value *left = resource_to_json(a), *right = resource_to_json(b);
    char *left_text = json_value_print(left, 0), *right_text = json_value_print(right, 0);
    assert_string_equal(left_text, right_text);
    free(left_text);
    free(right_text);
    json_value_free(left);
    json_value_free(right);
}

#endif

#include "tests/unit/model/resources.h"

#include <stdio.h>

static void assert_refused(enum resource_type type, const char *json, const char *sentence)
{
    struct error error = {0};
    struct resource *resource = resource_of(type, json, &error);
    assert_null(resource);
    assert_string_equal(error.text, sentence);
    assert_int_equal(error.kind, ERROR_INVALID);
}

#define LISTENER(rest) "{\"protocol\": \"HTTP\", \"protocol_port\": 80" rest "}"
#define MONITOR(rest)  "{\"delay\": 5, \"timeout\": 3, \"max_retries\": 3, \"type\": " rest "}"
#define INVALID(field, value, reason)                                                          \
    "Invalid input for field/attribute " field ". Value: '" value "'. " reason

static void json_survives_a_resource(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(examples); i++) {
        struct resource *resource = good_resource(examples[i].type, examples[i].json);
        struct json_value *printed = resource_to_json(resource);
        struct json_value *given = parse(examples[i].json);
        for (void *at = json_value_first(given); at; at = json_value_next(given, at)) {
            struct json_value *value = json_value_get(printed, json_value_key(at));
            char *a = json_value_print(json_value_of(at), 0), *b = json_value_print(value, 0);
            assert_string_equal(a, b);
            free(a);
            free(b);
        }
        json_value_free(printed);
        json_value_free(given);
        resource_free(resource);
    }
}

static void absent_attributes_have_octavias_defaults(void **state)
{
    struct resource *resource = good_resource(RESOURCE_LISTENER, LISTENER(""));
    const struct listener *listener = (const struct listener *)resource;
    struct json_value *json = resource_to_json(resource);
    assert_int_equal(listener->timeout_client_data, 50000);
    assert_int_equal(listener->timeout_member_connect, 5000);
    assert_int_equal(listener->connection_limit, -1);
    assert_true(resource->admin_state_up);
    assert_false(uuid_is_zero(&resource->id));
    assert_string_equal(json_value_get_text(json, "name"), "");
    assert_true(json_value_is_null(json_value_get(json, "default_pool_id")));
    assert_true(json_value_is_null(json_value_get(json, "allowed_cidrs")));
    assert_int_equal(json_value_count(json_value_get(json, "tags")), 0);
    json_value_free(json);
    resource_free(resource);
}

static void text_stands_for_numbers_and_booleans(void **state)
{
    struct resource *resource = good_resource(
        RESOURCE_LISTENER, "{\"protocol\": \"TCP\", \"protocol_port\": \"83\", "
                           "\"connection_limit\": \"100\", \"admin_state_up\": \"no\"}");
    assert_int_equal(((struct listener *)resource)->protocol_port, 83);
    assert_int_equal(((struct listener *)resource)->connection_limit, 100);
    assert_false(resource->admin_state_up);
    resource_free(resource);
}

static void refusals_read_as_octavias(void **state)
{
    assert_refused(
        RESOURCE_LISTENER, "{\"protocol\": \"HTTP\", \"protocol_port\": 70000}",
        INVALID("protocol_port", "70000", "Value should be lower or equal to 65535"));
    assert_refused(RESOURCE_LISTENER, "{\"protocol\": \"HTTP\", \"protocol_port\": 0}",
                   INVALID("protocol_port", "0", "Value should be greater or equal to 1"));
    assert_refused(RESOURCE_LISTENER, "{\"protocol\": \"HTTP\", \"protocol_port\": \"80x\"}",
                   INVALID("protocol_port", "80x", "Value should be an integer"));
    assert_refused(RESOURCE_LISTENER, "{\"protocol\": \"UDP\", \"protocol_port\": 80}",
                   INVALID("protocol", "UDP", "Value should be one of: HTTP, TCP"));
    assert_refused(RESOURCE_LISTENER, "{\"protocol_port\": 80}",
                   INVALID("protocol", "None", "Mandatory field missing."));
    assert_refused(RESOURCE_LISTENER, LISTENER(", \"default_pool_id\": \"web\""),
                   INVALID("default_pool_id", "web", "Value should be UUID format"));
    assert_refused(
        RESOURCE_LISTENER, LISTENER(", \"allowed_cidrs\": [\"10.0.0.0/33\"]"),
        INVALID("allowed_cidrs", "10.0.0.0/33", "Value should be IPv4 or IPv6 CIDR format"));
    assert_refused(
        RESOURCE_VRRP_GROUP, "{\"vrid\": 1, \"unicast_peers\": [\"ff02::12\"]}",
        INVALID("unicast_peers", "ff02::12", "Value should be the address of a VRRP router"));
    assert_refused(
        RESOURCE_VRRP_GROUP,
        "{\"vrid\": 1, \"unicast_peers\": [\"::1\", \"::2\", \"::3\", \"::4\", \"::5\", "
        "\"::6\", \"::7\", \"::8\", \"::9\"]}",
        "Invalid input for field/attribute unicast_peers. It has 9 items; there "
        "should be 8 at most");
    assert_refused(RESOURCE_MEMBER, "{\"address\": \"10.0.0\", \"protocol_port\": 80}",
                   INVALID("address", "10.0.0", "Value should be IPv4 or IPv6 format"));
    assert_refused(RESOURCE_LISTENER, LISTENER(", \"name\": {\"a\": 1}"),
                   INVALID("name", "{\"a\": 1}", "Value should be a string"));
    assert_refused(RESOURCE_LOAD_BALANCER,
                   "{\"vip_address\": \"10.0.0.1\", \"provider\": \"f5\"}",
                   "Provider 'f5' is not enabled.");
}

static void long_or_dirty_text_is_refused(void **state)
{
    char json[600], name[257];
    struct error error = {0};
    memset(name, 'x', 256);
    name[256] = '\0';
    snprintf(json, sizeof(json), "{\"vip_address\": \"10.0.0.1\", \"name\": \"%s\"}", name);
    assert_null(resource_of(RESOURCE_LOAD_BALANCER, json, &error));
    assert_non_null(
        strstr(error.text, "Value should have a maximum character requirement of 255"));
    assert_null(resource_of(RESOURCE_LOAD_BALANCER,
                            "{\"vip_address\": \"10.0.0.1\", \"name\": \"a\\nb\"}", &error));
    assert_non_null(strstr(error.text, "control characters"));
}

static void an_unknown_attribute_is_named_with_the_nearest(void **state)
{
    assert_refused(RESOURCE_LISTENER, LISTENER(", \"conection_limit\": 1"),
                   "Unknown attribute for argument listener.listener: conection_limit (did you "
                   "mean connection_limit?)");
    assert_refused(RESOURCE_LISTENER, LISTENER(", \"colour\": \"red\""),
                   "Unknown attribute for argument listener.listener: colour");
    assert_refused(RESOURCE_NODE, "{\"sign_key\": \"00\"}",
                   "Unknown attribute for argument node.node: sign_key");
}

static void an_update_refuses_what_is_set_at_creation(void **state)
{
    struct error error = {0};
    struct resource *listener = good_resource(RESOURCE_LISTENER, LISTENER(""));
    struct json_value *change = parse("{\"name\": \"new\", \"protocol_port\": 81}");
    assert_false(resource_update_from_json(listener, change, &error));
    assert_string_equal(error.text,
                        "Unknown attribute for argument listener.listener: "
                        "protocol_port (it is set at creation and cannot be changed)");
    assert_string_equal(listener->name, ""); /* nothing of it was applied */
    json_value_free(change);
    resource_free(listener);
}

static void null_resets_to_the_default(void **state)
{
    struct error error = {0};
    struct resource *resource = good_resource(RESOURCE_MEMBER, examples[4].json);
    struct json_value *change = parse("{\"weight\": null, \"monitor_port\": null, "
                                      "\"monitor_address\": null, \"name\": null}");
    assert_true(resource_update_from_json(resource, change, &error));
    const struct member *member = (const struct member *)resource;
    assert_int_equal(member->weight, 1);
    assert_int_equal(member->monitor_port, 0);
    assert_int_equal(member->monitor_address.family, 0);
    assert_string_equal(resource->name, "");
    json_value_free(change);
    resource_free(resource);
}

static void null_is_no_value_for_a_mandatory_attribute(void **state)
{
    struct error error = {0};
    struct resource *pool = good_resource(RESOURCE_POOL, examples[3].json);
    struct json_value *change = parse("{\"lb_algorithm\": null}");
    assert_false(resource_update_from_json(pool, change, &error));
    assert_string_equal(error.text,
                        INVALID("lb_algorithm", "None", "Mandatory field missing."));
    json_value_free(change);
    resource_free(pool);
}

static void a_probe_must_end_before_the_next(void **state)
{
    assert_refused(RESOURCE_HEALTH_MONITOR,
                   "{\"type\": \"TCP\", \"delay\": 5, \"timeout\": 10, \"max_retries\": 3}",
                   "Validation failure: timeout (10 s) must not be greater than delay (5 s)");
}

static void a_probe_of_udp_takes_its_time(void **state)
{
    static const char *const quick = "{\"type\": \"UDP-CONNECT\", \"delay\": 2, "
                                     "\"timeout\": 1, \"max_retries\": 3}";
    assert_refused(RESOURCE_HEALTH_MONITOR, quick,
                   "Validation failure: The request delay value 2 should be larger than 2 for "
                   "UDP-CONNECT health monitor type.");
}

static void http_attributes_belong_to_http_monitors(void **state)
{
    assert_refused(RESOURCE_HEALTH_MONITOR, MONITOR("\"TCP\", \"url_path\": \"/x\""),
                   "url_path is not a valid option for health monitors of type TCP");
    struct resource *monitor = good_resource(RESOURCE_HEALTH_MONITOR, MONITOR("\"TCP\""));
    struct json_value *json = resource_to_json(monitor);
    assert_true(json_value_is_null(json_value_get(json, "url_path")));
    assert_true(json_value_is_null(json_value_get(json, "expected_codes")));
    json_value_free(json);
    resource_free(monitor);
    assert_refused(RESOURCE_HEALTH_MONITOR, MONITOR("\"TLS-HELLO\", \"http_method\": \"HEAD\""),
                   "http_method is not a valid option for health monitors of type TLS-HELLO");
    monitor =
        good_resource(RESOURCE_HEALTH_MONITOR, MONITOR("\"HTTPS\", \"url_path\": \"/x\""));
    json = resource_to_json(monitor);
    assert_string_equal(json_value_text(json_value_get(json, "url_path")), "/x");
    assert_string_equal(json_value_text(json_value_get(json, "expected_codes")), "200");
    json_value_free(json);
    resource_free(monitor);
}

static void expected_codes_are_a_list_or_one_range(void **state)
{
    const char *const good[] = {"200", "200,202", "200, 202", "200-204"};
    const char *const bad[] = {"",        "20",          "2000",        "200-", "200,",
                               "204-200", "200-204,301", "200,201-204", "600",  "200 "};
    char json[200];
    struct error error;
    for (size_t i = 0; i < ARRAY_LENGTH(good) + ARRAY_LENGTH(bad); i++) {
        bool fine = i < ARRAY_LENGTH(good);
        snprintf(json, sizeof(json), MONITOR("\"HTTP\", \"expected_codes\": \"%s\""),
                 fine ? good[i] : bad[i - ARRAY_LENGTH(good)]);
        struct resource *monitor = resource_of(RESOURCE_HEALTH_MONITOR, json, &error);
        if ((monitor != NULL) != fine)
            fail_msg("%s", json);
        resource_free(monitor);
    }
}

static void prefixes_lose_their_host_bits(void **state)
{
    struct resource *resource =
        good_resource(RESOURCE_LISTENER, LISTENER(", \"allowed_cidrs\": [\"10.1.2.3/8\"]"));
    const struct listener *listener = (const struct listener *)resource;
    assert_string_equal(listener->allowed_cidrs.items[0], "10.0.0.0/8");
    resource_free(resource);
}

static void additional_vips_may_be_plain_addresses(void **state)
{
    struct resource *resource =
        good_resource(RESOURCE_LOAD_BALANCER, "{\"vip_address\": \"10.0.0.1\", "
                                              "\"additional_vips\": [\"FD77:0::1\"]}");
    assert_string_equal(((struct load_balancer *)resource)->additional_vips.items[0],
                        "fd77::1");
    resource_free(resource);
    assert_refused(RESOURCE_LOAD_BALANCER,
                   "{\"vip_address\": \"10.0.0.1\", \"additional_vips\": [\"10.0.0.1\"]}",
                   INVALID("additional_vips", "10.0.0.1", "The address stands twice"));
}

static void what_cannot_be_served_is_no_address(void **state)
{
    const char *const bad[] = {"224.0.0.18", "255.255.255.255", "ff02::1",
                               "fe80::1",    "::ffff:10.0.0.1", "0.0.0.0",
                               "::",         "169.254.169.254"};
    char json[120];
    struct error error;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        snprintf(json, sizeof(json), "{\"address\": \"%s\", \"protocol_port\": 80}", bad[i]);
        assert_null(resource_of(RESOURCE_MEMBER, json, &error));
        assert_non_null(strstr(error.text, bad[i]));
    }
    assert_refused(RESOURCE_LOAD_BALANCER, "{\"vip_address\": \"0.0.0.0\"}",
                   INVALID("vip_address", "0.0.0.0",
                           "Value should be the address that clients connect to"));
    assert_refused(RESOURCE_LOAD_BALANCER, "{\"vip_address\": \"::ffff:10.0.0.1\"}",
                   INVALID("vip_address", "::ffff:10.0.0.1",
                           "Value should be written as an IPv4 address"));
}

static void only_known_headers_are_inserted(void **state)
{
    assert_refused(RESOURCE_LISTENER, LISTENER(", \"insert_headers\": {\"X-Foo\": \"true\"}"),
                   "X-Foo is not a valid option for insert_headers; valid are X-Forwarded-For, "
                   "X-Forwarded-Port and X-Forwarded-Proto");
    assert_refused(RESOURCE_LISTENER,
                   "{\"protocol\": \"TCP\", \"protocol_port\": 1, \"insert_headers\": "
                   "{\"X-Forwarded-For\": true}}",
                   "insert_headers is not a valid option for listeners of protocol TCP");
}

static void an_owner_is_asked_for_where_one_is_needed(void **state)
{
    struct error error = {0};
    struct resource *listener = good_resource(RESOURCE_LISTENER, LISTENER(""));
    assert_true(resource_check_owner(listener, &error));
    listener->owner = (struct uuid){{0}};
    assert_false(resource_check_owner(listener, &error));
    assert_string_equal(error.text,
                        INVALID("loadbalancer_id", "None", "Mandatory field missing."));
    resource_free(listener);
}

static void tenant_id_stands_for_project_id(void **state)
{
    struct resource *resource =
        good_resource(RESOURCE_LISTENER, LISTENER(", \"tenant_id\": \"p7\""));
    assert_string_equal(resource->project_id, "p7");
    resource_free(resource);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_survives_a_resource),
        cmocka_unit_test(absent_attributes_have_octavias_defaults),
        cmocka_unit_test(text_stands_for_numbers_and_booleans),
        cmocka_unit_test(refusals_read_as_octavias),
        cmocka_unit_test(long_or_dirty_text_is_refused),
        cmocka_unit_test(an_unknown_attribute_is_named_with_the_nearest),
        cmocka_unit_test(an_update_refuses_what_is_set_at_creation),
        cmocka_unit_test(null_resets_to_the_default),
        cmocka_unit_test(null_is_no_value_for_a_mandatory_attribute),
        cmocka_unit_test(a_probe_must_end_before_the_next),
        cmocka_unit_test(a_probe_of_udp_takes_its_time),
        cmocka_unit_test(http_attributes_belong_to_http_monitors),
        cmocka_unit_test(expected_codes_are_a_list_or_one_range),
        cmocka_unit_test(prefixes_lose_their_host_bits),
        cmocka_unit_test(additional_vips_may_be_plain_addresses),
        cmocka_unit_test(what_cannot_be_served_is_no_address),
        cmocka_unit_test(only_known_headers_are_inserted),
        cmocka_unit_test(an_owner_is_asked_for_where_one_is_needed),
        cmocka_unit_test(tenant_id_stands_for_project_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

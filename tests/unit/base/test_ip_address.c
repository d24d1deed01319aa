#include "lbnode/base/bytes.h"
#include "lbnode/base/ip_address.h"
#include "tests/support/test.h"

#include <netinet/in.h>
#include <string.h>

static void addresses_have_one_text(void **state)
{
    static const char *const pairs[][2] = {
        {"10.0.0.1", "10.0.0.1"},
        {"FD77:0:0::0001", "fd77::1"},
        {"::", "::"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        struct ip_address address;
        char text[IP_ADDRESS_TEXT_SIZE];
        assert_true(ip_address_parse(pairs[i][0], &address));
        ip_address_format(&address, text);
        assert_string_equal(text, pairs[i][1]);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {"",          "10.0.0",       "10.0.0.256", "010.0.0.1",
                                      "10.0.0.1 ", "fe80::1%eth0", "[::1]",      "1::2::3"};
    struct ip_address address = {.family = 9};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(ip_address_parse(bad[i], &address));
    assert_int_equal(address.family, 9); /* untouched */
}

static void ipv4_sorts_before_ipv6(void **state)
{
    struct ip_address v4, v6;
    assert_true(ip_address_parse("255.0.0.1", &v4));
    assert_true(ip_address_parse("::1", &v6));
    assert_true(ip_address_compare(&v4, &v6) < 0);
    assert_false(ip_address_equal(&v4, &v6));
}

static void endpoints_bracket_ipv6(void **state)
{
    struct ip_endpoint endpoint;
    char text[IP_ENDPOINT_TEXT_SIZE];
    assert_true(ip_endpoint_parse("[fd77::1]:80", 0, &endpoint));
    assert_int_equal(endpoint.port, 80);
    ip_endpoint_format(&endpoint, text);
    assert_string_equal(text, "[fd77::1]:80");
    assert_true(ip_endpoint_parse("10.0.0.1", 7850, &endpoint));
    assert_int_equal(endpoint.port, 7850);
    assert_true(ip_endpoint_parse("fd77::1", 7850, &endpoint));
    assert_int_equal(endpoint.address.family, 6);
}

static void malformed_endpoints_are_refused(void **state)
{
    static const char *const bad[] = {
        "10.0.0.1",    "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "[10.0.0.1]:80",
        "[fd77::1]80", "[fd77::1",  "fd77::1",    "10.0.0.1:80:81", ":80"};
    struct ip_endpoint endpoint;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (ip_endpoint_parse(bad[i], 0, &endpoint))
            fail_msg("%s", bad[i]);
    }
}

static void endpoints_survive_a_socket_address(void **state)
{
    static const char *const texts[] = {"10.0.0.1:80", "[fd77::1]:65535"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct ip_endpoint before, after;
        struct sockaddr_storage address;
        assert_true(ip_endpoint_parse(texts[i], 0, &before));
        assert_true(ip_endpoint_to_sockaddr(&before, &address) > 0);
        assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&address, &after));
        assert_true(ip_address_equal(&before.address, &after.address));
        assert_int_equal(before.port, after.port);
    }
}

static void a_mapped_address_is_ipv4(void **state)
{
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    struct ip_endpoint endpoint;
    char text[IP_ENDPOINT_TEXT_SIZE];
    memcpy(mapped.sin6_addr.s6_addr + 10, "\xff\xff\x0a\x00\x00\x01", 6);
    assert_true(ip_endpoint_from_sockaddr((struct sockaddr *)&mapped, &endpoint));
    ip_endpoint_format(&endpoint, text);
    assert_string_equal(text, "10.0.0.1:80");
}

static void prefixes_clear_host_bits_and_contain(void **state)
{
    struct ip_prefix prefix;
    struct ip_address inside, outside, other_family;
    assert_true(ip_prefix_parse("10.77.129.3/17", &prefix));
    assert_int_equal(prefix.address.bytes[2], 128);
    assert_true(ip_address_parse("10.77.255.255", &inside));
    assert_true(ip_address_parse("10.77.127.255", &outside));
    assert_true(ip_address_parse("::a4d:8003", &other_family));
    assert_true(ip_prefix_contains(&prefix, &inside));
    assert_false(ip_prefix_contains(&prefix, &outside));
    assert_false(ip_prefix_contains(&prefix, &other_family));
    assert_true(ip_prefix_parse("0.0.0.0/0", &prefix));
    assert_true(ip_prefix_contains(&prefix, &outside));
    assert_false(ip_prefix_parse("10.0.0.0/33", &prefix));
    assert_false(ip_prefix_parse("10.0.0.0/", &prefix));
    assert_false(ip_prefix_parse("/8", &prefix));
}

static void scopes_are_recognised(void **state)
{
    struct ip_address address;
    assert_true(ip_address_parse("127.8.8.8", &address) && ip_address_is_loopback(&address));
    assert_true(ip_address_parse("::1", &address) && ip_address_is_loopback(&address));
    assert_true(ip_address_parse("febf::1", &address) && ip_address_is_link_local(&address));
    assert_true(ip_address_parse("fec0::1", &address) && !ip_address_is_link_local(&address));
    assert_true(ip_address_parse("169.254.0.1", &address) &&
                ip_address_is_link_local(&address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_one_text),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(ipv4_sorts_before_ipv6),
        cmocka_unit_test(endpoints_bracket_ipv6),
        cmocka_unit_test(malformed_endpoints_are_refused),
        cmocka_unit_test(endpoints_survive_a_socket_address),
        cmocka_unit_test(a_mapped_address_is_ipv4),
        cmocka_unit_test(prefixes_clear_host_bits_and_contain),
        cmocka_unit_test(scopes_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

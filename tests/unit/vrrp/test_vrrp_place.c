#include "tests/unit/vrrp/table.h"
#include "vrrp/vrrp_place.h"

#include <stdio.h>
#include <string.h>

static void add_peer(struct vrrp_config *config, const char *text)
{
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    peer.address = address_of(text);
    vrrp_config_add(config, &peer.header);
}

static struct vrrp_place place(const struct vrrp_config *config,
                               const char *interface,
                               const struct interface_table *table,
                               const char *vip)
{
    struct message_vrrp_group group = {.vrid = 51};
    struct ip_address address = address_of(vip);
    snprintf(group.interface, sizeof(group.interface), "%s", interface);
    return vrrp_place_router(config, &group, table, &address);
}

static void a_router_lives_where_the_subnet_of_its_address_is(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    struct vrrp_place found = place(&config, "", &table, "198.51.100.100");
    struct ip_address own = address_of("198.51.100.5");
    assert_string_equal(found.interface->name, "eth1");
    assert_true(ip_address_equal(&found.own_address, &own));
    assert_string_equal(found.reason, "");
    interface_table_free(&table);
}

static void the_interface_of_the_group_comes_first(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    assert_string_equal(place(&config, "eth0", &table, "198.51.100.100").interface->name,
                        "eth0");
    interface_table_free(&table);
}

static void an_address_of_no_subnet_goes_towards_the_peers(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    add_peer(&config, "198.51.100.6");
    assert_string_equal(place(&config, "", &table, "203.0.113.1").interface->name, "eth1");
    vrrp_config_free(&config);
    interface_table_free(&table);
}

static void adverts_go_where_the_peers_are(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    struct message_vrrp_group group = {.vrid = 51};
    struct ip_address vip = address_of("192.0.2.100"), own = address_of("198.51.100.5");
    add_peer(&config, "198.51.100.6");
    struct vrrp_place found = place(&config, "", &table, "192.0.2.100");
    assert_string_equal(found.interface->name, "eth1");
    assert_true(ip_address_equal(&found.own_address, &own));
    assert_string_equal(vrrp_place_address(&config, &group, &table, &vip)->name, "eth0");
    vrrp_config_free(&config);
    interface_table_free(&table);
}

static void adverts_come_from_the_address_that_the_roster_knows(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    struct ip_address second = address_of("192.0.2.77");
    add_own(&table, ETH0, "192.0.2.77", 24);
    add_peer(&config, "192.0.2.6");
    config.own_address = second;
    struct vrrp_place found = place(&config, "", &table, "192.0.2.100");
    assert_true(ip_address_equal(&found.own_address, &second));
    config.own_address = address_of("203.0.113.5"); /* not on this host: behind a NAT */
    found = place(&config, "", &table, "192.0.2.100");
    struct ip_address first = address_of("192.0.2.5");
    assert_true(ip_address_equal(&found.own_address, &first));
    vrrp_config_free(&config);
    interface_table_free(&table);
}

static void what_is_missing_is_told(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    struct vrrp_place found = place(&config, "", &table, "203.0.113.1");
    assert_string_equal(found.reason,
                        "no interface has a subnet with 203.0.113.1 or with a peer");
    assert_int_equal(found.fault, EVENT_VIP_NO_INTERFACE);
    found = place(&config, "eth9", &table, "192.0.2.100");
    assert_string_equal(found.reason, "there is no interface eth9");
    assert_int_equal(found.fault, EVENT_VIP_NO_INTERFACE);
    found = place(&config, "eth1", &table, "2001:db8:1::100");
    assert_string_equal(found.reason, "interface eth1 has no link-local IPv6 address");
    table.interfaces[1].up = false;
    found = place(&config, "", &table, "192.0.2.100");
    assert_string_equal(found.reason, "interface eth0 is down");
    assert_int_equal(found.fault, EVENT_VRRP_FAULT);
    interface_table_free(&table);
}

static void a_loopback_subnet_is_no_home_for_a_router(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    assert_null(place(&config, "", &table, "127.0.0.9").interface);
    add_peer(&config, "127.0.0.2"); /* several nodes on one host */
    assert_string_equal(place(&config, "", &table, "192.0.2.100").interface->name, "eth0");
    vrrp_config_free(&config);
    interface_table_free(&table);
}

static void the_link_local_address_comes_from_the_virtual_router_mac(void **state)
{
    struct ip_address link_local = vrrp_link_local(0x33);
    struct ip_address expected = address_of("fe80::200:5eff:fe00:233");
    assert_true(ip_address_equal(&link_local, &expected));
}

static void the_node_that_loses_a_tie_waits_longer(void **state)
{
    struct interface_table table = host_table();
    struct vrrp_config config = {0};
    assert_int_equal(vrrp_place_tie_delay_us(&config, &table, 100000), 0);
    add_peer(&config, "192.0.2.4");
    assert_int_equal(vrrp_place_tie_delay_us(&config, &table, 100000), 0);
    add_peer(&config, "192.0.2.6");
    assert_int_equal(vrrp_place_tie_delay_us(&config, &table, 100000), 12500);
    for (int i = 0; i < 20; i++)
        add_peer(&config, "192.0.2.7");
    assert_int_equal(vrrp_place_tie_delay_us(&config, &table, 100000), 100000);
    vrrp_config_free(&config);
    interface_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_router_lives_where_the_subnet_of_its_address_is),
        cmocka_unit_test(the_interface_of_the_group_comes_first),
        cmocka_unit_test(an_address_of_no_subnet_goes_towards_the_peers),
        cmocka_unit_test(adverts_go_where_the_peers_are),
        cmocka_unit_test(adverts_come_from_the_address_that_the_roster_knows),
        cmocka_unit_test(what_is_missing_is_told),
        cmocka_unit_test(a_loopback_subnet_is_no_home_for_a_router),
        cmocka_unit_test(the_link_local_address_comes_from_the_virtual_router_mac),
        cmocka_unit_test(the_node_that_loses_a_tie_waits_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/vrrp/table.h"

static unsigned index_toward(const struct interface_table *table, const char *text)
{
    struct ip_address address = address_of(text);
    const struct interface *found = interface_table_toward(table, &address);
    return found ? found->index : 0;
}

static void an_address_belongs_to_the_interface_whose_subnet_contains_it(void **state)
{
    struct interface_table table = host_table();
    assert_int_equal(index_toward(&table, "192.0.2.100"), ETH0);
    assert_int_equal(index_toward(&table, "198.51.100.1"), ETH1);
    assert_int_equal(index_toward(&table, "2001:db8::100"), ETH0);
    assert_int_equal(index_toward(&table, "127.0.0.9"), LOOPBACK);
    assert_int_equal(index_toward(&table, "203.0.113.1"), 0);
    interface_table_free(&table);
}

static void the_longest_prefix_wins(void **state)
{
    struct interface_table table = host_table();
    add_own(&table, ETH1, "192.0.2.129", 25);
    assert_int_equal(index_toward(&table, "192.0.2.100"), ETH0);
    assert_int_equal(index_toward(&table, "192.0.2.200"), ETH1);
    interface_table_free(&table);
}

static void every_interface_has_the_link_local_subnet_so_none_is_chosen_by_it(void **state)
{
    struct interface_table table = host_table();
    assert_int_equal(index_toward(&table, "fe80::100"), 0);
    interface_table_free(&table);
}

static void a_virtual_address_proves_no_subnet_and_is_no_source(void **state)
{
    struct interface_table table = host_table();
    struct ip_address own = address_of("198.51.100.5");
    interface_table_mark_virtual(&table, &own);
    assert_int_equal(index_toward(&table, "198.51.100.1"), 0);
    assert_int_equal(interface_table_source(&table, ETH1, 4, NULL).family, 0);
    interface_table_free(&table);
}

static void the_source_is_in_the_subnet_of_the_peers_if_there_is_one(void **state)
{
    struct interface_table table = host_table();
    struct ip_address peer = address_of("203.0.113.9");
    add_own(&table, ETH0, "203.0.113.5", 24);
    struct ip_address near = interface_table_source(&table, ETH0, 4, &peer);
    struct ip_address first = interface_table_source(&table, ETH0, 4, NULL);
    struct ip_address expected_near = address_of("203.0.113.5");
    struct ip_address expected_first = address_of("192.0.2.5");
    assert_true(ip_address_equal(&near, &expected_near));
    assert_true(ip_address_equal(&first, &expected_first));
    interface_table_free(&table);
}

static void the_ipv6_source_is_the_link_local_address(void **state)
{
    struct interface_table table = host_table();
    struct ip_address source = interface_table_source(&table, ETH0, 6, NULL);
    struct ip_address expected = address_of("fe80::5");
    assert_true(ip_address_equal(&source, &expected));
    assert_int_equal(interface_table_source(&table, ETH1, 6, NULL).family, 0);
    interface_table_free(&table);
}

static void a_tentative_address_is_no_source(void **state)
{
    struct interface_table table = host_table();
    struct interface_address tentative = {
        .index = ETH1, .address = address_of("fe80::6"), .prefix_length = 64};
    assert_true(interface_table_add_address(&table, &tentative));
    assert_int_equal(interface_table_source(&table, ETH1, 6, NULL).family, 0);
    interface_table_free(&table);
}

static void only_addresses_without_lifetime_are_permanent(void **state)
{
    struct interface_table table = host_table();
    struct ip_address own = address_of("192.0.2.5"), vip = address_of("192.0.2.100");
    struct interface_address leased = {
        .index = ETH0, .address = vip, .prefix_length = 32, .usable = true};
    assert_true(interface_table_add_address(&table, &leased));
    assert_true(interface_table_has_permanent(&table, &own));
    assert_false(interface_table_has_permanent(&table, &vip));
    interface_table_free(&table);
}

static void the_table_is_bounded(void **state)
{
    struct interface_table table = {0};
    struct interface interface = {.index = 1, .name = "x"};
    for (int i = 0; i < INTERFACE_TABLE_MAXIMUM_INTERFACES; i++)
        assert_true(interface_table_add_interface(&table, &interface));
    assert_false(interface_table_add_interface(&table, &interface));
    interface_table_free(&table);
}

/* The kernel of the machine that runs the tests has at least a loopback interface. */
static void the_kernel_table_can_be_read(void **state)
{
    struct interface_table table = {0};
    assert_int_equal(interface_table_load(&table), 0);
    const struct interface *loopback = interface_table_by_name(&table, "lo");
    assert_non_null(loopback);
    assert_true(loopback->loopback && !loopback->has_mac);
    assert_ptr_equal(interface_table_by_index(&table, loopback->index), loopback);
    interface_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_belongs_to_the_interface_whose_subnet_contains_it),
        cmocka_unit_test(the_longest_prefix_wins),
        cmocka_unit_test(every_interface_has_the_link_local_subnet_so_none_is_chosen_by_it),
        cmocka_unit_test(a_virtual_address_proves_no_subnet_and_is_no_source),
        cmocka_unit_test(the_source_is_in_the_subnet_of_the_peers_if_there_is_one),
        cmocka_unit_test(the_ipv6_source_is_the_link_local_address),
        cmocka_unit_test(a_tentative_address_is_no_source),
        cmocka_unit_test(only_addresses_without_lifetime_are_permanent),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(the_kernel_table_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

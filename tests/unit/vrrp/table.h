/* A host for tests: eth0 192.0.2.5/24 and fe80::5, eth1 198.51.100.5/24, lo. */
#ifndef TESTS_UNIT_VRRP_TABLE_H
#define TESTS_UNIT_VRRP_TABLE_H

#include "tests/support/test.h"
#include "vrrp/interface_table.h"

enum {
    LOOPBACK = 1,
    ETH0 = 2,
    ETH1 = 3
};

static inline struct ip_address address_of(const char *text)
{
    struct ip_address address;
    assert_true(ip_address_parse(text, &address));
    return address;
}

static inline void
add_own(struct interface_table *table, unsigned index, const char *text, uint8_t length)
{
    struct interface_address own = {.index = index,
                                    .address = address_of(text),
                                    .prefix_length = length,
                                    .permanent = true,
                                    .usable = true};
    assert_true(interface_table_add_address(table, &own));
}

static inline struct interface_table host_table(void)
{
    struct interface_table table = {0};
    static const struct interface interfaces[] = {
        {.index = LOOPBACK, .name = "lo", .up = true, .loopback = true},
        {.index = ETH0, .name = "eth0", .up = true, .has_mac = true, .mac = {2, 0, 0, 0, 0, 5}},
        {.index = ETH1, .name = "eth1", .up = true, .has_mac = true, .mac = {2, 0, 0, 0, 1, 5}},
    };
    for (size_t i = 0; i < 3; i++)
        assert_true(interface_table_add_interface(&table, &interfaces[i]));
    add_own(&table, LOOPBACK, "127.0.0.1", 8);
    add_own(&table, ETH0, "192.0.2.5", 24);
    add_own(&table, ETH0, "fe80::5", 64);
    add_own(&table, ETH0, "2001:db8::5", 64);
    add_own(&table, ETH1, "198.51.100.5", 24);
    return table;
}

#endif

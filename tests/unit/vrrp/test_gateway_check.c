/* On which link a group's gateway is asked. */
#include "tests/unit/vrrp/table.h"
#include "vrrp/gateway_check.h"
#include "vrrp/vrrp_router.h"

#include <string.h>

/* A group with an address on eth1, and its GATEWAY. */
static unsigned asked_on(const char *gateway, const char *interface)
{
    static struct vrrp_host host;
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    struct message_vrrp_address vip = MESSAGE_OF(VRRP_ADDRESS, struct message_vrrp_address);
    struct gateway checked = {.group_id = {{9}}, .address = address_of(gateway)};
    group.group_id = vip.group_id = checked.group_id;
    vip.address = address_of("198.51.100.100");
    memcpy(group.interface, interface, strlen(interface));
    host = (struct vrrp_host){.table = host_table()};
    host.config.groups = &group;
    host.config.addresses = &vip;
    host.config.group_count = host.config.address_count = 1;
    const struct interface *link = gateway_check_link(&host, &checked);
    unsigned index = link ? link->index : 0;
    interface_table_free(&host.table);
    return index;
}

static void a_gateway_is_asked_on_the_link_of_its_subnet(void **state)
{
    assert_int_equal(asked_on("192.0.2.1", ""), ETH0);
    assert_int_equal(asked_on("2001:db8::1", ""), ETH0);
    assert_int_equal(asked_on("203.0.113.1", ""), 0);
}

static void a_link_local_gateway_is_asked_where_the_group_is(void **state)
{
    assert_int_equal(asked_on("fe80::1", ""), ETH1);
    assert_int_equal(asked_on("fe80::1", "eth0"), ETH0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_is_asked_on_the_link_of_its_subnet),
        cmocka_unit_test(a_link_local_gateway_is_asked_where_the_group_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

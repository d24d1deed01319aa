/* Which packets are told as use of a virtual router id, and where is listened. */
#include "tests/support/test.h"
#include "vrrp/vrid_watch.h"

static const struct ip_address one = {4, {10, 0, 0, 1}}, two = {4, {10, 0, 0, 2}};

static void the_first_packet_is_told_and_then_one_each_five_seconds(void **state)
{
    struct vrid_watch watch = {0};
    unsigned told = 0;
    for (uint64_t now_us = 0; now_us < 11000000; now_us += 20000)
        told += vrid_watch_note(&watch, 7, &one, now_us);
    assert_int_equal(told, 3);
    assert_true(vrid_watch_note(&watch, 8, &one, 11000000));
}

static void two_senders_of_one_id_are_told_once_a_second_at_most(void **state)
{
    struct vrid_watch watch = {0};
    unsigned told = 0;
    for (uint64_t now_us = 0; now_us < 4000000; now_us += 10000)
        told += vrid_watch_note(&watch, 7, now_us / 10000 % 2 ? &one : &two, now_us);
    assert_in_range(told, 4, 5);
}

static void the_first_few_ethernet_links_with_an_address_are_listened_to(void **state)
{
    struct interface_table table = {0};
    for (unsigned index = 1; index <= VRID_WATCH_INTERFACES + 3; index++) {
        struct interface interface = {
            .index = index, .up = index != 2, .loopback = index == 1, .has_mac = true};
        struct interface_address address = {.index = index, .address = one};
        assert_true(interface_table_add_interface(&table, &interface));
        assert_true(interface_table_add_address(&table, &address));
    }
    const struct interface *chosen[VRID_WATCH_INTERFACES];
    assert_int_equal(vrid_watch_choose(&table, chosen), VRID_WATCH_INTERFACES);
    for (size_t i = 0; i < VRID_WATCH_INTERFACES;
         i++) /* not the loopback, and not who is down */
        assert_ptr_equal(chosen[i], &table.interfaces[i + 2]);
    table.addresses[2].is_virtual = true;
    assert_int_equal(vrid_watch_choose(&table, chosen), VRID_WATCH_INTERFACES);
    assert_ptr_equal(chosen[0], &table.interfaces[3]);
    interface_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_packet_is_told_and_then_one_each_five_seconds),
        cmocka_unit_test(two_senders_of_one_id_are_told_once_a_second_at_most),
        cmocka_unit_test(the_first_few_ethernet_links_with_an_address_are_listened_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/support/test.h"
#include "vrrp/vouch_table.h"

static const struct ip_address roster_address = {4, {192, 0, 2, 6}};
static const struct ip_address link_local = {6, {0xfe, 0x80, [15] = 6}};
static const struct ip_address forged = {6, {0xfe, 0x80, [15] = 66}};

static void add_peer(struct vrrp_config *config, uint8_t node, const struct ip_address *address)
{
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    peer.node_id.bytes[0] = node;
    peer.address = *address;
    vrrp_config_add(config, &peer.header);
    assert_false(config->overflowed);
}

static struct message_vrrp_vouched vouched(uint8_t node, const struct ip_address *source)
{
    struct message_vrrp_vouched message = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    message.node_id.bytes[0] = node;
    if (source)
        message.addresses[message.count++] = *source;
    return message;
}

static void take(struct vouch_table *table,
                 const struct vrrp_config *config,
                 uint8_t node,
                 const struct ip_address *source)
{
    struct message_vrrp_vouched message = vouched(node, source);
    assert_true(vouch_table_take(table, config, &message));
}

static void a_session_vouches_for_what_it_said_and_for_the_roster(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    struct uuid node;
    add_peer(&config, 6, &roster_address);
    take(&table, &config, 6, &link_local);
    assert_int_equal(vouch_table_judge(&table, &config, &link_local, &node), VOUCH_GOOD);
    assert_int_equal(node.bytes[0], 6);
    assert_int_equal(vouch_table_judge(&table, &config, &roster_address, NULL), VOUCH_GOOD);
    struct ip_address found = vouch_table_link_local(&table, &node);
    assert_true(ip_address_equal(&found, &link_local));
    vrrp_config_free(&config);
}

static void a_link_local_address_alone_proves_nothing(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    add_peer(&config, 6, &roster_address);
    take(&table, &config, 6, &link_local);
    assert_int_equal(vouch_table_judge(&table, &config, &forged, NULL), VOUCH_STRANGER);
    vrrp_config_free(&config);
}

static void without_a_session_the_roster_proves_nothing(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    add_peer(&config, 6, &roster_address);
    assert_int_equal(vouch_table_judge(&table, &config, &roster_address, NULL), VOUCH_UNPROVEN);
    vrrp_config_free(&config);
}

static void who_leaves_the_roster_is_no_longer_vouched_for(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    take(&table, &config, 6, &link_local);
    assert_int_equal(vouch_table_judge(&table, &config, &link_local, NULL), VOUCH_STRANGER);
}

static void new_sources_replace_the_old_ones(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    add_peer(&config, 6, &roster_address);
    take(&table, &config, 6, &forged);
    take(&table, &config, 6, &link_local);
    assert_int_equal(vouch_table_judge(&table, &config, &forged, NULL), VOUCH_STRANGER);
    assert_int_equal(table.count, 1);
    vrrp_config_free(&config);
}

static void removed_nodes_make_room_and_others_do_not(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    struct message_vrrp_vouched one_more = vouched(100, NULL);
    for (uint8_t node = 1; node <= VRRP_CONFIG_MAXIMUM_NODES; node++) {
        struct ip_address address = {4, {192, 0, 2, node}};
        add_peer(&config, node, &address);
        take(&table, &config, node, NULL);
    }
    assert_false(vouch_table_take(&table, &config, &one_more));
    config.peer_count--;
    assert_true(vouch_table_take(&table, &config, &one_more));
    assert_int_equal(table.count, VRRP_CONFIG_MAXIMUM_NODES);
    vrrp_config_free(&config);
}

static void a_message_out_of_range_changes_nothing(void **state)
{
    struct vouch_table table = {0};
    struct vrrp_config config = {0};
    struct message_vrrp_vouched many = vouched(6, &link_local), odd = vouched(6, &link_local);
    struct message_vrrp_vouched nobody = vouched(0, &link_local);
    many.count = VRRP_SOURCES_MAXIMUM + 1;
    odd.addresses[0].family = 5;
    assert_false(vouch_table_take(&table, &config, &many));
    assert_false(vouch_table_take(&table, &config, &odd));
    assert_false(vouch_table_take(&table, &config, &nobody));
    assert_int_equal(table.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_vouches_for_what_it_said_and_for_the_roster),
        cmocka_unit_test(a_link_local_address_alone_proves_nothing),
        cmocka_unit_test(without_a_session_the_roster_proves_nothing),
        cmocka_unit_test(who_leaves_the_roster_is_no_longer_vouched_for),
        cmocka_unit_test(new_sources_replace_the_old_ones),
        cmocka_unit_test(removed_nodes_make_room_and_others_do_not),
        cmocka_unit_test(a_message_out_of_range_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

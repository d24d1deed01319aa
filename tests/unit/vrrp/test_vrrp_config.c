#include "tests/support/test.h"
#include "vrrp/vrrp_config.h"

static const struct message_vrrp_begin begin = {
    .header = {MESSAGE_VRRP_BEGIN, sizeof(begin), 0}, .generation = 7};
static const struct message_vrrp_commit commit = {
    .header = {MESSAGE_VRRP_COMMIT, sizeof(commit), 0}, .generation = 7};

static struct message_vrrp_group sound_group(uint8_t number)
{
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    group.group_id.bytes[0] = number;
    group.vrid = number;
    group.priority = 100;
    group.advert_interval_ms = 100;
    return group;
}

static void a_whole_set_is_found_again(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_group group = sound_group(9);
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    struct message_vrrp_address address = MESSAGE_OF(VRRP_ADDRESS, struct message_vrrp_address);
    peer.address = (struct ip_address){4, {192, 0, 2, 6}};
    address.address = (struct ip_address){4, {192, 0, 2, 100}};
    vrrp_config_begin(&config, &begin);
    vrrp_config_add(&config, &group.header);
    vrrp_config_add(&config, &peer.header);
    vrrp_config_add(&config, &address.header);
    assert_true(vrrp_config_is_whole(&config, &commit));
    assert_int_equal(vrrp_config_group(&config, &group.group_id)->vrid, 9);
    assert_true(vrrp_config_has_peer(&config, &peer.address));
    assert_false(vrrp_config_has_peer(&config, &address.address));
    assert_true(ip_address_equal(vrrp_config_first_peer(&config, 4), &peer.address));
    assert_null(vrrp_config_first_peer(&config, 6));
    assert_int_equal(config.address_count, 1);
    vrrp_config_free(&config);
}

static void beginning_forgets_the_set_before(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_group group = sound_group(9);
    vrrp_config_add(&config, &group.header);
    vrrp_config_begin(&config, &begin);
    assert_null(vrrp_config_group(&config, &group.group_id));
    vrrp_config_free(&config);
}

static void a_commit_of_another_generation_is_refused(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_commit other = commit;
    other.generation = 8;
    vrrp_config_begin(&config, &begin);
    assert_false(vrrp_config_is_whole(&config, &other));
    vrrp_config_free(&config);
}

static void assert_refused(const struct message_vrrp_group *group)
{
    struct vrrp_config config = {0};
    vrrp_config_begin(&config, &begin);
    vrrp_config_add(&config, &group->header);
    assert_false(vrrp_config_is_whole(&config, &commit));
    vrrp_config_free(&config);
}

static void values_out_of_range_refuse_the_set(void **state)
{
    struct message_vrrp_group group = sound_group(9);
    group.vrid = 0;
    assert_refused(&group);
    group = sound_group(9);
    group.priority = 0;
    assert_refused(&group);
    group.priority = 255;
    assert_refused(&group);
    group = sound_group(9);
    group.advert_interval_ms = 9;
    assert_refused(&group);
    group.advert_interval_ms = 40951;
    assert_refused(&group);
    group = sound_group(9);
    group.router_count = VRRP_GROUP_ROUTERS_MAXIMUM + 1;
    assert_refused(&group);
}

static void a_router_that_is_no_node_counts_with_compat_only(void **state)
{
    struct message_vrrp_group group = sound_group(9);
    struct ip_address router = {4, {192, 0, 2, 7}}, other = {4, {192, 0, 2, 8}};
    group.routers[group.router_count++] = router;
    assert_false(vrrp_group_has_router(&group, &router));
    group.compat = true;
    assert_true(vrrp_group_has_router(&group, &router));
    assert_false(vrrp_group_has_router(&group, &other));
}

/* 63 others, of an IPv4 and an IPv6 address each. */
static void as_many_nodes_as_a_roster_has_fit_with_both_families(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    vrrp_config_begin(&config, &begin);
    for (int i = 0; i < 2 * 63; i++) {
        peer.address.family = i % 2 ? 6 : 4;
        vrrp_config_add(&config, &peer.header);
    }
    assert_true(vrrp_config_is_whole(&config, &commit));
    vrrp_config_free(&config);
}

static void too_many_parts_refuse_the_set(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    peer.address.family = 4;
    vrrp_config_begin(&config, &begin);
    for (int i = 0; i < VRRP_CONFIG_MAXIMUM_PEERS; i++)
        vrrp_config_add(&config, &peer.header);
    assert_true(vrrp_config_is_whole(&config, &commit));
    vrrp_config_add(&config, &peer.header);
    assert_false(vrrp_config_is_whole(&config, &commit));
    vrrp_config_free(&config);
}

static void what_a_drained_node_offers_wants_a_taker(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    struct message_vrrp_group group = sound_group(1);
    peer.address.family = 4;
    vrrp_config_begin(&config, &begin);
    assert_false(vrrp_config_has_taker(&config));
    peer.drained = 1;
    vrrp_config_add(&config, &peer.header);
    vrrp_config_add(&config, &group.header);
    assert_false(vrrp_config_has_taker(&config));
    peer.drained = 0;
    vrrp_config_add(&config, &peer.header);
    assert_true(vrrp_config_has_taker(&config));
    vrrp_config_begin(&config, &begin);
    group.compat = 1; /* a router that is no node may be about */
    vrrp_config_add(&config, &group.header);
    assert_true(vrrp_config_has_taker(&config));
    vrrp_config_free(&config);
}

static void without_peers_and_mixed_groups_a_node_is_alone(void **state)
{
    struct vrrp_config config = {0};
    struct message_vrrp_peer peer = MESSAGE_OF(VRRP_PEER, struct message_vrrp_peer);
    struct message_vrrp_group group = sound_group(1);
    peer.address.family = 4;
    peer.drained = 1; /* it serves when nobody else can */
    vrrp_config_begin(&config, &begin);
    vrrp_config_add(&config, &group.header);
    assert_true(vrrp_config_is_alone(&config));
    vrrp_config_add(&config, &peer.header);
    assert_false(vrrp_config_is_alone(&config));
    vrrp_config_begin(&config, &begin);
    group.compat = 1;
    vrrp_config_add(&config, &group.header);
    assert_false(vrrp_config_is_alone(&config));
    vrrp_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_set_is_found_again),
        cmocka_unit_test(beginning_forgets_the_set_before),
        cmocka_unit_test(a_commit_of_another_generation_is_refused),
        cmocka_unit_test(values_out_of_range_refuse_the_set),
        cmocka_unit_test(a_router_that_is_no_node_counts_with_compat_only),
        cmocka_unit_test(as_many_nodes_as_a_roster_has_fit_with_both_families),
        cmocka_unit_test(too_many_parts_refuse_the_set),
        cmocka_unit_test(what_a_drained_node_offers_wants_a_taker),
        cmocka_unit_test(without_peers_and_mixed_groups_a_node_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

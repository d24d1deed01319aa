/* Both families of a group, without sockets and addresses. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "vrrp/families.h"

static const struct ip_address owner4 = {4, {192, 0, 2, 6}};
static const struct ip_address owner6 = {6, {0xfe, 0x80, [15] = 6}};

struct node {
    struct vrrp_host host;
    struct message_vrrp_peer peer; /* the owner of IPv4 */
    struct vrrp_router *ipv4, *ipv6;
    uint64_t now_us;
};

/* Active for IPv6 alone, following PEER in IPv4, for longer than elections take to settle. */
static int set_up(void **state)
{
    static struct node node;
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    struct message_vrrp_vouched vouched = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    struct vrrp_event resume = {.kind = VRRP_EVENT_RESUME, .resume_active_address = owner4};
    node = (struct node){.peer = {.node_id = {{6}}, .address = owner4}};
    node.host.frame_fd = -1;
    node.host.config.peers = &node.peer;
    node.host.config.peer_count = 1;
    vouched.node_id = node.peer.node_id;
    vouched.count = 1;
    vouched.addresses[0] = owner4;
    assert_true(vouch_table_take(&node.host.vouched, &node.host.config, &vouched));
    group.group_id.bytes[0] = 9;
    group.priority = 100;
    group.advert_interval_ms = 20;
    node.ipv4 = vrrp_router_new(&group, 4);
    node.ipv6 = vrrp_router_new(&group, 6);
    node.ipv4->next = node.ipv6;
    families_link(node.ipv4);
    resume.resume_state = VRRP_BACKUP;
    vrrp_machine_step(&node.ipv4->machine, &resume, monotime_now_us());
    resume.resume_state = VRRP_ACTIVE;
    vrrp_machine_step(&node.ipv6->machine, &resume, monotime_now_us());
    node.now_us = node.ipv6->machine.deadline_us;
    node.ipv4->machine.since_us = node.ipv6->machine.since_us =
        node.now_us - FAMILY_BOND_SETTLE_US;
    *state = &node;
    return 0;
}

static int tear_down(void **state)
{
    struct node *node = *state;
    vrrp_router_free(node->ipv4);
    vrrp_router_free(node->ipv6);
    return 0;
}

static void the_owner_of_ipv4_is_asked_to_take_ipv6(void **state)
{
    struct node *node = *state;
    struct message_vrrp_vouched vouched = node->host.vouched.nodes[0];
    vouched.addresses[vouched.count++] = owner6;
    assert_true(vouch_table_take(&node->host.vouched, &node->host.config, &vouched));
    families_unite(node->ipv4, &node->host, node->now_us);
    assert_true(node->ipv6->machine.hand_over_until_us > node->now_us);
    assert_true(ip_address_equal(&node->ipv6->machine.hand_over_to, &owner6));
}

static void an_owner_without_ipv6_is_not_asked_and_nobody_in_its_place(void **state)
{
    struct node *node = *state;
    families_unite(node->ipv4, &node->host, node->now_us);
    assert_int_equal(node->ipv6->machine.hand_over_until_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_owner_of_ipv4_is_asked_to_take_ipv6, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            an_owner_without_ipv6_is_not_asked_and_nobody_in_its_place, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

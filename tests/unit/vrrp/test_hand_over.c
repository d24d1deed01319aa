/* Whom planned switches ask, without sockets and addresses. */
#include "lbnode/base/monotime.h"
#include "tests/support/test.h"
#include "vrrp/hand_over.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct ip_address fit4 = {4, {192, 0, 2, 6}}, other_fit4 = {4, {192, 0, 2, 7}},
                               drained4 = {4, {192, 0, 2, 8}};
static const struct ip_address fit6 = {6, {0xfe, 0x80, [15] = 6}};

/* Two nodes that are not drained, and one that is; this one is active for both families. */
struct node {
    struct vrrp_host host;
    struct message_vrrp_peer peers[3];
    struct vrrp_router *ipv4, *ipv6;
    uint64_t now_us;
    char told[240]; /* of a switch that nobody took */
};

static struct vrrp_router *active(uint8_t family)
{
    struct message_vrrp_group group = MESSAGE_OF(VRRP_GROUP, struct message_vrrp_group);
    struct vrrp_event resume = {.kind = VRRP_EVENT_RESUME, .resume_state = VRRP_ACTIVE};
    group.group_id.bytes[0] = 9;
    group.priority = 100;
    group.advert_interval_ms = 20;
    struct vrrp_router *router = vrrp_router_new(&group, family);
    assert_non_null(router);
    vrrp_machine_step(&router->machine, &resume, monotime_now_us());
    return router;
}

static int set_up(void **state)
{
    static struct node node;
    node = (struct node){.peers = {{.node_id = {{6}}, .name = "fit", .address = fit4},
                                   {.node_id = {{8}}, .address = drained4, .drained = 1},
                                   {.node_id = {{7}}, .name = "other", .address = other_fit4}}};
    node.host.frame_fd = -1;
    node.host.config.peers = node.peers;
    node.host.config.peer_count = 3;
    node.ipv4 = active(4);
    node.ipv6 = active(6);
    node.ipv4->next = node.ipv6;
    node.now_us = monotime_now_us();
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

static void vouch_for_link_local(struct node *node)
{
    struct message_vrrp_vouched vouched = MESSAGE_OF(VRRP_VOUCHED, struct message_vrrp_vouched);
    vouched.node_id = node->peers[0].node_id;
    vouched.count = 1;
    vouched.addresses[0] = fit6;
    assert_true(vouch_table_take(&node->host.vouched, &node->host.config, &vouched));
}

static bool is_asked(const struct vrrp_router *router, const struct ip_address *whom)
{
    return router->machine.hand_over_until_us &&
           ip_address_equal(&router->machine.hand_over_to, whom);
}

static void a_drained_node_asks_one_that_is_not(void **state)
{
    struct node *node = *state;
    vouch_for_link_local(node);
    hand_over_offer(node->ipv4, &node->host, 0, node->now_us);
    assert_true(is_asked(node->ipv4, &fit4));
    assert_true(is_asked(node->ipv6, &fit6));
}

static void the_next_attempt_asks_another_one(void **state)
{
    struct node *node = *state;
    hand_over_offer(node->ipv4, &node->host, 1, node->now_us);
    assert_true(is_asked(node->ipv4, &other_fit4));
}

static void the_next_one_is_asked_as_soon_as_the_last_had_time_to_answer(void **state)
{
    struct node *node = *state;
    uint64_t answer_us = VRRP_HAND_OVER_INTERVALS * 20000;
    uint64_t next_us = hand_over_pause_us(node->ipv4, &node->host, 0);
    uint64_t round_us = hand_over_pause_us(node->ipv4, &node->host, 1);
    assert_in_range(next_us, answer_us + 1, 200000);
    assert_int_equal(round_us, 5000000);
    assert_int_equal(hand_over_pause_us(node->ipv4, &node->host, 2), next_us);
    node->peers[1].drained = 0; /* all are asked at once */
    assert_int_equal(hand_over_pause_us(node->ipv4, &node->host, 0), round_us);
}

static void a_node_of_two_addresses_is_asked_once_in_a_round(void **state)
{
    struct node *node = *state;
    const struct message_vrrp_peer two[] = {{.node_id = {{6}}, .address = fit4},
                                            {.node_id = {{6}}, .address = fit6},
                                            {.node_id = {{7}}, .address = other_fit4},
                                            {.node_id = {{8}}, .drained = 1}};
    node->host.config.peers = (struct message_vrrp_peer *)two;
    node->host.config.peer_count = 4;
    hand_over_offer(node->ipv4, &node->host, 1, node->now_us);
    assert_true(is_asked(node->ipv4, &other_fit4));
}

static void a_named_node_is_asked_for_ipv6_where_its_adverts_come_from(void **state)
{
    struct node *node = *state;
    struct message_vrrp_hand_over message =
        MESSAGE_OF(VRRP_HAND_OVER, struct message_vrrp_hand_over);
    message.node_id = node->peers[0].node_id;
    vouch_for_link_local(node);
    hand_over_start(node->ipv4, &node->host, &message, node->now_us);
    assert_true(is_asked(node->ipv4, &fit4));
    assert_true(is_asked(node->ipv6, &fit6));
}

static void whoever_sends_no_ipv6_adverts_is_not_asked_for_ipv6(void **state)
{
    struct node *node = *state;
    hand_over_offer(node->ipv4, &node->host, 0, node->now_us);
    assert_int_equal(node->ipv6->machine.hand_over_until_us, 0);
}

static void where_nobody_else_is_drained_the_best_one_takes_it(void **state)
{
    struct node *node = *state;
    const struct ip_address all = {0};
    node->peers[1].drained = 0;
    hand_over_offer(node->ipv4, &node->host, 0, node->now_us);
    assert_true(is_asked(node->ipv4, &all));
    assert_true(is_asked(node->ipv6, &all));
}

/* Until the end of what is under way; how often it was told that nobody took over. */
static unsigned told_of_no_taker(struct node *node, int fd)
{
    const struct vrrp_event timer = {.kind = VRRP_EVENT_TIMER};
    union message_buffer message;
    unsigned told = 0;
    while (node->ipv4->machine.hand_over_until_us) {
        node->now_us = vrrp_machine_due_us(&node->ipv4->machine);
        vrrp_router_step(node->ipv4, &node->host, &timer, node->now_us);
    }
    while (recv(fd, &message, sizeof(message), MSG_DONTWAIT) > 0) {
        bool tells = message.header.type == MESSAGE_EVENT &&
                     message.member_EVENT.code == EVENT_VRRP_NO_TAKER;
        told += tells;
        if (tells)
            memcpy(node->told, message.member_EVENT.text, sizeof(node->told));
    }
    return told;
}

static void nobody(void *context)
{}

static void who_was_asked_and_did_not_take_it_is_told_once(void **state)
{
    struct node *node = *state;
    const struct channel_handler handler = {.on_closed = nobody};
    struct loop *loop = loop_new();
    int fds[2];
    assert_int_equal(channel_pair(fds), 0);
    node->host.report.channel = channel_new(loop, fds[0], &handler);
    assert_non_null(node->host.report.channel);
    hand_over_offer(node->ipv4, &node->host, 0, node->now_us);
    assert_int_equal(told_of_no_taker(node, fds[1]), 1);
    assert_non_null(strstr(node->told, "node fit was asked"));
    hand_over_offer(node->ipv4, &node->host, 1, node->now_us);
    assert_int_equal(told_of_no_taker(node, fds[1]), 1);
    assert_non_null(strstr(node->told, "node other was asked"));
    hand_over_offer(node->ipv4, &node->host, 2, node->now_us);
    assert_int_equal(told_of_no_taker(node, fds[1]), 0);
    hand_over_start(node->ipv4, &node->host, &(struct message_vrrp_hand_over){0}, node->now_us);
    assert_int_equal(told_of_no_taker(node, fds[1]), 1); /* somebody asked for it */
    assert_non_null(strstr(node->told, "no node took"));
    channel_free(node->host.report.channel);
    loop_free(loop);
    close(fds[1]);
}

static void among_drained_nodes_only_mixed_groups_are_offered(void **state)
{
    struct node *node = *state;
    const struct ip_address all = {0};
    for (size_t i = 0; i < 3; i++)
        node->peers[i].drained = 1;
    node->ipv6->group.compat = 1;
    hand_over_offer(node->ipv4, &node->host, 0, node->now_us);
    assert_int_equal(node->ipv4->machine.hand_over_until_us, 0);
    assert_true(is_asked(node->ipv6, &all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        RULE(a_drained_node_asks_one_that_is_not),
        RULE(the_next_attempt_asks_another_one),
        RULE(a_named_node_is_asked_for_ipv6_where_its_adverts_come_from),
        RULE(whoever_sends_no_ipv6_adverts_is_not_asked_for_ipv6),
        RULE(where_nobody_else_is_drained_the_best_one_takes_it),
        RULE(the_next_one_is_asked_as_soon_as_the_last_had_time_to_answer),
        RULE(a_node_of_two_addresses_is_asked_once_in_a_round),
        RULE(who_was_asked_and_did_not_take_it_is_told_once),
        RULE(among_drained_nodes_only_mixed_groups_are_offered),
#undef RULE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

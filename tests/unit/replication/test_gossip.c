/* What goes over UDP between whole nodes: sessions, and signed packets for older ones. */
#include "tests/unit/replication/cluster_nodes.h"

#include "lbnode/base/monotime.h"
#include "replication/transport_internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

/* ---- how they speak ---------------------------------------------------------------------- */

static void note_peer(void *context, const struct peer_view *peer)
{
    *(struct peer_view *)context = *peer;
}

static struct peer_view peer_of(int node)
{
    struct peer_view view = {0};
    if (node_at(node)->replication)
        replication_visit_peers(node_at(node)->replication, note_peer, &view);
    return view;
}

static bool speaks(int node, uint16_t protocol)
{
    const struct peer_view view = peer_of(node);
    return view.protocol == protocol && view.state == PEER_IS_ALIVE && view.in_sync &&
           (view.session_ms_ago == UINT64_MAX) == (protocol == REPLICATION_PROTOCOL_SIGNED);
}

static bool both_are_in_session(void)
{
    return speaks(0, REPLICATION_PROTOCOL_SESSIONS) && speaks(1, REPLICATION_PROTOCOL_SESSIONS);
}

static bool both_sign(void)
{
    return speaks(0, REPLICATION_PROTOCOL_SIGNED) && speaks(1, REPLICATION_PROTOCOL_SIGNED);
}

static uint64_t count_of(int node, const char *name)
{
    struct named_count wanted = {name, UINT64_MAX};
    replication_visit_datagrams(node_at(node)->replication, note_named_count, &wanted);
    return wanted.count;
}

static void nodes_that_know_sessions_send_nothing_else(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    wait_until(both_are_in_session, "a session");
    submit_value(node_at(0), &object, "sealed");
    assert_string_equal(value_on(node_at(1), &object).value, "sealed");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(count_of(i, "signed"), 0);
        assert_int_equal(count_of(i, "forged"), 0);
        assert_true(count_of(i, "opened") > 2);
        assert_int_not_equal(peer_of(i).key_version, 0);
    }
}

static void
a_node_of_the_previous_version_gets_signed_packets_until_it_is_upgraded(void **state)
{
    struct uuid object = uuid_random();
    restart_node(node_at(1), REPLICATION_PROTOCOL_SIGNED);
    form_pair();
    wait_until(both_sign, "signed packets");
    submit_value(node_at(1), &object, "signed");
    assert_string_equal(value_on(node_at(0), &object).value, "signed");
    assert_int_equal(count_of(0, "opened"), 0);

    restart_node(node_at(1), REPLICATION_PROTOCOL_SESSIONS);
    wait_until(both_are_in_session, "a session after the upgrade");
    submit_value(node_at(1), &object, "sealed");
    assert_string_equal(value_on(node_at(0), &object).value, "sealed");
    assert_int_equal(node_at(0)->events[EVENT_GOSSIP_DOWNGRADE], 0);
    assert_int_equal(node_at(1)->events[EVENT_GOSSIP_DOWNGRADE], 0);
}

/* Before anybody else is asked to: the session comes by itself. */
static void a_restarted_node_is_in_a_session_at_once(void **state)
{
    form_pair();
    wait_until(both_are_in_session, "a session");
    for (int i = 0; i < 2; i++) {
        restart_node(node_at(i), REPLICATION_PROTOCOL_SESSIONS);
        uint64_t started_us = monotime_now_us();
        wait_until(both_are_in_session, "a session after a restart");
        uint64_t took_us = monotime_now_us() - started_us;
        print_message("# in a session and in sync %.1f ms after the start\n",
                      (double)took_us / 1e3);
        assert_true(took_us < 1000000);
    }
}

/* ---- from outside ------------------------------------------------------------------------ */

static int socket_at(const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &from.sin_addr);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    return fd;
}

static void send_to_first(int fd, struct bytes datagram)
{
    struct sockaddr_storage to;
    socklen_t size = ip_endpoint_to_sockaddr(&node_at(0)->endpoint, &to);
    assert_int_equal(sendto(fd, datagram.data, datagram.size, 0, (struct sockaddr *)&to, size),
                     datagram.size);
}

static bool forgery_from_a_node_is_counted(void)
{
    return count_of(0, "foreign") == 1;
}

static void a_stranger_gets_no_answer(void **state)
{
    const uint8_t init[SESSION_INIT_SIZE] = {SESSION_INIT, SESSION_VERSION};
    const uint8_t data[SESSION_DATA_OVERHEAD] = {SESSION_DATA, SESSION_VERSION};
    uint8_t answer[64];
    form_pair();
    int stranger = socket_at("127.0.0.9"), near = socket_at("127.0.0.1");
    send_to_first(stranger, (struct bytes){init, sizeof(init)});
    send_to_first(stranger, (struct bytes){data, sizeof(data)});
    send_to_first(near, (struct bytes){init, sizeof(init)}); /* read after these */
    wait_until(forgery_from_a_node_is_counted, "a handshake without the secret");
    assert_true(recv(stranger, answer, sizeof(answer), MSG_DONTWAIT) < 0);
    assert_true(recv(near, answer, sizeof(answer), MSG_DONTWAIT) < 0);
    close(stranger);
    close(near);
}

/* Signed with the key of node 1, as a thief of it could: that node 0 was removed. */
static void send_signed_notice(int fd, uint64_t counter, bool has_echo)
{
    const struct replication *thief = node_at(1)->replication;
    const struct uuid *victim = replication_node_id(node_at(0)->replication);
    struct wire_writer frames = {0}, sealed = {0};
    struct packet packet = {.incarnation = UINT64_MAX, .counter = counter};
    uint8_t echo[16] = {0};
    frame_append(&frames, FRAME_ROSTER_NOTICE, (struct bytes){victim->bytes, 16});
    if (has_echo)
        frame_append(&frames, FRAME_NOTICE_ECHO, (struct bytes){echo, sizeof(echo)});
    packet.frames = wire_written(&frames);
    memcpy(packet.cluster, replication_cluster_id(thief)->bytes, 8);
    memcpy(packet.sender, thief->node_id.bytes, 8);
    memcpy(packet.receiver, victim->bytes, 8);
    packet_seal(&packet, thief->key, &sealed);
    send_to_first(fd, wire_written(&sealed));
    wire_writer_free(&frames);
    wire_writer_free(&sealed);
}

static bool downgrades_are_counted(void)
{
    return count_of(0, "downgrade") == 4;
}

static bool session_is_settled(void)
{
    return both_are_in_session() && peer_of(0).session_ms_ago > 1000;
}

static void a_signed_packet_of_a_node_in_sessions_is_dropped(void **state)
{
    struct uuid object = uuid_random();
    form_pair();
    wait_until(session_is_settled, "a session for a second");
    int fd = socket_at("127.0.0.1");
    for (uint64_t i = 1; i <= 4; i++)
        send_signed_notice(fd, i, i % 2);
    wait_until(downgrades_are_counted, "four dropped packets");
    assert_int_equal(node_at(0)->events[EVENT_GOSSIP_DOWNGRADE], 1); /* once a minute */
    assert_int_equal(node_at(0)->events[EVENT_NODE_REMOVED], 0);
    submit_value(node_at(0), &object, "goes on");
    assert_string_equal(value_on(node_at(1), &object).value, "goes on");
    close(fd);
}

static bool node_1_knows_of_its_removal(void)
{
    return node_at(1)->events[EVENT_NODE_REMOVED] > 0;
}

static void who_is_removed_while_it_is_there_is_told_at_once(void **state)
{
    struct submit_options options = {0};
    form_pair();
    wait_until(both_are_in_session, "a session");
    replication_remove_node(node_at(0)->replication,
                            replication_node_id(node_at(1)->replication), false, &options,
                            on_submitted, NULL);
    uint64_t started_ms = monotime_now_ms();
    wait_until(node_1_knows_of_its_removal, "the removed node knows it");
    assert_true(monotime_now_ms() - started_ms < SESSION_FAST_US / 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cluster_set_up, cluster_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nodes_that_know_sessions_send_nothing_else),
        TEST(a_node_of_the_previous_version_gets_signed_packets_until_it_is_upgraded),
        TEST(a_restarted_node_is_in_a_session_at_once),
        TEST(a_stranger_gets_no_answer),
        TEST(a_signed_packet_of_a_node_in_sessions_is_dropped),
        TEST(who_is_removed_while_it_is_there_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "session_net.h"
#include "tests/support/test.h"

#include <string.h>

enum {
    SECOND_US = 1000000
};

static void assert_hears(struct net *net, int from, int to)
{
    uint8_t sealed[NET_DATAGRAM];
    size_t size = net_seal(net, from, to, "hello", sealed);
    assert_true(size > 0);
    struct session_received received = net_hand(net, to, (struct bytes){sealed, size});
    assert_int_equal(received.verdict, SESSION_OPENED);
}

static struct net *connected(uint64_t seed)
{
    struct net *net = net_new(2, seed);
    net_run(net, SECOND_US);
    assert_true(net_agrees(net, 0, 1));
    net->recorded_count = 0;
    return net;
}

static void keys_are_replaced_in_time_and_nothing_is_lost(void **state)
{
    struct net *net = connected(1);
    struct noise_keys before = net_peer(net, 0, 1)->current.keys;
    net->nodes[0].sends = net->nodes[1].sends = true;
    uint64_t heard = net->nodes[1].heard;
    net_run(net, 118 * SECOND_US);
    assert_memory_equal(&before, &net_peer(net, 0, 1)->current.keys, sizeof(before));
    net_run(net, 2 * SECOND_US);
    assert_memory_not_equal(&before, &net_peer(net, 0, 1)->current.keys, sizeof(before));
    assert_true(net_agrees(net, 0, 1));
    assert_int_equal(net->nodes[1].heard - heard, 120 * 5);
    net_run(net, 60 * SECOND_US);
    assert_false(net_peer(net, 0, 1)->previous.is_used); /* wiped */
    assert_false(net_peer(net, 1, 0)->previous.is_used);
    net_free(net);
}

static void keys_are_replaced_after_so_many_datagrams(void **state)
{
    struct net *net = connected(1);
    struct session_keys *current = &net_peer(net, 1, 0)->current;
    assert_false(current->is_initiator); /* either side counts */
    current->sent = SESSION_REKEY_COUNT - 1;
    uint32_t before = current->local;
    net_run(net, SECOND_US);
    assert_int_equal(current->local, before);
    assert_hears(net, 1, 0);
    net_run(net, SECOND_US);
    assert_int_not_equal(current->local, before);
    assert_true(net_agrees(net, 0, 1));
    net_free(net);
}

static void no_counter_reaches_the_end(void **state)
{
    struct net *net = connected(1);
    uint8_t sealed[NET_DATAGRAM];
    struct session_keys *current = &net_peer(net, 0, 1)->current;
    current->sent = SESSION_COUNTER_END - 1;
    assert_hears(net, 0, 1);
    assert_int_equal(net_seal(net, 0, 1, "one more", sealed), 0);
    session_data_head(current->remote, SESSION_COUNTER_END, sealed);
    noise_seal(current->keys.send, SESSION_COUNTER_END,
               (struct bytes){sealed, SESSION_DATA_HEAD}, (struct bytes){0},
               sealed + SESSION_DATA_HEAD);
    struct bytes forced = {sealed, SESSION_DATA_OVERHEAD};
    assert_int_equal(net_hand(net, 1, forced).verdict, SESSION_ENDED);
    net_free(net);
}

static void keys_end_when_they_cannot_be_replaced(void **state)
{
    struct net *net = connected(1);
    uint8_t sealed[2][NET_DATAGRAM];
    size_t size = net_seal(net, 0, 1, "late", sealed[0]);
    net_seal(net, 0, 1, "too late", sealed[1]);
    net->is_cut = true;
    net_run(net, 170 * SECOND_US);
    assert_int_equal(net_hand(net, 1, (struct bytes){sealed[0], size}).verdict, SESSION_OPENED);
    assert_hears(net, 0, 1);
    net->now_us += 10 * SECOND_US; /* not even ticked in time */
    struct bytes late = {sealed[1], size + 4};
    assert_int_equal(net_hand(net, 1, late).verdict, SESSION_ENDED);
    assert_int_equal(net_seal(net, 0, 1, "late", sealed[0]), 0);
    net_run(net, SECOND_US);
    assert_int_equal(net_hand(net, 1, late).verdict, SESSION_FOREIGN);
    assert_false(net_peer(net, 1, 0)->current.is_used);
    net_free(net);
}

static void a_silent_peer_is_asked_anew_while_the_session_goes_on(void **state)
{
    struct net *net = connected(1);
    sessions_suspect(net->nodes[0].sessions, net_place(net, 0, 1));
    net->is_cut = true;
    net_run(net, SECOND_US);
    assert_int_equal(net->recorded_count, 4);
    assert_hears(net, 0, 1); /* as far as this node knows it may be one way */
    assert_hears(net, 1, 0); /* which ends the suspicion */
    net_run(net, SECOND_US);
    assert_int_equal(net->recorded_count, 4);
    net_free(net);
}

static void a_removed_peer_can_neither_speak_nor_be_spoken_to(void **state)
{
    struct net *net = connected(1);
    uint8_t sealed[NET_DATAGRAM];
    size_t size = net_seal(net, 1, 0, "still here", sealed);
    sessions_remove_peer(net->nodes[0].sessions, &net->nodes[1].id);
    assert_int_equal(net_place(net, 0, 1), -1);
    assert_int_equal(net_hand(net, 0, (struct bytes){sealed, size}).verdict, SESSION_FOREIGN);
    net_restart(net, 1);
    struct session_action action;
    assert_true(sessions_tick(net->nodes[1].sessions, net->now_us, &action));
    struct session_received received =
        net_hand(net, 0, (struct bytes){action.bytes, action.size});
    assert_int_equal(received.verdict, SESSION_FOREIGN);
    assert_int_equal(received.reply_size, 0);
    net_free(net);
}

static void another_key_of_a_peer_ends_its_sessions(void **state)
{
    struct net *net = connected(1);
    struct sessions *sessions = net->nodes[0].sessions;
    int place = net_place(net, 0, 1);
    const struct uuid *id = &net->nodes[1].id;
    assert_int_equal(sessions_add_peer(sessions, id, net->nodes[1].key.public), place);
    assert_true(sessions_ready(sessions, net->now_us, place));
    assert_int_equal(sessions_add_peer(sessions, id, net->nodes[2].key.public), place);
    assert_false(sessions_ready(sessions, net->now_us, place));
    net_free(net);
}

static void there_is_room_for_so_many_peers(void **state)
{
    struct net *net = net_new(1, 1);
    struct sessions *sessions = net->nodes[0].sessions;
    struct uuid id = {{0}};
    for (int i = 0; i < SESSION_PEERS; i++) {
        id.bytes[0] = (uint8_t)(i + 1);
        assert_int_equal(sessions_add_peer(sessions, &id, net->nodes[1].key.public), i);
    }
    id.bytes[0]++;
    assert_int_equal(sessions_add_peer(sessions, &id, net->nodes[1].key.public), -1);
    id.bytes[0] = 7;
    sessions_remove_peer(sessions, &id);
    assert_int_equal(sessions_add_peer(sessions, &id, net->nodes[1].key.public), 6);
    net_free(net);
}

static void a_secret_is_replaced_without_a_gap(void **state)
{
    static const struct {
        uint16_t first, last, use;
    } steps[] = {{1, 2, 1}, {1, 2, 2}, {2, 2, 2}, {2, 3, 3}};
    struct net *net = connected(1);
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++)
        for (int number = 0; number < 2; number++) {
            net_set_secrets(net, number, steps[i].first, steps[i].last, steps[i].use);
            assert_hears(net, 0, 1);
            assert_hears(net, 1, 0);
            net_restart(net, !number); /* and with a handshake at each step */
            net_set_secrets(net, !number, steps[i].first, steps[i].last, steps[i].use);
            net_run(net, 2 * SECOND_US);
            assert_true(net_agrees(net, 0, 1));
        }
    net_free(net);
}

/* The smaller id goes first, and yet does not insist on a secret that the other lacks. */
static void who_lacks_the_newest_secret_is_not_locked_out(void **state)
{
    for (int newer = 0; newer < 2; newer++) {
        struct net *net = net_new(2, 1);
        net_set_secrets(net, newer, 1, 2, 2);
        net_run(net, 3 * SECOND_US);
        assert_true(net_agrees(net, 0, 1));
        net_free(net);
    }
}

static void without_a_secret_nothing_is_sent(void **state)
{
    struct net *net = net_new(2, 1);
    net_set_secrets(net, 0, 1, 1, 2); /* the one to use is not there */
    sessions_set_secrets(net->nodes[1].sessions, NULL, 0, 0);
    net_run(net, 10 * SECOND_US);
    assert_int_equal(net->recorded_count, 0);
    net_free(net);
}

static void the_highest_protocol_in_common_is_spoken(void **state)
{
    struct net *net = net_new(2, 1);
    net->nodes[0].sessions->settings.maximum_protocol = 4;
    net->nodes[1].sessions->settings.minimum_protocol = 2;
    net->nodes[1].sessions->settings.maximum_protocol = 3;
    net_run(net, SECOND_US);
    assert_int_equal(sessions_protocol(net->nodes[0].sessions, net_place(net, 0, 1)), 3);
    assert_int_equal(sessions_protocol(net->nodes[1].sessions, net_place(net, 1, 0)), 3);
    net_free(net);
}

static void without_a_common_protocol_there_is_no_session(void **state)
{
    struct net *net = net_new(2, 1);
    net->nodes[1].sessions->settings.minimum_protocol = 2;
    net->nodes[1].sessions->settings.maximum_protocol = 3;
    net_run(net, 3 * SECOND_US);
    assert_false(net_peer(net, 0, 1)->current.is_used || net_peer(net, 1, 0)->current.is_used);
    assert_true(sessions_count(net->nodes[1].sessions, SESSION_INCOMPATIBLE) > 0);
    net_free(net);
}

/* A node that floods: the key is genuine. */
static unsigned answers_to_flood(struct net *net, uint64_t time_us)
{
    unsigned answers = 0;
    for (uint64_t end = net->now_us + time_us; net->now_us < end; net->now_us += 1000) {
        struct session_action action;
        net_set_secrets(net, 0, 1, 1, 1); /* makes it begin anew */
        assert_true(sessions_tick(net->nodes[0].sessions, net->now_us, &action));
        struct session_received received =
            net_hand(net, 1, (struct bytes){action.bytes, action.size});
        assert_true(received.verdict == SESSION_ANSWERED ||
                    received.verdict == SESSION_EXHAUSTED);
        answers += received.reply_size > 0;
    }
    return answers;
}

static void a_node_is_answered_so_often_in_a_second(void **state)
{
    struct net *net = net_new(2, 1);
    unsigned answers = answers_to_flood(net, SECOND_US);
    assert_in_range(answers, 50 + 19, 50 + 21);
    answers = answers_to_flood(net, SECOND_US);
    assert_in_range(answers, 19, 21);
    net_run(net, 3 * SECOND_US); /* and is not locked out by that */
    assert_true(net_agrees(net, 0, 1));
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_replaced_in_time_and_nothing_is_lost),
        cmocka_unit_test(keys_are_replaced_after_so_many_datagrams),
        cmocka_unit_test(no_counter_reaches_the_end),
        cmocka_unit_test(keys_end_when_they_cannot_be_replaced),
        cmocka_unit_test(a_silent_peer_is_asked_anew_while_the_session_goes_on),
        cmocka_unit_test(a_removed_peer_can_neither_speak_nor_be_spoken_to),
        cmocka_unit_test(another_key_of_a_peer_ends_its_sessions),
        cmocka_unit_test(there_is_room_for_so_many_peers),
        cmocka_unit_test(a_secret_is_replaced_without_a_gap),
        cmocka_unit_test(who_lacks_the_newest_secret_is_not_locked_out),
        cmocka_unit_test(without_a_secret_nothing_is_sent),
        cmocka_unit_test(the_highest_protocol_in_common_is_spoken),
        cmocka_unit_test(without_a_common_protocol_there_is_no_session),
        cmocka_unit_test(a_node_is_answered_so_often_in_a_second),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

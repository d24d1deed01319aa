#include "session_net.h"
#include "tests/support/test.h"

#include <string.h>

enum {
    SECOND_US = 1000000
};

static struct bytes view(const struct net_datagram *datagram)
{
    return (struct bytes){datagram->bytes, datagram->size};
}

static void assert_hears(struct net *net, int from, int to)
{
    uint8_t sealed[NET_DATAGRAM];
    size_t size = net_seal(net, from, to, "hello", sealed);
    assert_true(size > 0);
    struct session_received received = net_hand(net, to, (struct bytes){sealed, size});
    assert_int_equal(received.verdict, SESSION_OPENED);
    assert_int_equal(received.place, net_place(net, to, from));
    assert_int_equal(received.plain.size, 5);
}

static struct net *connected(uint64_t seed)
{
    struct net *net = net_new(2, seed);
    net_run(net, SECOND_US);
    assert_true(net_agrees(net, 0, 1));
    return net;
}

static void two_nodes_get_a_session(void **state)
{
    struct net *net = net_new(2, 1);
    net->nodes[1].is_off = true; /* of its own accord: it answers below */
    struct session_action action;
    assert_true(sessions_tick(net->nodes[0].sessions, net->now_us, &action));
    struct session_received answer =
        net_hand(net, 1, (struct bytes){action.bytes, action.size});
    assert_int_equal(answer.verdict, SESSION_ANSWERED);
    assert_true(answer.reply_size < action.size);
    assert_false(sessions_ready(net->nodes[1].sessions, net->now_us, answer.place));
    struct session_received last =
        net_hand(net, 0, (struct bytes){answer.reply, answer.reply_size});
    assert_int_equal(last.verdict, SESSION_ESTABLISHED);
    assert_true(sessions_ready(net->nodes[0].sessions, net->now_us, last.place));
    struct session_received opened =
        net_hand(net, 1, (struct bytes){last.reply, last.reply_size});
    assert_int_equal(opened.verdict, SESSION_OPENED);
    assert_int_equal(opened.plain.size, 0);
    assert_true(net_agrees(net, 0, 1));
    assert_hears(net, 0, 1);
    assert_hears(net, 1, 0);
    net_free(net);
}

static void crossing_handshakes_end_in_that_of_the_smaller_id(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct net *net = net_new(3, seed);
        net->delay_us = 1000 + seed * 10000;
        net_run(net, 2 * SECOND_US);
        for (int a = 0; a < 3; a++)
            for (int b = a + 1; b < 3; b++) {
                assert_true(net_agrees(net, a, b));
                assert_true(net_peer(net, a, b)->current.is_initiator);
            }
        net_free(net);
    }
}

static void they_do_so_after_a_long_cut(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct net *net = net_new(2, seed);
        net->nodes[0].sends = net->nodes[1].sends = true;
        net->delay_us = 150000;
        net->is_cut = true;
        net_run(net, 30 * SECOND_US + seed * 50000);
        net->is_cut = false;
        net_run(net, 3 * SECOND_US);
        assert_hears(net, 0, 1);
        assert_hears(net, 1, 0);
        net_free(net);
    }
}

static void loss_delay_and_reordering_only_cost_time(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct net *net = net_new(3, seed);
        net->loss_percent = 30;
        net->delay_us = 20000;
        net->jitter_us = 400000;
        for (int i = 0; i < 3; i++)
            net->nodes[i].sends = true;
        net_run(net, 12 * SECOND_US);
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
                if (a != b)
                    assert_hears(net, a, b);
        net_free(net);
    }
}

static void an_unreachable_peer_is_tried_in_the_stated_rhythm(void **state)
{
    struct net *net = net_new(2, 1);
    net->nodes[1].is_off = true;
    net_run(net, 5 * SECOND_US);
    assert_int_equal(net->recorded_count, 20);
    for (size_t i = 1; i < 20; i++) {
        assert_memory_equal(net->recorded[i].bytes, net->recorded[0].bytes,
                            net->recorded[0].size);
        assert_int_equal(net->recorded[i].due_us - net->recorded[i - 1].due_us, 250000);
    }
    net_run(net, 60 * SECOND_US);
    assert_in_range(net->recorded_count, 20 + 50, 20 + 75);
    for (size_t i = 21; i < net->recorded_count; i++) {
        uint64_t between = net->recorded[i].due_us - net->recorded[i - 1].due_us;
        assert_in_range(between, 800000, 1205000);
        assert_memory_not_equal(net->recorded[i].bytes, net->recorded[i - 1].bytes,
                                SESSION_INIT_SIZE);
    }
    net_free(net);
}

static void the_next_tick_is_never_missed(void **state)
{
    struct net *net = net_new(2, 1);
    struct sessions *sessions = net->nodes[0].sessions;
    struct session_action action;
    uint64_t now_us = net->now_us;
    for (int i = 0; i < 30; i++) {
        uint64_t next_us = sessions_next_us(sessions, now_us);
        if (next_us > now_us)
            assert_false(sessions_tick(sessions, next_us - 1, &action));
        now_us = next_us;
        assert_true(sessions_tick(sessions, now_us, &action));
        assert_false(sessions_tick(sessions, now_us, &action));
    }
    net_free(net);
}

static void outsiders_get_no_answer(void **state)
{
    for (int what = 0; what < 3; what++) {
        struct net *net = net_new(2, 1);
        struct sessions *outsider = net->nodes[2].sessions; /* knows all but is no node */
        struct session_action action;
        enum session_verdict expected = SESSION_FOREIGN;
        if (what == 1) { /* another secret */
            net_set_secrets(net, 2, 2, 2, 2);
            sessions_set_secrets(outsider,
                                 &(struct session_secret){.version = 1, .secret = "x"}, 1, 1);
        }
        if (what == 2) { /* the name of a node, and not its key */
            outsider->settings.node_id = net->nodes[0].id;
            expected = SESSION_FORGED;
        }
        sessions_add_peer(outsider, &net->nodes[1].id, net->nodes[1].key.public);
        assert_true(sessions_tick(outsider, net->now_us, &action));
        struct session_received received =
            net_hand(net, 1, (struct bytes){action.bytes, action.size});
        assert_int_equal(received.verdict, expected);
        assert_int_equal(received.reply_size, 0);
        net_free(net);
    }
}

static void a_node_of_another_cluster_gets_no_answer(void **state)
{
    struct net *net = net_new(2, 1);
    struct session_action action;
    net->nodes[0].sessions->settings.cluster_id.bytes[0] ^= 1;
    assert_true(sessions_tick(net->nodes[0].sessions, net->now_us, &action));
    struct session_received received =
        net_hand(net, 1, (struct bytes){action.bytes, action.size});
    assert_int_equal(received.verdict, SESSION_FORGED);
    assert_int_equal(received.reply_size, 0);
    net_free(net);
}

static void whatever_is_cut_short_or_changed_is_dropped(void **state)
{
    struct net *net = connected(1);
    uint8_t sealed[NET_DATAGRAM];
    size_t size = net_seal(net, 0, 1, "frames", sealed);
    net_send(net, 0, 1, (struct bytes){sealed, size});
    net_restart(net, 1); /* what it has not answered yet counts again */
    for (size_t i = 0; i < net->recorded_count; i++) {
        struct net_datagram datagram = net->recorded[i];
        for (size_t cut = 0; cut < datagram.size; cut++)
            assert_int_equal(
                net_hand(net, datagram.to, (struct bytes){datagram.bytes, cut}).reply_size, 0);
        for (size_t bit = 0; bit < datagram.size * 8; bit++) {
            datagram.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct session_received received = net_hand(net, datagram.to, view(&datagram));
            assert_int_equal(received.reply_size, 0);
            assert_int_equal(received.place, -1);
            datagram.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    net_free(net);
}

static void a_datagram_opens_once_and_in_any_order(void **state)
{
    struct net *net = connected(1);
    static uint8_t sealed[3000][NET_DATAGRAM];
    size_t size = 0;
    for (size_t i = 0; i < 3000; i++)
        size = net_seal(net, 0, 1, "frames", sealed[i]);
    struct bytes newest = {sealed[2999], size};
    assert_int_equal(net_hand(net, 1, newest).verdict, SESSION_OPENED);
    for (size_t i = 3000; i-- > 0;) {
        bool is_new = i < 2999 && i > 2999 - REPLAY_WINDOW_BITS;
        enum session_verdict expected = is_new ? SESSION_OPENED : SESSION_REPLAYED;
        struct bytes bytes = {sealed[i], size};
        assert_int_equal(net_hand(net, 1, bytes).verdict, expected);
        assert_int_equal(net_hand(net, 1, bytes).verdict, SESSION_REPLAYED);
    }
    net_free(net);
}

static void a_recorded_session_does_nothing_to_a_node_that_restarted(void **state)
{
    struct net *net = net_new(2, 3);
    net->nodes[0].sends = net->nodes[1].sends = true;
    net_run(net, 130 * SECOND_US); /* with a rekey */
    size_t count = net->recorded_count;
    net_restart(net, 1);
    net_run(net, SECOND_US);
    assert_true(net_agrees(net, 0, 1));
    struct session_peer before = *net_peer(net, 1, 0);
    for (size_t i = 0; i < count; i++) {
        struct session_received received = net_hand(net, 1, view(&net->recorded[i]));
        assert_true(received.verdict == SESSION_REPLAYED ||
                    received.verdict == SESSION_FOREIGN);
        assert_int_equal(received.reply_size, 0);
    }
    assert_memory_equal(&before, net_peer(net, 1, 0), sizeof(before));
    assert_hears(net, 0, 1);
    assert_hears(net, 1, 0);
    net_free(net);
}

static void a_recording_that_comes_before_the_peer_opens_nothing(void **state)
{
    struct net *net = net_new(2, 3);
    net->nodes[0].sends = net->nodes[1].sends = true;
    net_run(net, 130 * SECOND_US);
    size_t count = net->recorded_count;
    net_restart(net, 1);
    for (size_t i = 0; i < count; i++) {
        if (net->recorded[i].to != 1)
            continue;
        struct session_received received = net_hand(net, 1, view(&net->recorded[i]));
        assert_int_not_equal(received.verdict, SESSION_OPENED);
        assert_int_not_equal(received.verdict, SESSION_ESTABLISHED);
    }
    assert_false(sessions_ready(net->nodes[1].sessions, net->now_us, net_place(net, 1, 0)));
    net_run(net, SECOND_US / 5); /* nor does it delay the peer */
    assert_true(net_agrees(net, 0, 1));
    net_free(net);
}

static void a_restarted_peer_is_there_again_at_once(void **state)
{
    struct net *net = connected(1);
    for (int number = 0; number < 2; number++) {
        net_restart(net, number);
        net_run(net, SECOND_US / 10);
        assert_true(net_agrees(net, 0, 1));
        assert_hears(net, 0, 1);
        assert_hears(net, 1, 0);
    }
    net_free(net);
}

static void a_lost_answer_is_given_again_and_not_to_everyone_who_asks(void **state)
{
    struct net *net = net_new(2, 1);
    struct session_action action;
    assert_true(sessions_tick(net->nodes[0].sessions, net->now_us, &action));
    struct bytes init = {action.bytes, action.size};
    struct session_received first = net_hand(net, 1, init);
    assert_int_equal(first.verdict, SESSION_ANSWERED);
    unsigned answers = 0;
    for (int i = 0; i < 1000; i++, net->now_us += 10000) { /* 100 times a second */
        struct session_received again = net_hand(net, 1, init);
        if (again.verdict == SESSION_ANSWERED) {
            assert_memory_equal(again.reply, first.reply, first.reply_size);
            answers++;
        } else {
            assert_int_equal(again.verdict, SESSION_REPLAYED);
        }
    }
    assert_in_range(answers, 19, 40);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_get_a_session),
        cmocka_unit_test(crossing_handshakes_end_in_that_of_the_smaller_id),
        cmocka_unit_test(they_do_so_after_a_long_cut),
        cmocka_unit_test(loss_delay_and_reordering_only_cost_time),
        cmocka_unit_test(an_unreachable_peer_is_tried_in_the_stated_rhythm),
        cmocka_unit_test(the_next_tick_is_never_missed),
        cmocka_unit_test(outsiders_get_no_answer),
        cmocka_unit_test(a_node_of_another_cluster_gets_no_answer),
        cmocka_unit_test(whatever_is_cut_short_or_changed_is_dropped),
        cmocka_unit_test(a_datagram_opens_once_and_in_any_order),
        cmocka_unit_test(a_recorded_session_does_nothing_to_a_node_that_restarted),
        cmocka_unit_test(a_recording_that_comes_before_the_peer_opens_nothing),
        cmocka_unit_test(a_restarted_peer_is_there_again_at_once),
        cmocka_unit_test(a_lost_answer_is_given_again_and_not_to_everyone_who_asks),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

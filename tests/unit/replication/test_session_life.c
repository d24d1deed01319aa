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
    for (int i = 0; i < 2; i++) {
        struct session_view view;
        assert_true(
            sessions_view(net->nodes[i].sessions, net->now_us, net_place(net, i, !i), &view));
        assert_int_equal(view.protocol, 3);
        assert_int_equal(view.secret_version, 1);
    }
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

/* An insider that has the secret, and the key of nobody else: it forges INITs in the name of
 * node 2, from its own address or from that of node 2. */
static struct session_received
forge_init(struct net *net, struct session_source *source, uint64_t number)
{
    const struct session_secret_keys *secret = &net->nodes[0].sessions->secrets[0];
    struct session_message head = {
        .secret_version = secret->version, .incarnation = UINT64_MAX, .number = number};
    uint8_t init[SESSION_INIT_SIZE] = {0}, mac_key[HASH_KEY_SIZE], room[SESSION_INIT_SIZE];
    struct session_received received;
    size_t covered = sizeof(init) - SESSION_MAC_SIZE;
    memcpy(head.sender, net->nodes[2].id.bytes, sizeof(head.sender));
    session_init_head(&head, init);
    session_mac_key(secret->secret, net->nodes[1].key.public, mac_key);
    session_mac(mac_key, (struct bytes){init, covered}, init + covered);
    sessions_receive(net->nodes[1].sessions, net->now_us, source,
                     (struct bytes){init, sizeof(init)}, room, &received);
    return received;
}

static void a_node_can_name_another_only_from_its_address(void **state)
{
    struct net *net = net_new(3, 1);
    struct session_source insider = net->nodes[1].sources[0];
    for (uint64_t i = 1; i <= 1000; i++)
        assert_int_equal(forge_init(net, &insider, i).verdict, SESSION_FOREIGN);
    net_run(net, SECOND_US / 5);
    assert_true(net_agrees(net, 1, 2));
    net_free(net);
}

static void an_address_has_a_budget_of_its_own(void **state)
{
    struct net *net = net_new(3, 1);
    struct session_source shared = session_source_new(), other = session_source_new();
    unsigned tried = 0;
    shared.places = other.places = UINT64_MAX;
    for (uint64_t i = 1; i <= 1000; i++)
        tried += forge_init(net, &shared, i).verdict == SESSION_FORGED;
    assert_int_equal(tried, SESSION_PEER_BURST);
    net_peer(net, 1, 2)->inits.granted = SESSION_PEER_BURST;
    assert_int_equal(forge_init(net, &shared, 1001).verdict, SESSION_EXHAUSTED);
    assert_int_equal(forge_init(net, &other, 1001).verdict, SESSION_FORGED);
    net_free(net);
}

static void forged_handshakes_leave_room_for_the_answers_of_the_peer(void **state)
{
    struct net *net = net_new(3, 1);
    struct session_source *source = &net->nodes[1].sources[2]; /* it is forged as well */
    for (uint64_t i = 1; i <= 1000; i++)
        forge_init(net, source, i);
    assert_true(source->budget.granted < 1);
    net->nodes[2].is_off = true;
    net_run(net, SECOND_US);
    net->nodes[2].is_off = false;
    for (int i = 0; i < 1000 && !net_agrees(net, 1, 2); i++) {
        net_peer(net, 1, 2)->inits.granted = source->budget.granted = 0; /* the flood goes on */
        net->nodes[1].sessions->budget.granted = 0;
        net_run(net, SECOND_US / 200);
    }
    assert_true(net_agrees(net, 1, 2));
    assert_true(net_peer(net, 1, 2)->current.is_initiator);
    net_free(net);
}

static void a_passive_side_only_answers(void **state)
{
    struct net *net = net_new(2, 1);
    sessions_set_passive(net->nodes[0].sessions, net_place(net, 0, 1), true);
    net->nodes[1].is_off = true;
    net_run(net, 10 * SECOND_US);
    assert_int_equal(net->recorded_count, 0);
    assert_true(sessions_next_us(net->nodes[0].sessions, net->now_us) == UINT64_MAX);
    net->nodes[1].is_off = false;
    net_run(net, SECOND_US);
    assert_true(net_agrees(net, 0, 1));
    for (int i = 0; i < 300; i++) { /* the other side replaces the keys */
        net_run(net, SECOND_US);
        assert_hears(net, 0, 1);
    }
    net_free(net);
}

/* After a new key of its own, or of another cluster: the life is the same, and old INITs of it
 * are old still. */
static void sessions_that_are_made_anew_in_one_life_go_on_counting(void **state)
{
    struct net *net = connected(1);
    struct net_node *node = &net->nodes[0];
    for (int i = 0; i < 3; i++) {
        uint64_t number = sessions_number(node->sessions);
        node->incarnation--; /* net_restart raises it */
        node->number = number;
        net_restart(net, 0);
        net_run(net, SECOND_US / 20);
        assert_true(net_agrees(net, 0, 1));
    }
    net_free(net);
}

/* Its clock went back, or its disk was copied and both copies run. */
static void a_peer_that_comes_from_an_earlier_life_is_asked(void **state)
{
    struct net *net = connected(1);
    net->nodes[1].incarnation -= 2;
    net_restart(net, 1);
    net_run(net, SECOND_US / 5);
    assert_true(net_agrees(net, 0, 1));
    assert_true(net_peer(net, 0, 1)->current.is_initiator);
    assert_hears(net, 0, 1);
    assert_hears(net, 1, 0);
    net_free(net);
}

static void recordings_of_earlier_lives_cost_a_question_a_second(void **state)
{
    struct net *net = net_new(2, 1);
    net_run(net, SECOND_US / 5);
    struct net_datagram init = net->recorded[0];
    assert_int_equal(init.to, 1);
    net_restart(net, 0);
    net_run(net, 2 * SECOND_US);
    assert_true(net_agrees(net, 0, 1));
    size_t before = net->recorded_count;
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(net_hand(net, 1, (struct bytes){init.bytes, init.size}).verdict,
                         SESSION_REPLAYED);
        net_run(net, SECOND_US / 200);
    }
    assert_true(net_agrees(net, 0, 1));
    assert_in_range(net->recorded_count - before, 9 * 3, 11 * 3); /* INIT, RESPONSE, data */
    net_free(net);
}

/* Node 1 starts just after node 0, of the smaller id, began to try. */
static void who_goes_first_does_not_keep_the_other_waiting(void **state)
{
    struct net *net = net_new(2, 1);
    net->nodes[1].is_off = true;
    net_run(net, SECOND_US / 10);
    net->nodes[1].is_off = false;
    net_run(net, SECOND_US / 20);
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
        cmocka_unit_test(a_node_can_name_another_only_from_its_address),
        cmocka_unit_test(an_address_has_a_budget_of_its_own),
        cmocka_unit_test(forged_handshakes_leave_room_for_the_answers_of_the_peer),
        cmocka_unit_test(a_passive_side_only_answers),
        cmocka_unit_test(sessions_that_are_made_anew_in_one_life_go_on_counting),
        cmocka_unit_test(a_peer_that_comes_from_an_earlier_life_is_asked),
        cmocka_unit_test(recordings_of_earlier_lives_cost_a_question_a_second),
        cmocka_unit_test(who_goes_first_does_not_keep_the_other_waiting),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

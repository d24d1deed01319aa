#include "stream_pair.h"
#include "tests/support/test.h"

#include <string.h>

static struct stream_received hand(struct stream_pair *pair, int side, struct bytes bytes)
{
    static uint8_t room[STREAM_PLAIN_MAXIMUM];
    struct stream_received received;
    stream_session_receive(pair->sides[side], bytes, room, &received);
    return received;
}

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static size_t seal(struct stream_pair *pair, int side, const char *string, uint8_t *out)
{
    return stream_session_seal(pair->sides[side], pair->now_us, text(string), out);
}

static void
assert_opens(struct stream_pair *pair, int side, struct bytes sealed, const char *as)
{
    struct stream_received received = hand(pair, side, sealed);
    assert_int_equal(received.verdict, STREAM_OPENED);
    assert_true(bytes_equal(received.plain, text(as)));
}

static void assert_talk(struct stream_pair *pair)
{
    uint8_t sealed[64];
    for (int side = 0; side < 2; side++) {
        size_t size = seal(pair, side, "hello", sealed);
        assert_int_equal(size, 5 + STREAM_OVERHEAD);
        assert_opens(pair, !side, (struct bytes){sealed, size}, "hello");
    }
}

static void both_ends_talk_after_the_handshake(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    stream_pair_connect(pair);
    assert_int_equal(stream_session_protocol(pair->sides[0]), 2);
    assert_int_equal(stream_session_protocol(pair->sides[1]), 2);
    for (int i = 0; i < 3; i++)
        assert_talk(pair);
    stream_pair_free(pair);
}

static void the_largest_message_arrives(void **state)
{
    static uint8_t data[STREAM_DATA_MAXIMUM + 1],
        sealed[STREAM_FRAME_MAXIMUM + STREAM_SEAL_MORE];
    struct stream_pair *pair = stream_pair_new();
    memset(data, 'x', sizeof(data));
    stream_pair_connect(pair);
    struct bytes largest = {data, STREAM_DATA_MAXIMUM}, more = {data, sizeof(data)};
    assert_int_equal(stream_session_seal(pair->sides[0], pair->now_us, more, sealed), 0);
    size_t size = stream_session_seal(pair->sides[0], pair->now_us, largest, sealed);
    assert_int_equal(size, STREAM_FRAME_MAXIMUM);
    struct stream_received received = hand(pair, 1, (struct bytes){sealed, size});
    assert_int_equal(received.used, size);
    assert_true(bytes_equal(received.plain, largest));
    stream_pair_free(pair);
}

static void who_answers_says_nothing_before_the_other_has_proved_to_be_there(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t proof[STREAM_OVERHEAD], sealed[64];
    stream_pair_shake(pair, proof);
    assert_false(stream_session_is_open(pair->sides[1]));
    assert_int_equal(seal(pair, 1, "secret", sealed), 0);
    assert_int_equal(stream_session_end(pair->sides[1], sealed), 0);
    assert_int_equal(hand(pair, 1, (struct bytes){proof, sizeof(proof)}).verdict,
                     STREAM_PROVED);
    assert_true(stream_session_is_open(pair->sides[1]));
    stream_pair_free(pair);
}

static void nothing_else_counts_as_that_proof(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t proof[STREAM_OVERHEAD], sealed[64];
    stream_pair_shake(pair, proof);
    size_t size = seal(pair, 0, "data", sealed);
    assert_int_equal(hand(pair, 1, (struct bytes){sealed, size}).verdict, STREAM_MALFORMED);
    stream_pair_shake(pair, proof);
    size = stream_session_end(pair->sides[0], sealed);
    assert_int_equal(hand(pair, 1, (struct bytes){sealed, size}).verdict, STREAM_FORGED);
    stream_pair_free(pair);
}

static void an_init_is_answered_once(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t first[STREAM_HANDSHAKE_MAXIMUM], second[STREAM_HANDSHAKE_MAXIMUM], out[256];
    size_t size = stream_pair_begin(pair, first), out_size;
    assert_int_equal(stream_pair_begin(pair, second), size);
    assert_int_equal(stream_pair_answer(pair, (struct bytes){second, size}, out, &out_size),
                     STREAM_ANSWERED);
    assert_true(out_size < size);
    assert_int_equal(stream_pair_answer(pair, (struct bytes){second, size}, out, &out_size),
                     STREAM_REPLAYED);
    assert_int_equal(stream_pair_answer(pair, (struct bytes){first, size}, out, &out_size),
                     STREAM_REPLAYED);
    assert_int_equal(out_size, 0);
    stream_pair_free(pair);
}

static void a_replayed_init_leads_to_nothing_after_a_restart(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[256], proof[STREAM_OVERHEAD], old[64];
    size_t size = stream_pair_begin(pair, init), out_size;
    assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                     STREAM_ANSWERED);
    struct stream_received established = hand(pair, 0, (struct bytes){out, out_size});
    memcpy(proof, established.reply, sizeof(proof));
    size_t old_size = seal(pair, 0, "old", old);
    pair->gate = (struct stream_gate){0};
    assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                     STREAM_ANSWERED);
    assert_int_equal(hand(pair, 1, (struct bytes){proof, sizeof(proof)}).verdict,
                     STREAM_FORGED);
    assert_int_equal(hand(pair, 1, (struct bytes){old, old_size}).verdict, STREAM_MALFORMED);
    assert_int_equal(seal(pair, 1, "secret", old), 0);
    stream_pair_free(pair);
}

static void handshakes_of_a_peer_are_bounded(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[256];
    size_t size, out_size;
    int answered = 0;
    for (int i = 0; i < 100; i++) {
        size = stream_pair_begin(pair, init);
        answered += stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size) ==
                    STREAM_ANSWERED;
    }
    assert_int_equal(answered, STREAM_GATE_BURST);
    pair->now_us += 1000000;
    for (int i = 0; i < 100; i++) {
        size = stream_pair_begin(pair, init);
        answered += stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size) ==
                    STREAM_ANSWERED;
    }
    assert_int_equal(answered, STREAM_GATE_BURST + STREAM_GATE_RATE);
    stream_pair_free(pair);
}

static void a_change_of_any_bit_of_an_init_gets_no_answer(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[256];
    size_t size = stream_pair_begin(pair, init), out_size;
    for (size_t bit = 0; bit < size * 8; bit++) {
        init[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(
            stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
            STREAM_ANSWERED);
        assert_int_equal(out_size, 0);
        init[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                     STREAM_ANSWERED);
    stream_pair_free(pair);
}

/* As by somebody who has the secret of the cluster, and no key. */
static void a_head_that_was_changed_and_macked_anew_does_not_open(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[256];
    size_t size = stream_pair_begin(pair, init), out_size, covered = size - SESSION_MAC_SIZE;
    for (size_t at = STREAM_LENGTH_SIZE + 8; at < covered; at++) {
        init[at] ^= 0x80;
        pair->gate = (struct stream_gate){0};
        session_mac(pair->mac_keys[1], (struct bytes){init + 2, covered - 2}, init + covered);
        assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                         STREAM_FORGED);
        init[at] ^= 0x80;
    }
    stream_pair_free(pair);
}

static void a_change_of_any_bit_of_a_response_ends_it(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[STREAM_HANDSHAKE_MAXIMUM];
    size_t out_size = 1;
    for (size_t byte = 0; byte < out_size; byte++) {
        size_t size = stream_pair_begin(pair, init);
        pair->gate = (struct stream_gate){0};
        assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                         STREAM_ANSWERED);
        out[byte] ^= (uint8_t)(1 << byte % 8);
        struct stream_received received = hand(pair, 0, (struct bytes){out, out_size});
        /* A length that promises more leaves this end waiting. */
        assert_true(received.verdict <= STREAM_PARTIAL);
        assert_int_equal(received.reply_size, 0);
        assert_false(stream_session_is_open(pair->sides[0]));
    }
    stream_pair_free(pair);
}

static void a_handshake_for_datagrams_is_none_for_a_stream(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[256], prologue[8 + 16 + SESSION_INIT_HEAD];
    const uint8_t random[DH_KEY_SIZE] = {9},
                  offer[SESSION_OFFER_SIZE] = {0, 0, 0, 0, 0, 2, 0, 2};
    struct noise_handshake handshake;
    size_t size = stream_pair_begin(pair, init), out_size, covered = size - SESSION_MAC_SIZE;
    memcpy(prologue, "lbnode/1", 8);
    memcpy(prologue + 8, pair->terms[0].cluster_id.bytes, 16);
    memcpy(prologue + 24, init + 2, SESSION_INIT_HEAD);
    noise_start(&handshake, true, &pair->keys[0], pair->keys[1].public, pair->psk,
                (struct bytes){prologue, sizeof(prologue)});
    assert_true(noise_write(&handshake, random, (struct bytes){offer, sizeof(offer)},
                            init + 2 + SESSION_INIT_HEAD));
    session_mac(pair->mac_keys[1], (struct bytes){init + 2, covered - 2}, init + covered);
    assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                     STREAM_FORGED);
    init[2] = SESSION_INIT;
    assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                     STREAM_MALFORMED);
    stream_pair_free(pair);
}

static void other_terms_do_not_meet(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], out[256], other[32] = {0, 3};
    size_t out_size;
    const struct stream_terms right = pair->terms[0];
    struct stream_terms wrong[4] = {right, right, right, right};
    struct dh_key nobody;
    dh_key_from_secret(other, &nobody);
    wrong[0].psk = other;
    wrong[1].key = &nobody;
    wrong[2].cluster_id.bytes[15] ^= 1;
    wrong[3].minimum_protocol = wrong[3].maximum_protocol = 3;
    for (int i = 0; i < 4; i++) {
        pair->terms[0] = wrong[i];
        size_t size = stream_pair_begin(pair, init);
        assert_int_equal(stream_pair_answer(pair, (struct bytes){init, size}, out, &out_size),
                         i == 3 ? STREAM_INCOMPATIBLE : STREAM_FORGED);
        assert_int_equal(out_size, 0);
    }
    stream_pair_free(pair);
}

static void an_init_that_is_split_anywhere_is_waited_for(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t bytes[STREAM_HANDSHAKE_MAXIMUM];
    struct stream_init init;
    size_t size = stream_pair_begin(pair, bytes);
    for (size_t part = 0; part < size; part++)
        assert_int_equal(stream_init_parse((struct bytes){bytes, part}, &init), STREAM_PARTIAL);
    assert_int_equal(stream_init_parse((struct bytes){bytes, size}, &init), STREAM_ANSWERED);
    assert_int_equal(init.frame_size, size);
    assert_int_equal(init.secret_version, 7);
    assert_memory_equal(init.sender, "initiato", 8);
    assert_int_equal(init.incarnation, 5);
    assert_int_equal(init.number, 1);
    stream_pair_free(pair);
}

static void an_init_is_no_length_of_an_older_protocol(void **state)
{
    struct stream_init init;
    const uint8_t old[] = {0, 0, 0, 108, 'L', 'B', 1, 1}, huge[] = {1, 0};
    assert_int_equal(stream_init_parse((struct bytes){old, sizeof(old)}, &init),
                     STREAM_MALFORMED);
    assert_int_equal(stream_init_parse((struct bytes){huge, sizeof(huge)}, &init),
                     STREAM_MALFORMED);
}

static void frames_that_are_split_anywhere_are_waited_for(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t sealed[64];
    stream_pair_connect(pair);
    for (size_t part = 0; part < 5 + STREAM_OVERHEAD; part++) {
        size_t size = seal(pair, 0, "hello", sealed);
        struct stream_received received = hand(pair, 1, (struct bytes){sealed, part});
        assert_int_equal(received.verdict, STREAM_PARTIAL);
        assert_int_equal(received.used, 0);
        assert_true(stream_session_wants(pair->sides[1], (struct bytes){sealed, part}) > part);
        assert_opens(pair, 1, (struct bytes){sealed, size}, "hello");
    }
    stream_pair_free(pair);
}

/* One thing happens to a stream of four messages; all before it arrives, nothing from it on. */
static void assert_ends_at(struct stream_pair *pair, const int *order, int good)
{
    uint8_t sealed[4][64];
    size_t size = 0;
    stream_pair_connect(pair);
    for (int i = 0; i < 4; i++)
        size = seal(pair, 0, "message", sealed[i]);
    for (int i = 0; i < 4; i++) {
        enum stream_verdict verdict =
            hand(pair, 1, (struct bytes){sealed[order[i]], size}).verdict;
        assert_int_equal(verdict, i < good    ? STREAM_OPENED
                                  : i == good ? STREAM_FORGED
                                              : STREAM_MALFORMED);
    }
    assert_false(stream_session_is_open(pair->sides[1]));
}

static void what_is_missing_comes_twice_or_in_another_order_ends_the_stream(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    assert_ends_at(pair, (const int[]){0, 2, 3, 1}, 1);
    assert_ends_at(pair, (const int[]){0, 0, 1, 2}, 1);
    assert_ends_at(pair, (const int[]){1, 0, 2, 3}, 0);
    assert_ends_at(pair, (const int[]){0, 1, 3, 2}, 2);
    stream_pair_free(pair);
}

static void a_change_of_any_bit_of_a_message_ends_the_stream(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t sealed[64];
    for (size_t byte = 0; byte < 5 + STREAM_OVERHEAD; byte++) {
        pair->gate = (struct stream_gate){0};
        stream_pair_connect(pair);
        size_t size = seal(pair, 0, "hello", sealed);
        sealed[byte] ^= (uint8_t)(1 << byte % 8);
        assert_true(hand(pair, 1, (struct bytes){sealed, size}).verdict <= STREAM_PARTIAL);
    }
    stream_pair_free(pair);
}

static void a_message_that_is_reflected_does_not_open(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t sealed[64];
    stream_pair_connect(pair);
    size_t size = seal(pair, 0, "hello", sealed);
    assert_int_equal(hand(pair, 0, (struct bytes){sealed, size}).verdict, STREAM_FORGED);
    stream_pair_free(pair);
}

static void the_end_tells_that_nothing_is_missing(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t last[64], end[STREAM_OVERHEAD], late[64];
    stream_pair_connect(pair);
    size_t size = seal(pair, 0, "last", last);
    assert_int_equal(stream_session_end(pair->sides[0], end), sizeof(end));
    assert_int_equal(stream_session_end(pair->sides[0], late), 0);
    assert_int_equal(seal(pair, 0, "late", late), 0);
    assert_opens(pair, 1, (struct bytes){last, size}, "last");
    assert_false(stream_session_has_ended(pair->sides[1])); /* if it is cut off here */
    assert_int_equal(hand(pair, 1, (struct bytes){end, sizeof(end)}).verdict, STREAM_ENDED);
    assert_true(stream_session_has_ended(pair->sides[1]));
    size = seal(pair, 1, "answer", last); /* the other direction goes on */
    assert_opens(pair, 0, (struct bytes){last, size}, "answer");
    stream_pair_free(pair);
}

static void a_long_stream_changes_its_keys(void **state)
{
    struct stream_pair *pair = stream_pair_new();
    uint8_t sealed[64];
    stream_pair_connect(pair);
    for (int i = 0; i < 3; i++) {
        pair->now_us += STREAM_REKEY_US;
        size_t size = seal(pair, 0, "hello", sealed);
        assert_int_equal(size, 5 + 2 * STREAM_OVERHEAD);
        assert_opens(pair, 1, (struct bytes){sealed, STREAM_OVERHEAD}, "");
        assert_opens(pair, 1, (struct bytes){sealed + STREAM_OVERHEAD, 5 + STREAM_OVERHEAD},
                     "hello");
        assert_int_equal(seal(pair, 0, "hello", sealed), 5 + STREAM_OVERHEAD);
        assert_opens(pair, 1, (struct bytes){sealed, 5 + STREAM_OVERHEAD}, "hello");
    }
    stream_pair_free(pair);
}

static void so_does_one_that_carries_much(void **state)
{
    static uint8_t data[STREAM_DATA_MAXIMUM], sealed[STREAM_FRAME_MAXIMUM + STREAM_SEAL_MORE];
    struct stream_pair *pair = stream_pair_new();
    struct bytes largest = {data, sizeof(data)};
    size_t total = 0, size;
    stream_pair_connect(pair);
    while ((size = stream_session_seal(pair->sides[0], pair->now_us, largest, sealed)) ==
           STREAM_FRAME_MAXIMUM)
        total += size;
    assert_int_equal(size, STREAM_FRAME_MAXIMUM + STREAM_OVERHEAD);
    assert_true(total >= STREAM_REKEY_BYTES && total < STREAM_REKEY_BYTES + (1 << 20));
    stream_pair_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_talk_after_the_handshake),
        cmocka_unit_test(the_largest_message_arrives),
        cmocka_unit_test(who_answers_says_nothing_before_the_other_has_proved_to_be_there),
        cmocka_unit_test(nothing_else_counts_as_that_proof),
        cmocka_unit_test(an_init_is_answered_once),
        cmocka_unit_test(a_replayed_init_leads_to_nothing_after_a_restart),
        cmocka_unit_test(handshakes_of_a_peer_are_bounded),
        cmocka_unit_test(a_change_of_any_bit_of_an_init_gets_no_answer),
        cmocka_unit_test(a_head_that_was_changed_and_macked_anew_does_not_open),
        cmocka_unit_test(a_change_of_any_bit_of_a_response_ends_it),
        cmocka_unit_test(a_handshake_for_datagrams_is_none_for_a_stream),
        cmocka_unit_test(other_terms_do_not_meet),
        cmocka_unit_test(an_init_that_is_split_anywhere_is_waited_for),
        cmocka_unit_test(an_init_is_no_length_of_an_older_protocol),
        cmocka_unit_test(frames_that_are_split_anywhere_are_waited_for),
        cmocka_unit_test(what_is_missing_comes_twice_or_in_another_order_ends_the_stream),
        cmocka_unit_test(a_change_of_any_bit_of_a_message_ends_the_stream),
        cmocka_unit_test(a_message_that_is_reflected_does_not_open),
        cmocka_unit_test(the_end_tells_that_nothing_is_missing),
        cmocka_unit_test(a_long_stream_changes_its_keys),
        cmocka_unit_test(so_does_one_that_carries_much),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "replication/packet.h"
#include "tests/support/test.h"

#include <string.h>

static struct wire_writer sealed(const struct sign_key *key)
{
    struct wire_writer frames = {0}, out = {0};
    frame_append(&frames, 1, (struct bytes){(const uint8_t *)"one", 3});
    frame_append(&frames, 300, (struct bytes){(const uint8_t *)"", 0});
    struct packet packet = {.channel = PACKET_STREAM,
                            .incarnation = 7,
                            .counter = 9,
                            .cluster = "cluster",
                            .sender = "sender",
                            .receiver = "receive",
                            .frames = wire_written(&frames)};
    packet_seal(&packet, key, &out);
    wire_writer_free(&frames);
    return out;
}

static void a_packet_reads_back(void **state)
{
    struct sign_key *key = sign_key_generate();
    struct wire_writer bytes = sealed(key);
    struct packet packet;
    struct bytes body;
    uint32_t type;
    assert_true(packet_parse(wire_written(&bytes), &packet));
    assert_true(packet_verify(&packet, sign_key_public(key)));
    assert_true(packet.incarnation == 7 && packet.counter == 9);
    assert_int_equal(packet.channel, PACKET_STREAM);
    struct wire_reader frames = wire_reader_of(packet.frames);
    assert_true(frame_next(&frames, &type, &body));
    assert_true(type == 1 && body.size == 3);
    assert_true(frame_next(&frames, &type, &body));
    assert_true(type == 300 && body.size == 0);
    assert_false(frame_next(&frames, &type, &body));
    assert_false(frames.failed);
    wire_writer_free(&bytes);
    sign_key_free(key);
}

static void a_change_of_any_byte_is_noticed(void **state)
{
    struct sign_key *key = sign_key_generate();
    struct wire_writer bytes = sealed(key);
    for (size_t i = 0; i < bytes.size; i++) {
        struct packet packet;
        bytes.data[i] ^= 1;
        assert_false(packet_parse(wire_written(&bytes), &packet) &&
                     packet_verify(&packet, sign_key_public(key)));
        bytes.data[i] ^= 1;
    }
    wire_writer_free(&bytes);
    sign_key_free(key);
}

static void a_frame_longer_than_the_packet_is_refused(void **state)
{
    const uint8_t data[] = {1, 5, 'a', 'b'};
    struct wire_reader frames = wire_reader_of((struct bytes){data, sizeof(data)});
    struct bytes body;
    uint32_t type;
    assert_false(frame_next(&frames, &type, &body));
    assert_true(frames.failed);
}

static void each_counter_is_accepted_once(void **state)
{
    struct replay_window window = {0};
    assert_true(replay_accept(&window, 1, 5));
    assert_false(replay_accept(&window, 1, 5));
    assert_true(replay_accept(&window, 1, 3)); /* late, but new */
    assert_false(replay_accept(&window, 1, 3));
    assert_false(replay_accept(&window, 1, 0));
}

static void the_window_ends_at_its_size(void **state)
{
    struct replay_window window = {0};
    assert_true(replay_accept(&window, 1, 10000));
    assert_true(replay_accept(&window, 1, 10000 - REPLAY_WINDOW_BITS + 1));
    assert_false(replay_accept(&window, 1, 10000 - REPLAY_WINDOW_BITS));
    assert_true(replay_accept(&window, 1, 10001));
    assert_false(replay_accept(&window, 1, 10001 - REPLAY_WINDOW_BITS));
    assert_true(replay_accept(&window, 1, UINT64_MAX));
    assert_false(replay_accept(&window, 1, 10002));
}

static void no_counter_is_too_great(void **state)
{
    struct replay_window window = {0};
    assert_true(replay_accept(&window, 1, UINT64_MAX - 70));
    assert_true(replay_accept(&window, 1, UINT64_MAX));
    assert_false(replay_accept(&window, 1, UINT64_MAX));
    assert_true(replay_accept(&window, 1, UINT64_MAX - 1));
    assert_false(replay_accept(&window, 1, UINT64_MAX - 70));
}

static void a_new_incarnation_starts_anew_and_the_old_one_is_over(void **state)
{
    struct replay_window window = {0};
    assert_true(replay_accept(&window, 1, 100));
    assert_true(replay_accept(&window, 2, 1));
    assert_false(replay_accept(&window, 1, 101));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_reads_back),
        cmocka_unit_test(a_change_of_any_byte_is_noticed),
        cmocka_unit_test(a_frame_longer_than_the_packet_is_refused),
        cmocka_unit_test(each_counter_is_accepted_once),
        cmocka_unit_test(the_window_ends_at_its_size),
        cmocka_unit_test(no_counter_is_too_great),
        cmocka_unit_test(a_new_incarnation_starts_anew_and_the_old_one_is_over),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

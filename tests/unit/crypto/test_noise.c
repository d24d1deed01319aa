#include "lbnode/crypto/noise.h"
#include "tests/support/test.h"

#include <string.h>

/* The vector of this very suite from https://github.com/haskell-cryptography/cacophony (public
 * domain), as in tests/vectors/cacophony.txt of https://github.com/mcginty/snow at
 * aabed3159dee; earlier versions of the file have other handshake hashes. The first two
 * messages are those of the handshake, then both sides take turns. */
static const char vector_prologue[] = "4a6f686e2047616c74";
static const char vector_psk[] =
    "54686973206973206d7920417573747269616e20706572737065637469766521";
static const char *const vector_static[] = {
    "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
    "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
};
static const char *const vector_public[] = {
    "6bc3822a2aa7f4e6981d6538692b3cdf3e6df9eea6ed269eb41d93c22757b75a",
    "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62",
};
static const char *const vector_ephemeral[] = {
    "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
    "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
};
static const char vector_hash[] =
    "9d3b1f0130e16b40175dfb34aea1298d77c159e4c699ee4303350d12ea0ea8d6"
    "6f89f2d6c7be9268e8f4b2f0c883f79acd503c0c4ef06905c1aaaed9c1dd812e";

static const struct {
    const char *payload, *sealed;
} vector_messages[] = {
    {"4c756477696720766f6e204d69736573",
     "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"
     "87521fc73d6357e877a7e9f84d5ec31a067fbf444d51ab71de409278f5857fb3"},
    {"4d757272617920526f746862617264",
     "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"
     "08dc2259e85ee14692354eaaf1eb3054054e738e46fe7f8a73e02e871c732c"},
    {"462e20412e20486179656b", "9505ef116d0a22648bd4fbb58cf08cfac297917e3bfccf17eff842"},
    {"4361726c204d656e676572", "28ef5ad914f57f499c5bd3171ea0f5911787e3eae0edc7ac56c003"},
    {"4a65616e2d426170746973746520536179",
     "896265d3ae0eecdb6bf340ad1c70c5347bfab494e08a475f86ddba09d3c7b768fe"},
    {"457567656e2042f6686d20766f6e2042617765726b",
     "35fb4019719e1a545360fba324db5456214935a221e12c2e16d5d8bfdc7342669f21e54cc6"},
};

enum {
    MESSAGE_ROOM = 128
};

struct pair { /* [0] initiates */
    struct dh_key keys[2];
    struct noise_handshake sides[2];
    struct noise_keys sessions[2];
    uint8_t ephemeral[2][32], psk[32];
};

static size_t from_hex(const char *text, uint8_t *out)
{
    size_t size = strlen(text) / 2;
    assert_true(size <= MESSAGE_ROOM && bytes_from_hex(text, out, size));
    return size;
}

static void start(struct pair *pair, int side)
{
    uint8_t prologue[MESSAGE_ROOM];
    struct bytes view = {prologue, from_hex(vector_prologue, prologue)};
    noise_start(&pair->sides[side], side == 0, &pair->keys[side], pair->keys[!side].public,
                pair->psk, view);
}

static struct pair *pair_new(void)
{
    struct pair *pair = secret_allocate(sizeof(*pair));
    from_hex(vector_psk, pair->psk);
    for (int side = 0; side < 2; side++) {
        uint8_t secret[32];
        from_hex(vector_static[side], secret);
        dh_key_from_secret(secret, &pair->keys[side]);
        from_hex(vector_ephemeral[side], pair->ephemeral[side]);
    }
    start(pair, 0);
    start(pair, 1);
    return pair;
}

static bool write(struct pair *pair, int side, struct bytes payload, uint8_t *out)
{
    return noise_write(&pair->sides[side], pair->ephemeral[side], payload, out);
}

/* Both messages, empty ones, and the keys. */
static void establish(struct pair *pair)
{
    uint8_t message[NOISE_MESSAGE_OVERHEAD], nothing[1];
    struct bytes view = {message, sizeof(message)};
    for (int side = 0; side < 2; side++) {
        assert_true(write(pair, side, (struct bytes){0}, message));
        assert_true(noise_read(&pair->sides[!side], view, nothing));
    }
    assert_true(noise_split(&pair->sides[0], &pair->sessions[0]));
    assert_true(noise_split(&pair->sides[1], &pair->sessions[1]));
}

static void static_keys_are_those_of_the_vector(void **state)
{
    struct pair *pair = pair_new();
    for (int side = 0; side < 2; side++) {
        uint8_t expected[MESSAGE_ROOM];
        from_hex(vector_public[side], expected);
        assert_memory_equal(pair->keys[side].public, expected, 32);
    }
    secret_free(pair);
}

static void the_handshake_is_that_of_the_vector(void **state)
{
    struct pair *pair = pair_new();
    for (int side = 0; side < 2; side++) {
        uint8_t payload[MESSAGE_ROOM], expected[MESSAGE_ROOM], got[MESSAGE_ROOM];
        struct bytes plain = {payload, from_hex(vector_messages[side].payload, payload)};
        struct bytes sealed = {got, from_hex(vector_messages[side].sealed, expected)};
        assert_int_equal(sealed.size, plain.size + NOISE_MESSAGE_OVERHEAD);
        assert_true(write(pair, side, plain, got));
        assert_memory_equal(got, expected, sealed.size);
        uint8_t read[MESSAGE_ROOM];
        assert_true(noise_read(&pair->sides[!side], sealed, read));
        assert_memory_equal(read, payload, plain.size);
    }
    uint8_t hash[MESSAGE_ROOM];
    from_hex(vector_hash, hash);
    assert_memory_equal(pair->sides[0].hash, hash, NOISE_HASH_SIZE);
    assert_memory_equal(pair->sides[1].hash, hash, NOISE_HASH_SIZE);
    secret_free(pair);
}

static void transport_messages_are_those_of_the_vector(void **state)
{
    struct pair *pair = pair_new();
    uint8_t payload[MESSAGE_ROOM], expected[MESSAGE_ROOM], got[MESSAGE_ROOM];
    for (int side = 0; side < 2; side++) {
        struct bytes plain = {payload, from_hex(vector_messages[side].payload, payload)};
        assert_true(write(pair, side, plain, got));
        struct bytes sealed = {got, plain.size + NOISE_MESSAGE_OVERHEAD};
        assert_true(noise_read(&pair->sides[!side], sealed, payload));
    }
    assert_true(noise_split(&pair->sides[0], &pair->sessions[0]));
    assert_true(noise_split(&pair->sides[1], &pair->sessions[1]));
    for (size_t i = 2; i < ARRAY_LENGTH(vector_messages); i++) {
        uint64_t counter = i / 2 - 1;
        struct bytes plain = {payload, from_hex(vector_messages[i].payload, payload)};
        struct bytes sealed = {got, from_hex(vector_messages[i].sealed, expected)};
        noise_seal(pair->sessions[i % 2].send, counter, (struct bytes){0}, plain, got);
        assert_memory_equal(got, expected, sealed.size);
        const uint8_t *key = pair->sessions[!(i % 2)].receive;
        assert_true(noise_open(key, counter, (struct bytes){0}, sealed, got));
        assert_memory_equal(got, payload, plain.size);
    }
    secret_free(pair);
}

static void any_other_psk_prologue_or_key_is_refused(void **state)
{
    uint8_t message[NOISE_MESSAGE_OVERHEAD], nothing[1];
    struct bytes view = {message, sizeof(message)};
    for (int what = 0; what < 4; what++) {
        struct pair *pair = pair_new();
        struct noise_handshake *reader = &pair->sides[1];
        if (what == 0)
            pair->psk[31] ^= 1;
        if (what == 1)
            pair->keys[0].public[3] ^= 1;
        if (what == 2) {
            pair->ephemeral[1][0] ^= 8; /* serves as another static key */
            dh_key_from_secret(pair->ephemeral[1], &pair->keys[1]);
        }
        start(pair, 1);
        if (what == 3)
            noise_start(reader, false, &pair->keys[1], pair->keys[0].public, pair->psk, view);
        assert_true(write(pair, 0, (struct bytes){0}, message));
        assert_false(noise_read(reader, view, nothing));
        secret_free(pair);
    }
}

static void a_change_of_any_bit_is_noticed(void **state)
{
    for (int side = 0; side < 2; side++) {
        struct pair *pair = pair_new();
        uint8_t message[NOISE_MESSAGE_OVERHEAD + 4], out[4];
        struct bytes payload = {(const uint8_t *)"load", 4}, view = {message, sizeof(message)};
        if (side == 1) {
            assert_true(write(pair, 0, payload, message));
            assert_true(noise_read(&pair->sides[1], view, out));
        }
        assert_true(write(pair, side, payload, message));
        for (size_t bit = 0; bit < sizeof(message) * 8; bit++) {
            message[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (side == 0)
                start(pair, 1);
            assert_false(noise_read(&pair->sides[!side], view, out));
            message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        if (side == 1) /* none of it has spoiled the handshake of the initiator */
            assert_true(noise_read(&pair->sides[0], view, out));
        secret_free(pair);
    }
}

static void a_refused_first_message_leaves_no_secret(void **state)
{
    struct pair *pair = pair_new();
    struct noise_handshake empty = {.is_over = true};
    uint8_t message[NOISE_MESSAGE_OVERHEAD] = {9}, nothing[1];
    assert_false(
        noise_read(&pair->sides[1], (struct bytes){message, sizeof(message)}, nothing));
    memset(pair->sides[1].hash, 0, NOISE_HASH_SIZE); /* not secret */
    assert_memory_equal(&pair->sides[1], &empty, sizeof(empty));
    secret_free(pair);
}

static void what_has_been_split_has_no_secret_left(void **state)
{
    struct pair *pair = pair_new();
    struct noise_keys keys;
    struct noise_handshake empty = {.is_over = true};
    establish(pair);
    for (int side = 0; side < 2; side++) {
        assert_false(noise_split(&pair->sides[side], &keys));
        memset(pair->sides[side].hash, 0, NOISE_HASH_SIZE);
        assert_memory_equal(&pair->sides[side], &empty, sizeof(empty));
    }
    secret_free(pair);
}

static void nobody_speaks_out_of_turn(void **state)
{
    struct pair *pair = pair_new();
    struct noise_keys keys;
    uint8_t message[NOISE_MESSAGE_OVERHEAD], nothing[1];
    struct bytes view = {message, sizeof(message)}, empty = {0};
    assert_false(write(pair, 1, empty, message));
    assert_true(write(pair, 0, empty, message));
    assert_false(write(pair, 0, empty, message));
    assert_false(noise_read(&pair->sides[0], view, nothing)); /* its own, reflected */
    assert_true(noise_read(&pair->sides[1], view, nothing));
    assert_false(noise_read(&pair->sides[1], view, nothing));
    assert_false(noise_split(&pair->sides[1], &keys));
    for (size_t size = 0; size < sizeof(message); size++)
        assert_false(noise_read(&pair->sides[0], (struct bytes){message, size}, nothing));
    secret_free(pair);
}

static void a_peer_key_of_small_order_ends_the_handshake(void **state)
{
    struct pair *pair = pair_new();
    uint8_t message[NOISE_MESSAGE_OVERHEAD];
    memset(pair->keys[1].public, 0, 32);
    start(pair, 0);
    assert_false(write(pair, 0, (struct bytes){0}, message));
    assert_true(pair->sides[0].is_over);
    secret_free(pair);
}

static void a_sealed_message_opens_under_its_counter_and_data_alone(void **state)
{
    struct pair *pair = pair_new();
    establish(pair);
    struct bytes data = {(const uint8_t *)"head", 4};
    uint8_t message[4 + NOISE_TAG_SIZE] = "text", copy[sizeof(message)];
    struct bytes sealed = {message, sizeof(message)};
    noise_seal(pair->sessions[0].send, 1ull << 40, data, (struct bytes){message, 4}, message);
    const uint8_t *key = pair->sessions[1].receive;
    assert_false(noise_open(key, 0, data, sealed, copy));
    assert_false(noise_open(key, 1ull << 40, (struct bytes){data.data, 3}, sealed, copy));
    assert_false(noise_open(pair->sessions[1].send, 1ull << 40, data, sealed, copy));
    assert_true(noise_open(key, 1ull << 40, data, sealed, message)); /* in place */
    assert_memory_equal(message, "text", 4);
    secret_free(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_keys_are_those_of_the_vector),
        cmocka_unit_test(the_handshake_is_that_of_the_vector),
        cmocka_unit_test(transport_messages_are_those_of_the_vector),
        cmocka_unit_test(any_other_psk_prologue_or_key_is_refused),
        cmocka_unit_test(a_change_of_any_bit_is_noticed),
        cmocka_unit_test(a_refused_first_message_leaves_no_secret),
        cmocka_unit_test(what_has_been_split_has_no_secret_left),
        cmocka_unit_test(nobody_speaks_out_of_turn),
        cmocka_unit_test(a_peer_key_of_small_order_ends_the_handshake),
        cmocka_unit_test(a_sealed_message_opens_under_its_counter_and_data_alone),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

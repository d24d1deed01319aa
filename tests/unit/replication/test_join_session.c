#include "replication/join_session.h"
#include "tests/support/test.h"

#include "lbnode/base/random.h"

#include <stdlib.h>
#include <string.h>

enum {
    LARGE = 3 * JOIN_CHUNK + 7
};

static struct side {
    struct sign_key *key;
    struct join_session session;
} joiner, inviter;

static struct join_parties parties;
static uint8_t psk[TOKEN_PSK_SIZE];

static void start_both(void)
{
    assert_true(join_session_start(&joiner.session, true, joiner.key, &parties, psk));
    assert_true(join_session_start(&inviter.session, false, inviter.key, &parties, psk));
}

static int set_up(void **state)
{
    joiner.key = sign_key_generate();
    inviter.key = sign_key_generate();
    parties = (struct join_parties){.cluster_id = {{9}}, .token_id = {7}};
    memcpy(parties.joiner_key, sign_key_public(joiner.key), SIGN_PUBLIC_KEY_SIZE);
    memcpy(parties.inviter_key, sign_key_public(inviter.key), SIGN_PUBLIC_KEY_SIZE);
    memset(psk, 0x31, sizeof(psk));
    start_both();
    return 0;
}

static int tear_down(void **state)
{
    sign_key_free(joiner.key);
    sign_key_free(inviter.key);
    return 0;
}

static struct bytes text(const char *said)
{
    return (struct bytes){(const uint8_t *)said, strlen(said)};
}

static struct wire_writer handshake_message(struct side *side, const char *said)
{
    struct wire_writer out = {0};
    uint8_t ephemeral[DH_KEY_SIZE];
    random_bytes(ephemeral, sizeof(ephemeral));
    assert_true(join_session_write(&side->session, &parties, ephemeral, text(said), &out));
    return out;
}

static bool reads(struct side *side, struct wire_writer *message, const char *expected)
{
    struct wire_writer payload = {0};
    bool good = join_session_read(&side->session, &parties, wire_written(message), &payload);
    if (good)
        assert_true(bytes_equal(wire_written(&payload), text(expected)));
    wire_writer_free(&payload);
    wire_writer_free(message);
    return good;
}

static void shake_hands(void)
{
    struct wire_writer message = handshake_message(&joiner, "who I am");
    assert_true(reads(&inviter, &message, "who I am"));
    message = handshake_message(&inviter, "welcome");
    assert_true(reads(&joiner, &message, "welcome"));
}

static struct wire_writer sealed(struct side *side, uint8_t type, struct bytes body)
{
    struct wire_writer out = {0};
    join_session_seal(&side->session, type, body, &out);
    return out;
}

static bool
opens(struct side *side, struct wire_writer *message, uint8_t type, struct bytes body)
{
    struct wire_writer opened = {0};
    uint8_t found;
    bool good = join_session_open(&side->session, wire_written(message), &found, &opened);
    if (good) {
        assert_int_equal(found, type);
        assert_true(bytes_equal(wire_written(&opened), body));
    }
    wire_writer_free(&opened);
    wire_writer_free(message);
    return good;
}

static void what_is_said_reaches_the_other_side_and_both_have_one_fingerprint(void **state)
{
    uint8_t *large = calloc(1, LARGE);
    const struct bytes bodies[] = {{large, LARGE}, {large, JOIN_CHUNK}, text("x"), {large, 0}};
    shake_hands();
    assert_memory_equal(joiner.session.fingerprint, inviter.session.fingerprint,
                        FINGERPRINT_SIZE);
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        struct wire_writer message = sealed(&inviter, 22, bodies[i]);
        assert_true(opens(&joiner, &message, 22, bodies[i]));
        message = sealed(&joiner, 34, bodies[i]);
        assert_true(opens(&inviter, &message, 34, bodies[i]));
    }
    free(large);
}

static void who_the_node_is_cannot_be_read_on_the_wire(void **state)
{
    struct wire_writer message = handshake_message(&joiner, "who I am");
    assert_null(memmem(message.data, message.size, "who I am", 8));
    wire_writer_free(&message);
}

static void another_secret_key_cluster_or_token_is_not_understood(void **state)
{
    struct join_parties right = parties;
    uint8_t *const changed[] = {psk, parties.cluster_id.bytes, parties.token_id};
    for (size_t i = 0; i < ARRAY_LENGTH(changed); i++) {
        changed[i][0] ^= 1;
        assert_true(join_session_start(&inviter.session, false, inviter.key, &parties, psk));
        changed[i][0] ^= 1;
        assert_true(join_session_start(&joiner.session, true, joiner.key, &right, psk));
        struct wire_writer message = handshake_message(&joiner, "");
        assert_false(reads(&inviter, &message, ""));
    }
    /* The joiner's key is taken by somebody who does not have it. */
    struct side thief = {.key = sign_key_generate()};
    assert_true(join_session_start(&thief.session, true, thief.key, &parties, psk));
    assert_true(join_session_start(&inviter.session, false, inviter.key, &parties, psk));
    struct wire_writer message = handshake_message(&thief, "");
    assert_false(reads(&inviter, &message, ""));
    sign_key_free(thief.key);
}

static void a_message_is_refused_unless_it_is_whole_unchanged_and_new(void **state)
{
    uint8_t *large = calloc(1, LARGE);
    const struct bytes body = {large, LARGE};
    const size_t cuts[] = {1, NOISE_TAG_SIZE, 7 + NOISE_TAG_SIZE, LARGE};
    for (size_t i = 0; i < ARRAY_LENGTH(cuts); i++) {
        start_both();
        shake_hands();
        struct wire_writer message = sealed(&inviter, 22, body);
        message.size -= cuts[i];
        assert_false(opens(&joiner, &message, 22, body));
    }
    start_both();
    shake_hands();
    struct wire_writer message = sealed(&inviter, 22, body);
    message.data[3] = 23; /* its type is not sealed, but bound to what is */
    assert_false(opens(&joiner, &message, 23, body));
    message = sealed(&inviter, 22, body);
    assert_false(opens(&joiner, &message, 22, body)); /* after that nothing is believed */
    start_both();
    shake_hands();
    struct wire_writer again = {0};
    message = sealed(&inviter, 22, body);
    wire_append(&again, message.data, message.size);
    assert_true(opens(&joiner, &message, 22, body));
    assert_false(opens(&joiner, &again, 22, body));
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            what_is_said_reaches_the_other_side_and_both_have_one_fingerprint, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(who_the_node_is_cannot_be_read_on_the_wire, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_secret_key_cluster_or_token_is_not_understood,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_message_is_refused_unless_it_is_whole_unchanged_and_new, set_up, tear_down),
    };
    crypto_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

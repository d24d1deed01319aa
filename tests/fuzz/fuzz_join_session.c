/* The conversation of a join. The first byte of the input says what the rest is:
 * 0 a handshake message by somebody without the token; 1 what a joiner with the token says
 * about itself; 2 a message after the handshake by somebody who lacks its keys; 3 a genuine
 * one, of some chunks, of which a byte is changed on its way, or none. */
#include "replication/join_session.h"
#include "replication/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    KINDS = 4,
    BODY_MAXIMUM = 3 * JOIN_CHUNK,
    SOME_TYPE = 40
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t psk[TOKEN_PSK_SIZE] = "token", ephemeral[2][DH_KEY_SIZE] = {{1}, {2}};

struct conversation {
    struct sign_key *keys[2]; /* joiner, inviter */
    struct join_parties parties;
    struct join_session fresh[2], established[2];
};

static void start(const struct conversation *talk, struct join_session sessions[2])
{
    for (int i = 0; i < 2; i++)
        if (!join_session_start(&sessions[i], i == 0, talk->keys[i], &talk->parties, psk))
            abort();
}

static void pass(const struct conversation *talk,
                 struct join_session sessions[2],
                 int from,
                 struct bytes payload,
                 struct wire_writer *out)
{
    struct wire_writer message = {0};
    if (!join_session_write(&sessions[from], &talk->parties, ephemeral[from], payload,
                            &message) ||
        !join_session_read(&sessions[!from], &talk->parties, wire_written(&message), out))
        abort();
    wire_writer_free(&message);
}

static const struct conversation *conversation(void)
{
    static struct conversation talk; /* made once: key agreements cost time */
    if (talk.keys[0])
        return &talk;
    crypto_start();
    for (int i = 0; i < 2; i++)
        talk.keys[i] = sign_key_from_seed((uint8_t[SIGN_SEED_SIZE]){(uint8_t)(i + 1)});
    memcpy(talk.parties.joiner_key, sign_key_public(talk.keys[0]), SIGN_PUBLIC_KEY_SIZE);
    memcpy(talk.parties.inviter_key, sign_key_public(talk.keys[1]), SIGN_PUBLIC_KEY_SIZE);
    start(&talk, talk.fresh);
    start(&talk, talk.established);
    for (int from = 0; from < 2; from++) {
        struct wire_writer nothing = {0};
        pass(&talk, talk.established, from, (struct bytes){0}, &nothing);
        wire_writer_free(&nothing);
    }
    if (!talk.established[0].established || !talk.established[1].established)
        abort();
    return &talk;
}

static void forged_handshake(const struct conversation *talk, struct bytes message)
{
    struct join_session inviter = talk->fresh[1];
    struct wire_writer payload = {0};
    if (join_session_read(&inviter, &talk->parties, message, &payload))
        abort();
    wire_writer_free(&payload);
}

static void genuine_facts(const struct conversation *talk, struct bytes facts)
{
    struct join_session sessions[2] = {talk->fresh[0], talk->fresh[1]};
    struct wire_writer payload = {0}, again = {0};
    struct join_facts parsed, back;
    pass(talk, sessions, 0, facts, &payload);
    if (!bytes_equal(wire_written(&payload), facts))
        abort();
    if (join_facts_parse(wire_written(&payload), &parsed)) {
        join_facts_put(&again, &parsed);
        if (!join_facts_parse(wire_written(&again), &back) ||
            strcmp(parsed.name, back.name) != 0 ||
            !uuid_equal(&parsed.node_id, &back.node_id) || parsed.protocol != back.protocol)
            abort();
        join_facts_free(&back);
        join_facts_free(&parsed);
    }
    wire_writer_free(&payload);
    wire_writer_free(&again);
}

/* Does the inviter take MESSAGE? A session that was lied to is over. */
static bool is_taken(const struct conversation *talk, struct bytes message, struct bytes body)
{
    struct join_session inviter = talk->established[1];
    struct wire_writer opened = {0};
    uint8_t type;
    bool good = join_session_open(&inviter, message, &type, &opened);
    if (good != inviter.established ||
        (good && (type != SOME_TYPE || !bytes_equal(wire_written(&opened), body))))
        abort();
    wire_writer_free(&opened);
    return good;
}

static void changed_message(const struct conversation *talk, struct bytes in)
{
    struct join_session joiner = talk->established[0];
    struct wire_writer body = {0}, message = {0};
    if (in.size < 4)
        return;
    size_t size = load_be16(in.data) % BODY_MAXIMUM, at = load_be16(in.data + 2);
    while (body.size < size)
        wire_append(&body, in.data, in.size < size - body.size ? in.size : size - body.size);
    join_session_seal(&joiner, SOME_TYPE, wire_written(&body), &message);
    if (at < message.size) {
        size_t left = in.size % 3 == 0 ? at : message.size; /* cut there */
        message.data[at] ^= in.data[in.size - 1];
        bool is_same = in.data[in.size - 1] == 0 && left == message.size;
        if (is_taken(talk, (struct bytes){message.data, left}, wire_written(&body)) != is_same)
            abort();
    } else if (!is_taken(talk, wire_written(&message), wire_written(&body))) {
        abort();
    }
    wire_writer_free(&body);
    wire_writer_free(&message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct conversation *talk = conversation();
    if (size == 0 || size > BODY_MAXIMUM)
        return 0;
    struct bytes rest = {data + 1, size - 1};
    switch (data[0] % KINDS) {
    case 0: forged_handshake(talk, rest); break;
    case 1: genuine_facts(talk, rest); break;
    case 2:
        if (is_taken(talk, rest, rest))
            abort();
        break;
    default: changed_message(talk, rest); break;
    }
    return 0;
}

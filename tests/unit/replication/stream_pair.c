#include "stream_pair.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t secret[SESSION_SECRET_SIZE] = "the secret of the cluster, 32 b";

static void set_terms(struct stream_pair *pair, int side)
{
    pair->terms[side] = (struct stream_terms){
        .cluster_id = {"cluster of both"},
        .key = &pair->keys[side],
        .peer = pair->keys[!side].public,
        .psk = pair->psk,
        .mac_key = pair->mac_keys[side],
        .peer_mac_key = pair->mac_keys[!side],
        .minimum_protocol = 2,
        .maximum_protocol = 2,
    };
}

struct stream_pair *stream_pair_new(void)
{
    struct stream_pair *pair = secret_allocate(sizeof(*pair));
    session_psk(secret, pair->psk);
    for (int side = 0; side < 2; side++) {
        const uint8_t seed[DH_KEY_SIZE] = {0, (uint8_t)(side + 1)};
        dh_key_from_secret(seed, &pair->keys[side]);
        session_mac_key(secret, pair->keys[side].public, pair->mac_keys[side]);
    }
    for (int side = 0; side < 2; side++)
        set_terms(pair, side);
    pair->init =
        (struct stream_init){.secret_version = 7, .sender = "initiato", .incarnation = 5};
    pair->now_us = 1000000000;
    return pair;
}

void stream_pair_free(struct stream_pair *pair)
{
    for (int side = 0; side < 2; side++)
        stream_session_free(pair->sides[side]);
    secret_free(pair);
}

static const uint8_t *ephemeral(struct stream_pair *pair, uint8_t out[DH_KEY_SIZE])
{
    memset(out, 0x55, DH_KEY_SIZE);
    out[1] = ++pair->counter; /* of the first byte some bits do not count */
    return out;
}

static struct stream_session *anew(struct stream_pair *pair, int side)
{
    stream_session_free(pair->sides[side]);
    pair->sides[side] = stream_session_new();
    return pair->sides[side];
}

size_t stream_pair_begin(struct stream_pair *pair, uint8_t out[STREAM_HANDSHAKE_MAXIMUM])
{
    uint8_t head[SESSION_INIT_HEAD], random[DH_KEY_SIZE];
    pair->init.number++;
    stream_init_head(&pair->init, head);
    return stream_session_initiate(anew(pair, 0), &pair->terms[0], head,
                                   ephemeral(pair, random), pair->now_us, out);
}

enum stream_verdict stream_pair_answer(struct stream_pair *pair,
                                       struct bytes bytes,
                                       uint8_t out[STREAM_HANDSHAKE_MAXIMUM],
                                       size_t *out_size)
{
    struct stream_init init;
    uint8_t random[DH_KEY_SIZE];
    *out_size = 0;
    enum stream_verdict verdict = stream_init_parse(bytes, &init);
    if (verdict != STREAM_ANSWERED)
        return verdict;
    if (!stream_init_mac_is_right(&init, pair->mac_keys[1]))
        return STREAM_FOREIGN;
    verdict = stream_gate_ask(&pair->gate, &init, pair->now_us);
    if (verdict != STREAM_ANSWERED)
        return verdict;
    verdict = stream_session_answer(anew(pair, 1), &pair->terms[1], &init,
                                    ephemeral(pair, random), pair->now_us, out, out_size);
    if (verdict == STREAM_ANSWERED)
        stream_gate_close(&pair->gate, &init);
    return verdict;
}

void stream_pair_shake(struct stream_pair *pair, uint8_t *proof)
{
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], response[STREAM_HANDSHAKE_MAXIMUM];
    uint8_t room[STREAM_PLAIN_MAXIMUM];
    struct stream_received received;
    size_t size = stream_pair_begin(pair, init), response_size;
    if (stream_pair_answer(pair, (struct bytes){init, size}, response, &response_size) !=
        STREAM_ANSWERED)
        abort();
    stream_session_receive(pair->sides[0], (struct bytes){response, response_size}, room,
                           &received);
    if (received.verdict != STREAM_ESTABLISHED || received.reply_size != STREAM_OVERHEAD)
        abort();
    memcpy(proof, received.reply, STREAM_OVERHEAD);
}

void stream_pair_connect(struct stream_pair *pair)
{
    uint8_t proof[STREAM_OVERHEAD], room[STREAM_PLAIN_MAXIMUM];
    struct stream_received received;
    stream_pair_shake(pair, proof);
    stream_session_receive(pair->sides[1], (struct bytes){proof, sizeof(proof)}, room,
                           &received);
    if (received.verdict != STREAM_PROVED)
        abort();
}

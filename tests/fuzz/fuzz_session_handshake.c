/* Handshake messages: as strangers send them, as somebody who has the cluster's secret and no
 * key does, and with any payload from a genuine peer. The first byte says which. */
#include "fuzz_session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    AS_IT_IS,
    WITH_MAC,
    INIT_PAYLOAD,
    RESPONSE_PAYLOAD,
    WAYS
};

static void forged(struct fuzz_pair *pair, const uint8_t *data, size_t size, bool with_mac)
{
    uint8_t *message = malloc(size ? size : 1);
    struct session_action init;
    sessions_tick(pair->nodes[1], FUZZ_NOW_US, &init); /* a handshake is under way */
    if (!message)
        abort();
    memcpy(message, data, size);
    if (with_mac && size >= SESSION_MAC_SIZE)
        fuzz_mac(pair, 1, message, size);
    struct session_received received = fuzz_receive(pair, 1, (struct bytes){message, size});
    const struct session_peer *peer = &pair->nodes[1]->peers[0];
    if (received.reply_size > 0 || received.place >= 0 || peer->current.is_used ||
        peer->waiting.is_used || peer->number > 0 || !peer->attempt.is_used)
        abort();
    free(message);
}

/* The peer's Noise message with PAYLOAD after HEAD. */
static struct session_received send_genuine(struct fuzz_pair *pair,
                                            int receiver,
                                            struct noise_handshake *handshake,
                                            struct bytes head,
                                            struct bytes payload)
{
    static const uint8_t ephemeral[DH_KEY_SIZE] = {77};
    uint8_t message[SESSION_INIT_MAXIMUM];
    size_t size = head.size + NOISE_MESSAGE_OVERHEAD + payload.size + SESSION_MAC_SIZE;
    memcpy(message, head.data, head.size);
    if (!noise_write(handshake, ephemeral, payload, message + head.size))
        abort();
    fuzz_mac(pair, receiver, message, size);
    return fuzz_receive(pair, receiver, (struct bytes){message, size});
}

static void genuine_init(struct fuzz_pair *pair, struct bytes payload)
{
    const struct session_message init = {.secret_version = 1, .incarnation = 5, .number = 1};
    struct sessions *sender = pair->nodes[0];
    struct noise_handshake handshake;
    uint8_t head[SESSION_INIT_HEAD];
    session_init_head(&init, head);
    session_handshake_start(sender, &handshake, true, &sender->peers[0], sender->secrets[0].psk,
                            head);
    struct bytes head_view = {head, sizeof(head)};
    struct session_received received = send_genuine(pair, 1, &handshake, head_view, payload);
    bool is_answered = received.verdict == SESSION_ANSWERED;
    if (is_answered != (received.reply_size == SESSION_RESPONSE_SIZE) ||
        is_answered != pair->nodes[1]->peers[0].waiting.is_used)
        abort();
}

static void genuine_response(struct fuzz_pair *pair, struct bytes payload)
{
    struct session_action init;
    struct session_message parsed;
    struct sessions *answerer = pair->nodes[1];
    struct noise_handshake handshake;
    uint8_t nothing[SESSION_OFFER_MAXIMUM], head[SESSION_RESPONSE_HEAD];
    if (!sessions_tick(pair->nodes[0], FUZZ_NOW_US, &init) ||
        !session_message_parse((struct bytes){init.bytes, init.size}, &parsed))
        abort();
    session_handshake_start(answerer, &handshake, false, &answerer->peers[0],
                            answerer->secrets[0].psk, init.bytes);
    if (!noise_read(&handshake, parsed.body, nothing))
        abort();
    session_response_head(load_be32(nothing), head);
    struct bytes head_view = {head, sizeof(head)};
    struct session_received received = send_genuine(pair, 0, &handshake, head_view, payload);
    bool is_established = received.verdict == SESSION_ESTABLISHED;
    if (is_established != pair->nodes[0]->peers[0].current.is_used ||
        is_established != (received.reply_size == SESSION_DATA_OVERHEAD))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > SESSION_INIT_MAXIMUM)
        return 0;
    int way = data[0] % WAYS;
    struct bytes rest = {data + 1, size - 1};
    if (way >= INIT_PAYLOAD && rest.size > SESSION_OFFER_MAXIMUM)
        return 0;
    struct fuzz_pair *pair = fuzz_pair_get(false);
    if (way == INIT_PAYLOAD)
        genuine_init(pair, rest);
    else if (way == RESPONSE_PAYLOAD)
        genuine_response(pair, rest);
    else
        forged(pair, rest.data, rest.size, way == WITH_MAC);
    return 0;
}

/* What comes in on an encrypted stream. The first byte says how: as the first frame of a
 * stranger, of somebody who has the cluster's secret and no key, of a genuine peer with any
 * payload; as an answer, likewise; then as bytes that nobody encrypted, and as messages that a
 * genuine peer encrypted, one after each other byte: kind and size. */
#include "../unit/replication/stream_pair.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INIT_AS_IT_IS,
    INIT_WITH_MAC,
    INIT_PAYLOAD,
    RESPONSE_AS_IT_IS,
    RESPONSE_PAYLOAD,
    FORGED_MESSAGES,
    GENUINE_MESSAGES,
    WAYS
};

static const uint8_t ephemeral[DH_KEY_SIZE] = {0, 99};

static void prologue_of(const struct stream_pair *pair, const uint8_t *head, uint8_t *out)
{
    memcpy(out, "lbnode/1/stream", 15);
    memcpy(out + 15, pair->terms[0].cluster_id.bytes, 16);
    memcpy(out + 31, head, SESSION_INIT_HEAD);
}

static void noise_of(const struct stream_pair *pair,
                     int side,
                     const uint8_t *head,
                     struct noise_handshake *out)
{
    uint8_t prologue[31 + SESSION_INIT_HEAD];
    prologue_of(pair, head, prologue);
    noise_start(out, side == 0, &pair->keys[side], pair->keys[!side].public, pair->psk,
                (struct bytes){prologue, sizeof(prologue)});
}

static void put_mac(const struct stream_pair *pair, int receiver, uint8_t *frame, size_t size)
{
    size_t covered = size - STREAM_LENGTH_SIZE - SESSION_MAC_SIZE;
    store_be16(frame, (uint16_t)(size - STREAM_LENGTH_SIZE));
    session_mac(pair->mac_keys[receiver], (struct bytes){frame + STREAM_LENGTH_SIZE, covered},
                frame + STREAM_LENGTH_SIZE + covered);
}

/* HEAD, a genuine Noise message with PAYLOAD, mac. */
static size_t genuine_frame(const struct stream_pair *pair,
                            struct noise_handshake *handshake,
                            struct bytes head,
                            struct bytes payload,
                            uint8_t out[STREAM_HANDSHAKE_MAXIMUM])
{
    size_t size = STREAM_LENGTH_SIZE + head.size + NOISE_MESSAGE_OVERHEAD + payload.size +
                  SESSION_MAC_SIZE;
    memcpy(out + STREAM_LENGTH_SIZE, head.data, head.size);
    if (!noise_write(handshake, ephemeral, payload, out + STREAM_LENGTH_SIZE + head.size))
        abort();
    put_mac(pair, handshake->is_initiator, out, size);
    return size;
}

static enum stream_verdict give_init(struct stream_pair *pair, struct bytes frame)
{
    uint8_t out[STREAM_HANDSHAKE_MAXIMUM];
    size_t out_size;
    enum stream_verdict verdict = stream_pair_answer(pair, frame, out, &out_size);
    if ((verdict == STREAM_ANSWERED) != (out_size > 0) || out_size >= frame.size)
        abort();
    return verdict;
}

static void forged_init(struct stream_pair *pair, struct bytes bytes, bool with_mac)
{
    uint8_t frame[STREAM_HANDSHAKE_MAXIMUM];
    if (bytes.size > sizeof(frame))
        return;
    memcpy(frame, bytes.data, bytes.size);
    if (with_mac && bytes.size >= STREAM_LENGTH_SIZE + SESSION_MAC_SIZE)
        put_mac(pair, 1, frame, bytes.size);
    enum stream_verdict verdict =
        bytes.size > 0 ? give_init(pair, (struct bytes){frame, bytes.size}) : STREAM_PARTIAL;
    if (verdict > STREAM_PARTIAL || pair->gate.number > 0)
        abort();
}

static void genuine_init(struct stream_pair *pair, struct bytes payload)
{
    uint8_t frame[STREAM_HANDSHAKE_MAXIMUM], head[SESSION_INIT_HEAD];
    struct noise_handshake handshake;
    if (payload.size > SESSION_OFFER_MAXIMUM)
        return;
    pair->init.number = 1;
    stream_init_head(&pair->init, head);
    noise_of(pair, 0, head, &handshake);
    size_t size =
        genuine_frame(pair, &handshake, (struct bytes){head, sizeof(head)}, payload, frame);
    if ((give_init(pair, (struct bytes){frame, size}) == STREAM_ANSWERED) !=
        (pair->gate.number == 1))
        abort();
}

static void response(struct stream_pair *pair, struct bytes bytes, bool is_genuine)
{
    static const uint8_t head[STREAM_RESPONSE_HEAD] = {STREAM_RESPONSE, SESSION_VERSION};
    uint8_t init[STREAM_HANDSHAKE_MAXIMUM], frame[STREAM_HANDSHAKE_MAXIMUM];
    uint8_t nothing[SESSION_OFFER_MAXIMUM], room[STREAM_PLAIN_MAXIMUM];
    struct stream_init parsed;
    struct stream_received received;
    struct noise_handshake handshake;
    struct bytes in = bytes;
    size_t size = stream_pair_begin(pair, init);
    if (is_genuine && bytes.size > SESSION_OFFER_MAXIMUM)
        return;
    if (is_genuine) {
        stream_init_parse((struct bytes){init, size}, &parsed);
        noise_of(pair, 1, parsed.head.data, &handshake);
        if (!noise_read(&handshake, parsed.body, nothing))
            abort();
        size =
            genuine_frame(pair, &handshake, (struct bytes){head, sizeof(head)}, bytes, frame);
        in = (struct bytes){frame, size};
    }
    stream_session_receive(pair->sides[0], in, room, &received);
    if ((received.verdict == STREAM_ESTABLISHED) != stream_session_is_open(pair->sides[0]) ||
        (received.verdict == STREAM_ESTABLISHED) != (received.reply_size > 0) ||
        (!is_genuine && received.verdict > STREAM_PARTIAL))
        abort();
}

/* Bytes to side 1 until one is refused; how many messages came out. */
static int feed(struct stream_pair *pair, struct bytes in)
{
    uint8_t room[STREAM_PLAIN_MAXIMUM];
    struct stream_received received = {.verdict = STREAM_OPENED};
    int count = 0;
    while (received.verdict > STREAM_PARTIAL) {
        stream_session_receive(pair->sides[1], in, room, &received);
        if (received.used > in.size || received.plain.size > STREAM_DATA_MAXIMUM)
            abort();
        in.data += received.used;
        in.size -= received.used;
        count += received.verdict > STREAM_PARTIAL;
    }
    return count;
}

/* The keys that side 0 would send with, after a handshake by hand. */
static void connect_by_hand(struct stream_pair *pair, struct noise_keys *out)
{
    static const uint8_t offer[SESSION_OFFER_SIZE] = {0, 0, 0, 0, 0, 2, 0, 2};
    uint8_t frame[STREAM_HANDSHAKE_MAXIMUM], head[SESSION_INIT_HEAD], nothing[64];
    struct noise_handshake handshake;
    size_t answer_size, covered;
    pair->init.number = 1;
    stream_init_head(&pair->init, head);
    noise_of(pair, 0, head, &handshake);
    size_t size = genuine_frame(pair, &handshake, (struct bytes){head, sizeof(head)},
                                (struct bytes){offer, sizeof(offer)}, frame);
    uint8_t answer[STREAM_HANDSHAKE_MAXIMUM];
    if (stream_pair_answer(pair, (struct bytes){frame, size}, answer, &answer_size) !=
        STREAM_ANSWERED)
        abort();
    covered = STREAM_LENGTH_SIZE + STREAM_RESPONSE_HEAD;
    if (!noise_read(&handshake,
                    (struct bytes){answer + covered, answer_size - covered - SESSION_MAC_SIZE},
                    nothing) ||
        !noise_split(&handshake, out))
        abort();
}

static size_t
seal(const uint8_t *key, uint64_t counter, const uint8_t *plain, size_t size, uint8_t *out)
{
    store_be16(out, (uint16_t)(size + NOISE_TAG_SIZE));
    noise_seal(key, counter, (struct bytes){0}, (struct bytes){plain, size},
               out + STREAM_LENGTH_SIZE);
    return STREAM_LENGTH_SIZE + size + NOISE_TAG_SIZE;
}

static void genuine_messages(struct stream_pair *pair, struct bytes script)
{
    static uint8_t plain[256], sealed[512];
    struct noise_keys keys;
    connect_by_hand(pair, &keys);
    plain[0] = STREAM_KIND_DATA;
    size_t size = seal(keys.send, 0, plain, 1, sealed);
    if (feed(pair, (struct bytes){sealed, size}) != 1)
        abort();
    for (size_t i = 0; i + 1 < script.size && i < 64; i += 2) {
        plain[0] = script.data[i];
        size = seal(keys.send, 1 + i / 2, plain, script.data[i + 1], sealed);
        int count = feed(pair, (struct bytes){sealed, size});
        if (count == 1 && plain[0] == STREAM_KIND_REKEY && script.data[i + 1] == 1)
            noise_rekey(keys.send);
        if (count == 0)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 4096)
        return 0;
    struct bytes rest = {data + 1, size - 1};
    crypto_start();
    struct stream_pair *pair = stream_pair_new();
    int way = data[0] % WAYS;
    switch (way) {
    case INIT_AS_IT_IS:
    case INIT_WITH_MAC: forged_init(pair, rest, way == INIT_WITH_MAC); break;
    case INIT_PAYLOAD: genuine_init(pair, rest); break;
    case RESPONSE_AS_IT_IS:
    case RESPONSE_PAYLOAD: response(pair, rest, way == RESPONSE_PAYLOAD); break;
    case FORGED_MESSAGES:
        stream_pair_connect(pair);
        if (feed(pair, rest) > 0)
            abort();
        break;
    default: genuine_messages(pair, rest);
    }
    stream_pair_free(pair);
    return 0;
}

#include "replication/stream_session.h"

#include <string.h>

enum {
    INIT_MINIMUM =
        SESSION_INIT_HEAD + NOISE_MESSAGE_OVERHEAD + SESSION_OFFER_SIZE + SESSION_MAC_SIZE
};

static bool init_is_valid(struct bytes message)
{
    return message.size >= INIT_MINIMUM && message.data[0] == STREAM_INIT &&
           message.data[1] == SESSION_VERSION && load_be32(message.data + 4) == 0;
}

enum stream_verdict stream_init_parse(struct bytes in, struct stream_init *out)
{
    if (in.size < STREAM_LENGTH_SIZE)
        return STREAM_PARTIAL;
    size_t size = load_be16(in.data);
    if (size < INIT_MINIMUM || size > SESSION_INIT_MAXIMUM)
        return STREAM_MALFORMED;
    if (in.size < STREAM_LENGTH_SIZE + size)
        return STREAM_PARTIAL;
    struct bytes message = {in.data + STREAM_LENGTH_SIZE, size};
    if (!init_is_valid(message))
        return STREAM_MALFORMED;
    size_t covered = size - SESSION_MAC_SIZE;
    *out = (struct stream_init){
        .secret_version = load_be16(message.data + 2),
        .incarnation = load_be64(message.data + 16),
        .number = load_be64(message.data + 24),
        .head = {message.data, SESSION_INIT_HEAD},
        .body = {message.data + SESSION_INIT_HEAD, covered - SESSION_INIT_HEAD},
        .covered = {message.data, covered},
        .mac = message.data + covered,
        .frame_size = STREAM_LENGTH_SIZE + size,
    };
    memcpy(out->sender, message.data + 8, sizeof(out->sender));
    return STREAM_ANSWERED;
}

void stream_init_head(const struct stream_init *init, uint8_t out[SESSION_INIT_HEAD])
{
    struct session_message message = {
        .secret_version = init->secret_version,
        .incarnation = init->incarnation,
        .number = init->number,
    };
    memcpy(message.sender, init->sender, sizeof(message.sender));
    session_init_head(&message, out);
    out[0] = STREAM_INIT;
}

bool stream_init_mac_is_right(const struct stream_init *init,
                              const uint8_t mac_key[HASH_KEY_SIZE])
{
    uint8_t right[SESSION_MAC_SIZE];
    session_mac(mac_key, init->covered, right);
    return constant_time_equal(right, init->mac, sizeof(right));
}

enum stream_verdict
stream_gate_ask(struct stream_gate *gate, const struct stream_init *init, uint64_t now_us)
{
    if (init->incarnation < gate->incarnation ||
        (init->incarnation == gate->incarnation && init->number <= gate->number))
        return STREAM_REPLAYED;
    gate->spent -= (double)(now_us - gate->since_us) * STREAM_GATE_RATE / 1e6;
    gate->since_us = now_us;
    if (gate->spent < 0)
        gate->spent = 0;
    if (gate->spent > STREAM_GATE_BURST - 1)
        return STREAM_EXHAUSTED;
    gate->spent += 1;
    return STREAM_ANSWERED;
}

void stream_gate_close(struct stream_gate *gate, const struct stream_init *init)
{
    gate->incarnation = init->incarnation;
    gate->number = init->number;
}

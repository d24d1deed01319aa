#include "replication/stream_session.h"

#include <string.h>

_Static_assert((int)STREAM_JOIN_HEAD >= (int)SESSION_INIT_HEAD, "the longest head");

static size_t head_size(uint8_t type)
{
    return type == STREAM_INIT ? SESSION_INIT_HEAD : type == STREAM_JOIN ? STREAM_JOIN_HEAD : 0;
}

static bool init_is_valid(struct bytes message)
{
    size_t head = head_size(message.data[0]);
    return head > 0 && message.data[1] == SESSION_VERSION &&
           message.size >=
               head + NOISE_MESSAGE_OVERHEAD + SESSION_OFFER_SIZE + SESSION_MAC_SIZE &&
           (message.data[0] == STREAM_INIT ? load_be32(message.data + 4)
                                           : load_be16(message.data + 2)) == 0;
}

static void read_head(struct bytes head, struct stream_init *out)
{
    out->type = (enum stream_type)head.data[0];
    out->head = head;
    if (out->type == STREAM_INIT) {
        out->secret_version = load_be16(head.data + 2);
        memcpy(out->sender, head.data + 8, sizeof(out->sender));
        out->incarnation = load_be64(head.data + 16);
        out->number = load_be64(head.data + 24);
    } else {
        memcpy(out->token_id, head.data + 4, sizeof(out->token_id));
        memcpy(out->public_key, head.data + 12, sizeof(out->public_key));
    }
}

enum stream_verdict stream_init_parse(struct bytes in, struct stream_init *out)
{
    if (in.size < STREAM_LENGTH_SIZE)
        return STREAM_PARTIAL;
    size_t size = load_be16(in.data);
    if (size < 2 || size > SESSION_INIT_MAXIMUM)
        return STREAM_MALFORMED;
    if (in.size < STREAM_LENGTH_SIZE + size)
        return STREAM_PARTIAL;
    struct bytes message = {in.data + STREAM_LENGTH_SIZE, size};
    if (!init_is_valid(message))
        return STREAM_MALFORMED;
    size_t head = head_size(message.data[0]), covered = size - SESSION_MAC_SIZE;
    *out = (struct stream_init){
        .body = {message.data + head, covered - head},
        .covered = {message.data, covered},
        .mac = message.data + covered,
        .frame_size = STREAM_LENGTH_SIZE + size,
    };
    read_head((struct bytes){message.data, head}, out);
    return STREAM_ANSWERED;
}

size_t stream_init_head(const struct stream_init *init, uint8_t out[STREAM_JOIN_HEAD])
{
    memset(out, 0, STREAM_JOIN_HEAD);
    if (init->type == STREAM_INIT) {
        const struct session_message message = {
            .secret_version = init->secret_version,
            .incarnation = init->incarnation,
            .number = init->number,
        };
        session_init_head(&message, out);
        memcpy(out + 8, init->sender, sizeof(init->sender));
    } else {
        memcpy(out + 4, init->token_id, sizeof(init->token_id));
        memcpy(out + 12, init->public_key, sizeof(init->public_key));
    }
    out[0] = (uint8_t)init->type;
    out[1] = SESSION_VERSION;
    return head_size(out[0]);
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

#include "replication/session_wire.h"

#include <string.h>

/* Sizes, reserved bytes and type; the other fields are the caller's. */
static bool head_is_valid(struct bytes in)
{
    if (in.size < SESSION_RESPONSE_HEAD || in.data[1] != SESSION_VERSION)
        return false;
    switch (in.data[0]) {
    case SESSION_INIT:
        return in.size >= SESSION_INIT_SIZE && in.size <= SESSION_INIT_MAXIMUM &&
               load_be32(in.data + 4) == 0;
    case SESSION_RESPONSE:
        return in.size >= SESSION_RESPONSE_SIZE && in.size <= SESSION_RESPONSE_MAXIMUM &&
               load_be16(in.data + 2) == 0;
    case SESSION_DATA: return in.size >= SESSION_DATA_OVERHEAD && load_be16(in.data + 2) == 0;
    default: return false;
    }
}

static size_t head_size(enum session_type type)
{
    return type == SESSION_INIT       ? SESSION_INIT_HEAD
           : type == SESSION_RESPONSE ? SESSION_RESPONSE_HEAD
                                      : SESSION_DATA_HEAD;
}

bool session_message_parse(struct bytes in, struct session_message *out)
{
    if (!head_is_valid(in))
        return false;
    enum session_type type = (enum session_type)in.data[0];
    size_t head = head_size(type);
    size_t trailer = type == SESSION_DATA ? 0 : SESSION_MAC_SIZE;
    *out = (struct session_message){
        .type = type,
        .head = {in.data, head},
        .body = {in.data + head, in.size - head - trailer},
    };
    if (type == SESSION_INIT) {
        out->secret_version = load_be16(in.data + 2);
        memcpy(out->sender, in.data + 8, sizeof(out->sender));
        out->incarnation = load_be64(in.data + 16);
        out->number = load_be64(in.data + 24);
    } else {
        out->receiver_index = load_be32(in.data + 4);
    }
    if (type == SESSION_DATA) {
        out->counter = load_be64(in.data + 8);
    } else {
        out->covered = (struct bytes){in.data, in.size - trailer};
        out->mac = in.data + in.size - trailer;
    }
    return true;
}

void session_init_head(const struct session_message *message, uint8_t out[SESSION_INIT_HEAD])
{
    memset(out, 0, SESSION_INIT_HEAD);
    out[0] = SESSION_INIT;
    out[1] = SESSION_VERSION;
    store_be16(out + 2, message->secret_version);
    memcpy(out + 8, message->sender, sizeof(message->sender));
    store_be64(out + 16, message->incarnation);
    store_be64(out + 24, message->number);
}

static void short_head(enum session_type type, uint32_t receiver_index, uint8_t *out)
{
    out[0] = (uint8_t)type;
    out[1] = SESSION_VERSION;
    store_be16(out + 2, 0);
    store_be32(out + 4, receiver_index);
}

void session_response_head(uint32_t receiver_index, uint8_t out[SESSION_RESPONSE_HEAD])
{
    short_head(SESSION_RESPONSE, receiver_index, out);
}

void session_data_head(uint32_t receiver_index,
                       uint64_t counter,
                       uint8_t out[SESSION_DATA_HEAD])
{
    short_head(SESSION_DATA, receiver_index, out);
    store_be64(out + 8, counter);
}

void session_offer_write(const struct session_offer *offer, uint8_t out[SESSION_ANSWER_SIZE])
{
    store_be32(out, offer->index);
    store_be16(out + 4, offer->minimum_protocol);
    store_be16(out + 6, offer->maximum_protocol);
    store_be64(out + 8, offer->features);
    store_be64(out + 16, offer->incarnation);
    store_be64(out + 24, offer->number);
}

bool session_offer_parse(struct bytes in, struct session_offer *out)
{
    if (in.size < SESSION_OFFER_SIZE)
        return false;
    *out = (struct session_offer){
        .index = load_be32(in.data),
        .minimum_protocol = load_be16(in.data + 4),
        .maximum_protocol = load_be16(in.data + 6),
        .features = load_be64(in.data + 8),
    };
    if (in.size >= SESSION_ANSWER_SIZE) {
        out->incarnation = load_be64(in.data + 16);
        out->number = load_be64(in.data + 24);
    }
    return out->minimum_protocol <= out->maximum_protocol;
}

static struct bytes label(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

void session_psk(const uint8_t secret[SESSION_SECRET_SIZE], uint8_t out[NOISE_KEY_SIZE])
{
    struct bytes parts[] = {label("lbnode-session-psk-v1"), {secret, SESSION_SECRET_SIZE}};
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), out, NOISE_KEY_SIZE);
}

void session_mac_key(const uint8_t secret[SESSION_SECRET_SIZE],
                     const uint8_t receiver[DH_KEY_SIZE],
                     uint8_t out[HASH_KEY_SIZE])
{
    struct bytes parts[] = {
        label("lbnode-session-mac-v1"), {secret, SESSION_SECRET_SIZE}, {receiver, DH_KEY_SIZE}};
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), out, HASH_KEY_SIZE);
}

void session_mac(const uint8_t key[HASH_KEY_SIZE],
                 struct bytes covered,
                 uint8_t out[SESSION_MAC_SIZE])
{
    hash_make((struct bytes){key, HASH_KEY_SIZE}, &covered, 1, out, SESSION_MAC_SIZE);
}

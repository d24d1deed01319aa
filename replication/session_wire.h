/* The messages of a session as they are on the wire: layout, and the one strict parser for what
 * strangers send. Big-endian. The first byte tells them from gossip packets ("LB", packet.h).
 *
 *   INIT      type 1, version, secret version u16, 0 u32, sender's node key 8, its incarnation
 *             u64, number u64 | Noise message 1 | mac 16
 *   RESPONSE  type 2, version, 0 u16, receiver's index u32 | Noise message 2 | mac 16
 *   DATA      type 4, version, 0 u16, receiver's index u32, counter u64 | ciphertext | tag 16
 *
 * The head of an INIT is part of the prologue, the head of DATA is authenticated with it; of a
 * RESPONSE only the index varies, which selects the handshake. The payload of both Noise
 * messages is an offer. A mac is BLAKE2b-128 of all before it, under a key made from the
 * cluster's secret and the receiver's public key: who does not have the secret costs one hash
 * and gets no answer. */
#ifndef REPLICATION_SESSION_WIRE_H
#define REPLICATION_SESSION_WIRE_H

#include "lbnode/crypto/noise.h"

enum session_type {
    SESSION_INIT = 1,
    SESSION_RESPONSE = 2,
    SESSION_DATA = 4
};

enum {
    SESSION_VERSION = 1,
    SESSION_MAC_SIZE = 16,
    SESSION_SECRET_SIZE = 32,
    SESSION_INIT_HEAD = 32,
    SESSION_RESPONSE_HEAD = 8,
    SESSION_DATA_HEAD = 16,
    SESSION_DATA_OVERHEAD = SESSION_DATA_HEAD + NOISE_TAG_SIZE,
    SESSION_OFFER_SIZE = 16,  /* in an INIT */
    SESSION_ANSWER_SIZE = 32, /* in a RESPONSE: with incarnation and number */
    SESSION_INIT_SIZE =
        SESSION_INIT_HEAD + NOISE_MESSAGE_OVERHEAD + SESSION_OFFER_SIZE + SESSION_MAC_SIZE,
    SESSION_RESPONSE_SIZE =
        SESSION_RESPONSE_HEAD + NOISE_MESSAGE_OVERHEAD + SESSION_ANSWER_SIZE + SESSION_MAC_SIZE,
    SESSION_INIT_MAXIMUM = 176, /* offers may grow; what is not known yet is skipped */
    SESSION_RESPONSE_MAXIMUM = 144,
    SESSION_OFFER_MAXIMUM = 80
};

/* What a node says about itself in a handshake. */
struct session_offer {
    uint32_t index; /* by which the peer addresses what it sends under the new keys */
    uint16_t minimum_protocol, maximum_protocol;
    uint64_t features;
    uint64_t incarnation,
        number; /* in a RESPONSE: of its sender; its INITs up to here are old */
};

struct session_message {
    enum session_type type;
    uint16_t secret_version;      /* INIT */
    uint8_t sender[8];            /* INIT */
    uint64_t incarnation, number; /* INIT: rise together, the first one before the second */
    uint32_t receiver_index;      /* RESPONSE, DATA */
    uint64_t counter;             /* DATA */
    struct bytes head, body;      /* body: Noise message, or ciphertext and tag */
    struct bytes covered;         /* INIT, RESPONSE: what the mac is of */
    const uint8_t *mac;           /* INIT, RESPONSE */
};

/* Form only; OUT points into IN. */
bool session_message_parse(struct bytes in, struct session_message *out);

/* The heads; type, secret_version and so on are taken from MESSAGE. */
void session_init_head(const struct session_message *message, uint8_t out[SESSION_INIT_HEAD]);
void session_response_head(uint32_t receiver_index, uint8_t out[SESSION_RESPONSE_HEAD]);
void session_data_head(uint32_t receiver_index,
                       uint64_t counter,
                       uint8_t out[SESSION_DATA_HEAD]);

/* An INIT takes the first SESSION_OFFER_SIZE bytes. */
void session_offer_write(const struct session_offer *offer, uint8_t out[SESSION_ANSWER_SIZE]);
/* False when too short, or when the range of protocols is empty. The last two fields are 0 in
 * what is shorter than SESSION_ANSWER_SIZE. */
bool session_offer_parse(struct bytes in, struct session_offer *out);

/* What the two keys are that a cluster's secret gives: the pre-shared key of handshakes, and
 * that of the macs of what RECEIVER gets. */
void session_psk(const uint8_t secret[SESSION_SECRET_SIZE], uint8_t out[NOISE_KEY_SIZE]);
void session_mac_key(const uint8_t secret[SESSION_SECRET_SIZE],
                     const uint8_t receiver[DH_KEY_SIZE],
                     uint8_t out[HASH_KEY_SIZE]);
void session_mac(const uint8_t key[HASH_KEY_SIZE],
                 struct bytes covered,
                 uint8_t out[SESSION_MAC_SIZE]);

#endif

/* Noise_KKpsk0_25519_ChaChaPoly_BLAKE2b (Noise Protocol Framework, revision 34): the handshake
 * of two parties that know each other's static keys and share a secret beforehand.
 *
 *     -> psk, e, es, ss
 *     <- e, ee, se
 *
 * Nothing here reads a clock or a random source: who writes a message brings the ephemeral
 * secret. States and keys are secrets. Whoever owns them keeps them in memory of
 * secret_allocate and wipes them; what a call needs besides is wiped before it returns. */
#ifndef LBNODE_CRYPTO_NOISE_H
#define LBNODE_CRYPTO_NOISE_H

#include "lbnode/crypto/dh_key.h"

enum {
    NOISE_KEY_SIZE = 32,
    NOISE_HASH_SIZE = 64,
    NOISE_TAG_SIZE = 16,
    NOISE_MESSAGE_OVERHEAD = DH_KEY_SIZE + NOISE_TAG_SIZE /* of a handshake message */
};

struct noise_handshake {
    uint8_t hash[NOISE_HASH_SIZE], chaining_key[NOISE_HASH_SIZE];
    uint8_t key[NOISE_KEY_SIZE]; /* of the running message; its nonce is 0 */
    uint8_t psk[NOISE_KEY_SIZE];
    struct dh_key own, ephemeral;
    uint8_t peer[DH_KEY_SIZE], peer_ephemeral[DH_KEY_SIZE];
    bool is_initiator, has_first; /* has_first: the first message was written or read */
    bool is_over;                 /* both were, or one was refused */
};

/* What the two directions of an established session are encrypted with. */
struct noise_keys {
    uint8_t send[NOISE_KEY_SIZE], receive[NOISE_KEY_SIZE];
};

/* Begins a handshake. Copies everything. */
void noise_start(struct noise_handshake *handshake,
                 bool is_initiator,
                 const struct dh_key *own,
                 const uint8_t peer[DH_KEY_SIZE],
                 const uint8_t psk[NOISE_KEY_SIZE],
                 struct bytes prologue);

/* Writes the message that is this side's turn: PAYLOAD.size + NOISE_MESSAGE_OVERHEAD bytes to
 * OUT, which may not overlap PAYLOAD. EPHEMERAL_SECRET is 32 fresh random bytes. False when it
 * is not this side's turn, or when a key agreement failed, which ends and wipes the handshake.
 */
bool noise_write(struct noise_handshake *handshake,
                 const uint8_t ephemeral_secret[DH_KEY_SIZE],
                 struct bytes payload,
                 uint8_t *out);

/* Reads the peer's message; its payload, NOISE_MESSAGE_OVERHEAD bytes shorter, goes to
 * OUT_PAYLOAD. False when it is not the peer's turn, or MESSAGE is not genuine. A first message
 * that is not genuine ends and wipes the handshake, a second one changes nothing: what a
 * stranger sends does not spoil a handshake that is under way. */
bool noise_read(struct noise_handshake *handshake, struct bytes message, uint8_t *out_payload);

/* The keys of the session, once both messages are through; wipes the handshake but for its
 * hash. */
bool noise_split(struct noise_handshake *handshake, struct noise_keys *out);

/* One transport message. OUT has room for PLAIN.size + NOISE_TAG_SIZE bytes and may be where
 * PLAIN is. A (key, counter) pair must never seal twice. */
void noise_seal(const uint8_t key[NOISE_KEY_SIZE],
                uint64_t counter,
                struct bytes associated,
                struct bytes plain,
                uint8_t *out);
/* The inverse, SEALED.size - NOISE_TAG_SIZE bytes; OUT may be where SEALED is. False: forged or
 * damaged, OUT is unspecified then. */
bool noise_open(const uint8_t key[NOISE_KEY_SIZE],
                uint64_t counter,
                struct bytes associated,
                struct bytes sealed,
                uint8_t *out);
/* The key that follows KEY, from which KEY cannot be found (Noise, 4.2: REKEY). Counters go on.
 */
void noise_rekey(uint8_t key[NOISE_KEY_SIZE]);

#endif

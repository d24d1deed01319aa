#include "lbnode/crypto/noise.h"

#include <sodium.h>
#include <string.h>

enum {
    BLOCK_SIZE = 128 /* of BLAKE2b, for HMAC */
};

static const char protocol_name[] = "Noise_KKpsk0_25519_ChaChaPoly_BLAKE2b";

/* HMAC of FIRST and SECOND together. KEY has NOISE_HASH_SIZE bytes. */
static void hmac(const uint8_t *key, struct bytes first, struct bytes second, uint8_t *out)
{
    crypto_generichash_blake2b_state state;
    uint8_t pad[BLOCK_SIZE] = {0}, inner[NOISE_HASH_SIZE];
    memcpy(pad, key, NOISE_HASH_SIZE);
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36;
    crypto_generichash_blake2b_init(&state, NULL, 0, NOISE_HASH_SIZE);
    crypto_generichash_blake2b_update(&state, pad, sizeof(pad));
    crypto_generichash_blake2b_update(&state, first.data, first.size);
    crypto_generichash_blake2b_update(&state, second.data, second.size);
    crypto_generichash_blake2b_final(&state, inner, sizeof(inner));
    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    crypto_generichash_blake2b_init(&state, NULL, 0, NOISE_HASH_SIZE);
    crypto_generichash_blake2b_update(&state, pad, sizeof(pad));
    crypto_generichash_blake2b_update(&state, inner, sizeof(inner));
    crypto_generichash_blake2b_final(&state, out, NOISE_HASH_SIZE);
    secret_wipe(&state, sizeof(state));
    secret_wipe(pad, sizeof(pad));
    secret_wipe(inner, sizeof(inner));
}

/* HKDF with two or three outputs of NOISE_HASH_SIZE bytes each (Noise, 4.3). */
static void derive(const uint8_t *chaining_key, struct bytes input, size_t count, uint8_t *out)
{
    uint8_t key[NOISE_HASH_SIZE];
    hmac(chaining_key, input, (struct bytes){0}, key);
    struct bytes last = {0};
    for (size_t i = 0; i < count; i++) {
        const uint8_t number = (uint8_t)(i + 1);
        hmac(key, last, (struct bytes){&number, 1}, out + i * NOISE_HASH_SIZE);
        last = (struct bytes){out + i * NOISE_HASH_SIZE, NOISE_HASH_SIZE};
    }
    secret_wipe(key, sizeof(key));
}

static void mix_hash(struct noise_handshake *handshake, struct bytes data)
{
    struct bytes parts[] = {{handshake->hash, NOISE_HASH_SIZE}, data};
    uint8_t out[NOISE_HASH_SIZE];
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), out, sizeof(out));
    memcpy(handshake->hash, out, sizeof(out));
}

static void mix_key(struct noise_handshake *handshake, const uint8_t *input)
{
    uint8_t out[2 * NOISE_HASH_SIZE];
    derive(handshake->chaining_key, (struct bytes){input, 32}, 2, out);
    memcpy(handshake->chaining_key, out, NOISE_HASH_SIZE);
    memcpy(handshake->key, out + NOISE_HASH_SIZE, NOISE_KEY_SIZE);
    secret_wipe(out, sizeof(out));
}

static void mix_key_and_hash(struct noise_handshake *handshake, const uint8_t *input)
{
    uint8_t out[3 * NOISE_HASH_SIZE];
    derive(handshake->chaining_key, (struct bytes){input, 32}, 3, out);
    memcpy(handshake->chaining_key, out, NOISE_HASH_SIZE);
    mix_hash(handshake, (struct bytes){out + NOISE_HASH_SIZE, NOISE_HASH_SIZE});
    memcpy(handshake->key, out + 2 * NOISE_HASH_SIZE, NOISE_KEY_SIZE);
    secret_wipe(out, sizeof(out));
}

/* Tokens es, ss, ee, se. */
static bool
mix_agreement(struct noise_handshake *handshake, const struct dh_key *own, const uint8_t *peer)
{
    uint8_t shared[DH_KEY_SIZE];
    bool agreed = dh_key_agree(own, peer, shared);
    if (agreed)
        mix_key(handshake, shared);
    secret_wipe(shared, sizeof(shared));
    return agreed;
}

void noise_start(struct noise_handshake *handshake,
                 bool is_initiator,
                 const struct dh_key *own,
                 const uint8_t peer[DH_KEY_SIZE],
                 const uint8_t psk[NOISE_KEY_SIZE],
                 struct bytes prologue)
{
    memset(handshake, 0, sizeof(*handshake));
    memcpy(handshake->hash, protocol_name, sizeof(protocol_name) - 1);
    memcpy(handshake->chaining_key, handshake->hash, NOISE_HASH_SIZE);
    memcpy(handshake->psk, psk, NOISE_KEY_SIZE);
    memcpy(handshake->peer, peer, DH_KEY_SIZE);
    handshake->own = *own;
    handshake->is_initiator = is_initiator;
    mix_hash(handshake, prologue);
    mix_hash(handshake, (struct bytes){is_initiator ? own->public : peer, DH_KEY_SIZE});
    mix_hash(handshake, (struct bytes){is_initiator ? peer : own->public, DH_KEY_SIZE});
}

/* The token e: in a handshake with a psk the key is mixed in as well. */
static void mix_ephemeral(struct noise_handshake *handshake, const uint8_t *public_key)
{
    mix_hash(handshake, (struct bytes){public_key, DH_KEY_SIZE});
    mix_key(handshake, public_key);
}

/* The tokens of the first message after psk; of the second one. The same two agreements on both
 * sides, seen from either. */
static bool mix_statics(struct noise_handshake *handshake)
{
    bool ephemeral_done =
        handshake->is_initiator
            ? mix_agreement(handshake, &handshake->ephemeral, handshake->peer)
            : mix_agreement(handshake, &handshake->own, handshake->peer_ephemeral);
    return ephemeral_done && mix_agreement(handshake, &handshake->own, handshake->peer);
}

static bool mix_ephemerals(struct noise_handshake *handshake)
{
    if (!mix_agreement(handshake, &handshake->ephemeral, handshake->peer_ephemeral))
        return false;
    return handshake->is_initiator
               ? mix_agreement(handshake, &handshake->own, handshake->peer_ephemeral)
               : mix_agreement(handshake, &handshake->ephemeral, handshake->peer);
}

/* Wiped but for the hash, which is public and names the session. */
static void end(struct noise_handshake *handshake)
{
    uint8_t hash[NOISE_HASH_SIZE];
    memcpy(hash, handshake->hash, sizeof(hash));
    secret_wipe(handshake, sizeof(*handshake));
    memcpy(handshake->hash, hash, sizeof(hash));
    handshake->is_over = true;
}

bool noise_write(struct noise_handshake *handshake,
                 const uint8_t ephemeral_secret[DH_KEY_SIZE],
                 struct bytes payload,
                 uint8_t *out)
{
    bool is_first = !handshake->has_first;
    if (handshake->is_over || is_first != handshake->is_initiator)
        return false;
    if (is_first)
        mix_key_and_hash(handshake, handshake->psk);
    dh_key_from_secret(ephemeral_secret, &handshake->ephemeral);
    memcpy(out, handshake->ephemeral.public, DH_KEY_SIZE);
    mix_ephemeral(handshake, handshake->ephemeral.public);
    if (!(is_first ? mix_statics(handshake) : mix_ephemerals(handshake))) {
        end(handshake);
        return false;
    }
    uint8_t *sealed = out + DH_KEY_SIZE;
    noise_seal(handshake->key, 0, (struct bytes){handshake->hash, NOISE_HASH_SIZE}, payload,
               sealed);
    mix_hash(handshake, (struct bytes){sealed, payload.size + NOISE_TAG_SIZE});
    handshake->is_over = !is_first;
    handshake->has_first = true;
    return true;
}

/* On a copy: the caller keeps the state that the message was read in if it is refused. */
static bool
read_into(struct noise_handshake *handshake, struct bytes message, uint8_t *out_payload)
{
    bool is_first = !handshake->has_first;
    memcpy(handshake->peer_ephemeral, message.data, DH_KEY_SIZE);
    if (is_first)
        mix_key_and_hash(handshake, handshake->psk);
    mix_ephemeral(handshake, handshake->peer_ephemeral);
    if (!(is_first ? mix_statics(handshake) : mix_ephemerals(handshake)))
        return false;
    struct bytes sealed = {message.data + DH_KEY_SIZE, message.size - DH_KEY_SIZE};
    if (!noise_open(handshake->key, 0, (struct bytes){handshake->hash, NOISE_HASH_SIZE}, sealed,
                    out_payload))
        return false;
    mix_hash(handshake, sealed);
    handshake->is_over = !is_first;
    handshake->has_first = true;
    return true;
}

bool noise_read(struct noise_handshake *handshake, struct bytes message, uint8_t *out_payload)
{
    bool is_first = !handshake->has_first;
    if (handshake->is_over || is_first == handshake->is_initiator ||
        message.size < NOISE_MESSAGE_OVERHEAD)
        return false;
    struct noise_handshake next = *handshake;
    bool genuine = read_into(&next, message, out_payload);
    if (genuine)
        *handshake = next;
    else if (is_first)
        end(handshake);
    secret_wipe(&next, sizeof(next));
    return genuine;
}

bool noise_split(struct noise_handshake *handshake, struct noise_keys *out)
{
    if (!handshake->is_over || !handshake->has_first)
        return false;
    uint8_t keys[2 * NOISE_HASH_SIZE];
    derive(handshake->chaining_key, (struct bytes){0}, 2, keys);
    bool is_initiator = handshake->is_initiator;
    memcpy(is_initiator ? out->send : out->receive, keys, NOISE_KEY_SIZE);
    memcpy(is_initiator ? out->receive : out->send, keys + NOISE_HASH_SIZE, NOISE_KEY_SIZE);
    secret_wipe(keys, sizeof(keys));
    end(handshake);
    return true;
}

/* Noise, 12.3: 32 zero bits, then the counter, little-endian. */
static void nonce_of(uint64_t counter, uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(out, 0, 4);
    store_le64(out + 4, counter);
}

void noise_seal(const uint8_t key[NOISE_KEY_SIZE],
                uint64_t counter,
                struct bytes associated,
                struct bytes plain,
                uint8_t *out)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_of(counter, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(
        out, NULL, plain.data, plain.size, associated.data, associated.size, NULL, nonce, key);
}

bool noise_open(const uint8_t key[NOISE_KEY_SIZE],
                uint64_t counter,
                struct bytes associated,
                struct bytes sealed,
                uint8_t *out)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    nonce_of(counter, nonce);
    return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.size,
                                                     associated.data, associated.size, nonce,
                                                     key) == 0;
}

void noise_rekey(uint8_t key[NOISE_KEY_SIZE])
{
    const uint8_t zeros[NOISE_KEY_SIZE] = {0};
    uint8_t sealed[NOISE_KEY_SIZE + NOISE_TAG_SIZE];
    noise_seal(key, UINT64_MAX, (struct bytes){0}, (struct bytes){zeros, sizeof(zeros)},
               sealed);
    memcpy(key, sealed, NOISE_KEY_SIZE);
    secret_wipe(sealed, sizeof(sealed));
}

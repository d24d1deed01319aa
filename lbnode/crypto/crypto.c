#include "lbnode/crypto/crypto.h"

#include <sodium.h>
#include <stdlib.h>

struct sign_key {
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
};

void crypto_start(void)
{
    if (sodium_init() < 0)
        abort();
}

static struct sign_key *allocate(void)
{
    struct sign_key *key = sodium_malloc(sizeof(*key));
    if (!key)
        abort();
    return key;
}

struct sign_key *sign_key_generate(void)
{
    struct sign_key *key = allocate();
    crypto_sign_keypair(key->public, key->secret);
    return key;
}

struct sign_key *sign_key_from_seed(const uint8_t seed[SIGN_SEED_SIZE])
{
    struct sign_key *key = allocate();
    crypto_sign_seed_keypair(key->public, key->secret, seed);
    return key;
}

void sign_key_seed(const struct sign_key *key, uint8_t out_seed[SIGN_SEED_SIZE])
{
    crypto_sign_ed25519_sk_to_seed(out_seed, key->secret);
}

const uint8_t *sign_key_public(const struct sign_key *key)
{
    return key->public;
}

void sign_key_free(struct sign_key *key)
{
    sodium_free(key); /* wipes; accepts NULL */
}

/* Plain Ed25519 wants one contiguous message; messages are small or rare, so copy. */
static uint8_t *join_parts(const struct bytes *parts, size_t part_count, size_t *out_size)
{
    size_t size = 0, at = 0;
    for (size_t i = 0; i < part_count; i++)
        size += parts[i].size;
    uint8_t *joined = malloc(size ? size : 1);
    if (!joined)
        abort();
    for (size_t i = 0; i < part_count; i++) {
        for (size_t k = 0; k < parts[i].size; k++)
            joined[at + k] = parts[i].data[k];
        at += parts[i].size;
    }
    *out_size = size;
    return joined;
}

void signature_make(const struct sign_key *key,
                    const struct bytes *parts,
                    size_t part_count,
                    uint8_t out[SIGNATURE_SIZE])
{
    size_t size;
    uint8_t *message = join_parts(parts, part_count, &size);
    crypto_sign_detached(out, NULL, message, size, key->secret);
    free(message);
}

bool signature_verify(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                      const struct bytes *parts,
                      size_t part_count,
                      const uint8_t signature[SIGNATURE_SIZE])
{
    size_t size;
    uint8_t *message = join_parts(parts, part_count, &size);
    bool valid = crypto_sign_verify_detached(signature, message, size, public_key) == 0;
    free(message);
    return valid;
}

void hash_make(struct bytes key,
               const struct bytes *parts,
               size_t part_count,
               uint8_t *out,
               size_t out_size)
{
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, key.data, key.size, out_size < 16 ? 16 : out_size);
    for (size_t i = 0; i < part_count; i++)
        crypto_generichash_blake2b_update(&state, parts[i].data, parts[i].size);
    uint8_t full[crypto_generichash_blake2b_BYTES_MAX];
    size_t full_size = out_size < 16 ? 16 : out_size;
    crypto_generichash_blake2b_final(&state, full, full_size);
    for (size_t i = 0; i < out_size; i++)
        out[i] = full[i];
}

bool constant_time_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}

void secret_wipe(void *data, size_t size)
{
    sodium_memzero(data, size);
}

void *secret_allocate(size_t size)
{
    void *data = sodium_malloc(size);
    if (!data)
        abort();
    sodium_memzero(data, size);
    return data;
}

void secret_free(void *data)
{
    sodium_free(data); /* wipes; accepts NULL */
}

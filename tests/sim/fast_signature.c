/* Stands between the core and the signatures (linked with --wrap): seven nodes of eight sign
 * with a keyed hash, which a simulation can afford a million times; every eighth with Ed25519.
 * Who holds the public key could forge the former; the world's attackers do not. */
#include "lbnode/crypto/crypto.h"

void __real_signature_make(const struct sign_key *key,
                           const struct bytes *parts,
                           size_t part_count,
                           uint8_t out[SIGNATURE_SIZE]);
bool __real_signature_verify(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                             const struct bytes *parts,
                             size_t part_count,
                             const uint8_t signature[SIGNATURE_SIZE]);
void __wrap_signature_make(const struct sign_key *key,
                           const struct bytes *parts,
                           size_t part_count,
                           uint8_t out[SIGNATURE_SIZE]);
bool __wrap_signature_verify(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                             const struct bytes *parts,
                             size_t part_count,
                             const uint8_t signature[SIGNATURE_SIZE]);

static bool is_real(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE])
{
    return public_key[0] % 8 == 0;
}

static void sign_fast(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                      const struct bytes *parts,
                      size_t part_count,
                      uint8_t out[SIGNATURE_SIZE])
{
    hash_make((struct bytes){public_key, SIGN_PUBLIC_KEY_SIZE}, parts, part_count, out,
              SIGNATURE_SIZE);
}

void __wrap_signature_make(const struct sign_key *key,
                           const struct bytes *parts,
                           size_t part_count,
                           uint8_t out[SIGNATURE_SIZE])
{
    if (is_real(sign_key_public(key)))
        __real_signature_make(key, parts, part_count, out);
    else
        sign_fast(sign_key_public(key), parts, part_count, out);
}

bool __wrap_signature_verify(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                             const struct bytes *parts,
                             size_t part_count,
                             const uint8_t signature[SIGNATURE_SIZE])
{
    uint8_t expected[SIGNATURE_SIZE];
    if (is_real(public_key))
        return __real_signature_verify(public_key, parts, part_count, signature);
    sign_fast(public_key, parts, part_count, expected);
    return constant_time_equal(expected, signature, SIGNATURE_SIZE);
}

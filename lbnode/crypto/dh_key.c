#include "lbnode/crypto/dh_key.h"

#include <sodium.h>
#include <string.h>

void dh_key_from_secret(const uint8_t secret[DH_KEY_SIZE], struct dh_key *out)
{
    memcpy(out->secret, secret, sizeof(out->secret));
    crypto_scalarmult_base(out->public, out->secret);
}

void dh_key_from_sign_key(const struct sign_key *key, struct dh_key *out)
{
    uint8_t seed[SIGN_SEED_SIZE], hash[crypto_hash_sha512_BYTES];
    sign_key_seed(key, seed);
    crypto_hash_sha512(hash, seed, sizeof(seed)); /* as crypto_sign_ed25519_sk_to_curve25519 */
    dh_key_from_secret(hash, out);
    secret_wipe(seed, sizeof(seed));
    secret_wipe(hash, sizeof(hash));
}

bool dh_key_public_of(const uint8_t sign_public[SIGN_PUBLIC_KEY_SIZE], uint8_t out[DH_KEY_SIZE])
{
    return crypto_sign_ed25519_pk_to_curve25519(out, sign_public) == 0;
}

bool dh_key_agree(const struct dh_key *own,
                  const uint8_t peer[DH_KEY_SIZE],
                  uint8_t out[DH_KEY_SIZE])
{
    return crypto_scalarmult(out, own->secret, peer) == 0;
}

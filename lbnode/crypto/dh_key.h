/* X25519 keys for key agreement (RFC 7748). A node's is made from its Ed25519 key, so that the
 * public one follows from what the roster has and needs no place of its own there. */
#ifndef LBNODE_CRYPTO_DH_KEY_H
#define LBNODE_CRYPTO_DH_KEY_H

#include "lbnode/crypto/crypto.h"

enum {
    DH_KEY_SIZE = 32
};

/* A secret key and its public one. Only ever in memory of secret_allocate, or wiped after use;
 * see secret_wipe. */
struct dh_key {
    uint8_t secret[DH_KEY_SIZE], public[DH_KEY_SIZE];
};

void dh_key_from_secret(const uint8_t secret[DH_KEY_SIZE], struct dh_key *out);
void dh_key_from_sign_key(const struct sign_key *key, struct dh_key *out);
/* The public X25519 key of an Ed25519 one. False when that is no point of the main subgroup. */
bool dh_key_public_of(const uint8_t sign_public[SIGN_PUBLIC_KEY_SIZE],
                      uint8_t out[DH_KEY_SIZE]);
/* The shared secret. False when it is all zeros: PEER is a point of small order. */
bool dh_key_agree(const struct dh_key *own,
                  const uint8_t peer[DH_KEY_SIZE],
                  uint8_t out[DH_KEY_SIZE]);

#endif

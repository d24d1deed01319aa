/* Sealed boxes (libsodium's crypto_box_seal: X25519, XSalsa20-Poly1305): anybody can close one
 * for a public key, only the owner of the secret key opens it. A box does not tell who closed
 * it; who must know that signs what the box stands in. */
#ifndef LBNODE_CRYPTO_SEALED_BOX_H
#define LBNODE_CRYPTO_SEALED_BOX_H

#include "lbnode/crypto/dh_key.h"

enum {
    SEALED_BOX_OVERHEAD = 48
};

/* Writes PLAIN.size + SEALED_BOX_OVERHEAD bytes. False when TO is no key. */
bool sealed_box_close(const uint8_t to[DH_KEY_SIZE], struct bytes plain, uint8_t *out);
/* Writes BOX.size - SEALED_BOX_OVERHEAD bytes. False when the box is for somebody else, too
 * short or damaged; what OUT has is not meant to be used then. */
bool sealed_box_open(const struct dh_key *own, struct bytes box, uint8_t *out);

#endif

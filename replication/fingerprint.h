/* The fingerprint of a join: six words that both sides show, for people to compare. They are
 * equal only if both saw the same handshake, between the same keys, for the same cluster. Pure.
 */
#ifndef REPLICATION_FINGERPRINT_H
#define REPLICATION_FINGERPRINT_H

#include "lbnode/base/uuid.h"
#include "lbnode/crypto/crypto.h"

enum {
    FINGERPRINT_SIZE = 6,
    FINGERPRINT_TEXT_SIZE = 64 /* six words of at most 8 letters */
};

/* HANDSHAKE_HASH is that of the finished Noise handshake. */
void fingerprint_make(struct bytes handshake_hash,
                      const struct uuid *cluster_id,
                      const uint8_t joiner_key[SIGN_PUBLIC_KEY_SIZE],
                      const uint8_t inviter_key[SIGN_PUBLIC_KEY_SIZE],
                      uint8_t out[FINGERPRINT_SIZE]);
void fingerprint_format(const uint8_t fingerprint[FINGERPRINT_SIZE],
                        char out[FINGERPRINT_TEXT_SIZE]);
const char *fingerprint_word(uint8_t value); /* of the 256 */

#endif

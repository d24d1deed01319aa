/* A value that only holders of a data key can read, bound to the place that it was made for:
 * XChaCha20-Poly1305 with a random nonce over the place as associated data. What is stored,
 * sent and backed up is the box alone (docs/protocol.md, section 10).
 *
 * Layout: version 1 byte (1), id of the key 16, nonce 24, ciphertext, tag 16. Associated data:
 * id of the object 16, facet 2 (big endian), id of the key 16. */
#ifndef LBNODE_CRYPTO_SECRET_BOX_H
#define LBNODE_CRYPTO_SECRET_BOX_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/uuid.h"

enum {
    SECRET_BOX_KEY_SIZE = 32,
    SECRET_BOX_OVERHEAD = 1 + 16 + 24 + 16, /* a box is so much longer than its content */
};

/* Where a value stands; a box that was copied elsewhere does not open there. */
struct secret_box_place {
    struct uuid object_id;
    uint16_t facet;
};

/* A key of the cluster. SECRET (SECRET_BOX_KEY_SIZE bytes) is in guarded memory that somebody
 * else owns. */
struct secret_box_key {
    struct uuid id;
    const uint8_t *secret;
};

/* Writes CONTENT.size + SECRET_BOX_OVERHEAD bytes to OUT. */
void secret_box_seal(const struct secret_box_key *key,
                     const struct secret_box_place *place,
                     struct bytes content,
                     uint8_t *out);
/* The id of the key that opens BOX; false when BOX is none. */
bool secret_box_key_id(struct bytes box, struct uuid *out);
/* Writes BOX.size - SECRET_BOX_OVERHEAD bytes to OUT. False when BOX is none, is of another key
 * or place, or was changed; OUT has nothing of the content then. */
bool secret_box_open(const struct secret_box_key *key,
                     const struct secret_box_place *place,
                     struct bytes box,
                     uint8_t *out);

#endif

/* A box that a passphrase opens: Argon2id makes the key, secretstream (XChaCha20-Poly1305)
 * encrypts and authenticates in chunks, so nothing can be changed, cut off or reordered. */
#ifndef LBNODE_CRYPTO_PASSPHRASE_BOX_H
#define LBNODE_CRYPTO_PASSPHRASE_BOX_H

#include "lbnode/base/bytes.h"

enum {
    PASSPHRASE_MINIMUM = 8 /* bytes; for whoever asks for one */
};

/* malloc'd box with CONTENT into OUT. False when memory runs out. Takes about a tenth of a
 * second and 64 MiB for a moment. */
bool passphrase_box_seal(struct bytes passphrase, struct bytes content, struct bytes *out);

enum passphrase_box_result {
    PASSPHRASE_BOX_OPENED,
    PASSPHRASE_BOX_FOREIGN, /* not made by passphrase_box_seal */
    PASSPHRASE_BOX_REFUSED, /* wrong passphrase, or damaged */
    PASSPHRASE_BOX_NO_MEMORY
};

/* malloc'd content of BOX into OUT. */
enum passphrase_box_result
passphrase_box_open(struct bytes passphrase, struct bytes box, struct bytes *out);

#endif

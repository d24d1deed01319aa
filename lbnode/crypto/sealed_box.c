#include "lbnode/crypto/sealed_box.h"

#include <sodium.h>

_Static_assert(SEALED_BOX_OVERHEAD == crypto_box_SEALBYTES, "as libsodium has it");

bool sealed_box_close(const uint8_t to[DH_KEY_SIZE], struct bytes plain, uint8_t *out)
{
    return crypto_box_seal(out, plain.data, plain.size, to) == 0;
}

bool sealed_box_open(const struct dh_key *own, struct bytes box, uint8_t *out)
{
    return box.size >= SEALED_BOX_OVERHEAD &&
           crypto_box_seal_open(out, box.data, box.size, own->public, own->secret) == 0;
}

#include "lbnode/crypto/secret_box.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t secret[SECRET_BOX_KEY_SIZE] = "the only key of this fuzz target";

/* A box of a stranger does not open, and does no harm; one of ours does, until a bit changes.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bytes input = {data, size};
    const struct secret_box_place place = {{"object"}, 10};
    struct secret_box_key key = {{"its id"}, secret};
    uint8_t *plain = malloc(size + 1), *box = malloc(size + SECRET_BOX_OVERHEAD);
    if (!plain || !box)
        abort();
    struct uuid id;
    if (secret_box_key_id(input, &id)) {
        struct secret_box_key named = {id, secret};
        if (secret_box_open(&named, &place, input, plain))
            abort();
    } else if (size >= SECRET_BOX_OVERHEAD && data[0] == 1) {
        abort();
    }
    secret_box_seal(&key, &place, input, box);
    size_t box_size = size + SECRET_BOX_OVERHEAD;
    if (!secret_box_open(&key, &place, (struct bytes){box, box_size}, plain))
        abort();
    box[size > 0 ? data[0] % box_size : 0] ^= 1;
    if (secret_box_open(&key, &place, (struct bytes){box, box_size}, plain))
        abort();
    free(plain);
    free(box);
    return 0;
}

#include "lbnode/crypto/secret_box.h"

#include <sodium.h>
#include <string.h>

enum {
    VERSION = 1,
    ID_SIZE = 16,
    ID_AT = 1,
    NONCE_AT = ID_AT + ID_SIZE,
    CIPHER_AT = NONCE_AT + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    PLACE_SIZE = ID_SIZE + 2 + ID_SIZE
};

_Static_assert(CIPHER_AT + TAG_SIZE == SECRET_BOX_OVERHEAD, "the layout of the header");
_Static_assert(SECRET_BOX_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");

static void write_place(const struct secret_box_key *key,
                        const struct secret_box_place *place,
                        uint8_t out[PLACE_SIZE])
{
    memcpy(out, place->object_id.bytes, ID_SIZE);
    store_be16(out + ID_SIZE, place->facet);
    memcpy(out + ID_SIZE + 2, key->id.bytes, ID_SIZE);
}

void secret_box_seal(const struct secret_box_key *key,
                     const struct secret_box_place *place,
                     struct bytes content,
                     uint8_t *out)
{
    uint8_t where[PLACE_SIZE];
    write_place(key, place, where);
    out[0] = VERSION;
    memcpy(out + ID_AT, key->id.bytes, ID_SIZE);
    randombytes_buf(out + NONCE_AT, CIPHER_AT - NONCE_AT);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + CIPHER_AT, NULL, content.data,
                                               content.size, where, sizeof(where), NULL,
                                               out + NONCE_AT, key->secret);
}

bool secret_box_key_id(struct bytes box, struct uuid *out)
{
    if (box.size < SECRET_BOX_OVERHEAD || box.data[0] != VERSION)
        return false;
    memcpy(out->bytes, box.data + ID_AT, ID_SIZE);
    return true;
}

bool secret_box_open(const struct secret_box_key *key,
                     const struct secret_box_place *place,
                     struct bytes box,
                     uint8_t *out)
{
    uint8_t where[PLACE_SIZE];
    struct uuid id;
    if (!secret_box_key_id(box, &id) || !uuid_equal(&id, &key->id))
        return false;
    write_place(key, place, where);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, box.data + CIPHER_AT,
                                                   box.size - CIPHER_AT, where, sizeof(where),
                                                   box.data + NONCE_AT, key->secret) == 0)
        return true;
    sodium_memzero(out, box.size - SECRET_BOX_OVERHEAD);
    return false;
}

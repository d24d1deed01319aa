/* The only wrapper of libsodium: signatures, keyed and plain hashes, guarded memory. */
#ifndef LBNODE_CRYPTO_CRYPTO_H
#define LBNODE_CRYPTO_CRYPTO_H

#include "lbnode/base/bytes.h"

enum {
    SIGN_PUBLIC_KEY_SIZE = 32,
    SIGN_SEED_SIZE = 32,
    SIGNATURE_SIZE = 64,
    HASH_SIZE = 32,
    HASH_KEY_SIZE = 32,
};

/* Call once per process before anything else; aborts when the library cannot start. */
void crypto_start(void);

/* An Ed25519 secret key in guarded memory (no swap, no core dump). */
struct sign_key;
struct sign_key *sign_key_generate(void);
struct sign_key *sign_key_from_seed(const uint8_t seed[SIGN_SEED_SIZE]);
void sign_key_seed(const struct sign_key *key, uint8_t out_seed[SIGN_SEED_SIZE]);
const uint8_t *sign_key_public(const struct sign_key *key);
void sign_key_free(struct sign_key *key); /* wipes; NULL-safe */

/* Signs the concatenation of PARTS. */
void signature_make(const struct sign_key *key,
                    const struct bytes *parts,
                    size_t part_count,
                    uint8_t out[SIGNATURE_SIZE]);
bool signature_verify(const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE],
                      const struct bytes *parts,
                      size_t part_count,
                      const uint8_t signature[SIGNATURE_SIZE]);

/* BLAKE2b of the concatenation of PARTS, OUT_SIZE 8..64 bytes; KEY may be empty. */
void hash_make(struct bytes key,
               const struct bytes *parts,
               size_t part_count,
               uint8_t *out,
               size_t out_size);
bool constant_time_equal(const void *a, const void *b, size_t size);
void secret_wipe(void *data, size_t size);

/* SIZE zeroed bytes in guarded memory (no swap, no core dump, pages around it that nobody may
 * touch); aborts when there are none. A few pages each: for what lives long. */
void *secret_allocate(size_t size);
void secret_free(void *data); /* wipes; NULL-safe */

#endif

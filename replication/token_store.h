/* The tokens that this node gave out, and the fingerprints of the joins it took part in, in the
 * store's meta table: 't' and the token's id, 'f' and the id of the node that joined. */
#ifndef REPLICATION_TOKEN_STORE_H
#define REPLICATION_TOKEN_STORE_H

#include "replication/fingerprint.h"
#include "replication/store.h"
#include "replication/token.h"

enum {
    TOKENS_MAXIMUM = 64 /* open, used and expired ones */
};

struct token_row {
    uint8_t id[TOKEN_ID_SIZE];
    uint8_t psk[TOKEN_PSK_SIZE]; /* wipe it */
    uint64_t created_wall_ms, expires_wall_ms, wrong_proofs;
    struct uuid used_by; /* zero: nobody */
    uint8_t used_key[SIGN_PUBLIC_KEY_SIZE];
};

/* Adds to BATCH what writes the row. */
void token_row_put(struct store_batch *batch, const struct token_row *row);
void token_row_remove(struct store_batch *batch, const uint8_t id[TOKEN_ID_SIZE]);
/* 0 or -errno. */
int token_row_save(struct store *store, const struct token_row *row);
bool token_row_load(struct store *store,
                    const uint8_t id[TOKEN_ID_SIZE],
                    struct token_row *out);

struct token_rows {
    struct token_row rows[TOKENS_MAXIMUM];
    size_t count;
};

/* All of them; wipe OUT. */
void token_rows_load(struct store *store, struct token_rows *out);
/* Adds to BATCH what removes those that ended before NOW. Returns how many are left. */
size_t token_rows_sweep(struct store *store, uint64_t now_wall_ms, struct store_batch *batch);
/* Adds to BATCH what removes all of them. */
void token_rows_clear(struct store *store, struct store_batch *batch);

void fingerprint_row_put(struct store_batch *batch,
                         const struct uuid *node_id,
                         const uint8_t fingerprint[FINGERPRINT_SIZE]);
bool fingerprint_row_load(struct store *store,
                          const struct uuid *node_id,
                          uint8_t out[FINGERPRINT_SIZE]);

#endif

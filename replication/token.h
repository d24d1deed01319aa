/* Join tokens and the two proofs of a join (docs/protocol.md, "Joining"): pure functions. The
 * secret is in the token and in the inviter's store; it never crosses the wire. */
#ifndef REPLICATION_TOKEN_H
#define REPLICATION_TOKEN_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/uuid.h"
#include "lbnode/crypto/crypto.h"

enum {
    TOKEN_SECRET_SIZE = 16,
    TOKEN_ID_SIZE = 8,
    TOKEN_TEXT_SIZE = 256,
    TOKEN_MAXIMUM_TTL_S = 24 * 3600,
    TOKEN_MAXIMUM_TRIES = 5
};

struct join_token {
    struct uuid cluster_id;
    struct ip_endpoint inviter;
    uint8_t inviter_key[SIGN_PUBLIC_KEY_SIZE];
    uint8_t secret[TOKEN_SECRET_SIZE];
    uint64_t expires_wall_ms;
};

bool token_format(const struct join_token *token, char out[TOKEN_TEXT_SIZE]);
/* False when it is no token: a typing error, cut off, or of another version. */
bool token_parse(const char *text, struct join_token *out);
/* What names a token on the wire without giving it away. */
void token_id(const uint8_t secret[TOKEN_SECRET_SIZE], uint8_t out[TOKEN_ID_SIZE]);
/* Proof of the joiner (and of the inviter) that it knows the secret, over all that was said. */
void token_proof(const uint8_t secret[TOKEN_SECRET_SIZE],
                 bool of_inviter,
                 const struct bytes *transcript,
                 size_t part_count,
                 uint8_t out[HASH_SIZE]);

#endif

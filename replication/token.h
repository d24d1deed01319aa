/* Join tokens (docs/protocol.md, "Joining"): pure functions. The secret is in the token; the
 * inviter keeps what it needs of it, and none of it crosses the wire. */
#ifndef REPLICATION_TOKEN_H
#define REPLICATION_TOKEN_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/uuid.h"
#include "lbnode/crypto/crypto.h"

enum {
    TOKEN_SECRET_SIZE = 16,
    TOKEN_PSK_SIZE = 32,
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
/* What both sides bring to the handshake. The secret does not follow from it. */
void token_psk(const uint8_t secret[TOKEN_SECRET_SIZE], uint8_t out[TOKEN_PSK_SIZE]);

enum token_clock {
    TOKEN_CLOCK_FITS,
    TOKEN_IS_PAST,      /* it has expired, or this host's clock is fast */
    TOKEN_IS_FAR_AHEAD, /* it lives longer than a token can: this host's clock is slow */
};

/* What this host's clock says of a token, which the clock of another one dated. */
enum token_clock token_check_clock(const struct join_token *token, uint64_t now_wall_ms);

#endif

#include "replication/token.h"

#include "replication/base32.h"

#include <string.h>

/* Bytes: version 1, cluster id 16, family 1, address 4 or 16, port 2, inviter key 32,
 * secret 16, expiry in wall ms 8. */
enum {
    TOKEN_VERSION = 1,
    TOKEN_FIXED = 1 + 16 + 1 + 2 + 32 + 16 + 8,
    TOKEN_BYTES_MAXIMUM = TOKEN_FIXED + 16
};

bool token_format(const struct join_token *token, char out[TOKEN_TEXT_SIZE])
{
    uint8_t data[TOKEN_BYTES_MAXIMUM], *at = data;
    size_t address_size = ip_address_size(&token->inviter.address);
    *at++ = TOKEN_VERSION;
    memcpy(at, token->cluster_id.bytes, 16);
    at[16] = token->inviter.address.family;
    memcpy(at + 17, token->inviter.address.bytes, address_size);
    at += 17 + address_size;
    store_be16(at, token->inviter.port);
    memcpy(at + 2, token->inviter_key, 32);
    memcpy(at + 34, token->secret, TOKEN_SECRET_SIZE);
    store_be64(at + 50, token->expires_wall_ms);
    at += 58;
    bool made =
        base32_encode((struct bytes){data, (size_t)(at - data)}, 0, out, TOKEN_TEXT_SIZE);
    secret_wipe(data, sizeof(data));
    return made && address_size > 0;
}

bool token_parse(const char *text, struct join_token *out)
{
    uint8_t data[TOKEN_BYTES_MAXIMUM];
    size_t size = base32_decode(text, data, sizeof(data));
    *out = (struct join_token){0};
    if (size < TOKEN_FIXED + 4 || data[0] != TOKEN_VERSION)
        return false;
    memcpy(out->cluster_id.bytes, data + 1, 16);
    out->inviter.address.family = data[17];
    size_t address_size = ip_address_size(&out->inviter.address);
    if (address_size == 0 || size != TOKEN_FIXED + address_size)
        return false;
    memcpy(out->inviter.address.bytes, data + 18, address_size);
    const uint8_t *at = data + 18 + address_size;
    out->inviter.port = load_be16(at);
    memcpy(out->inviter_key, at + 2, 32);
    memcpy(out->secret, at + 34, TOKEN_SECRET_SIZE);
    out->expires_wall_ms = load_be64(at + 50);
    secret_wipe(data, sizeof(data));
    return out->inviter.port != 0;
}

static struct bytes text_view(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

void token_id(const uint8_t secret[TOKEN_SECRET_SIZE], uint8_t out[TOKEN_ID_SIZE])
{
    struct bytes context = text_view("lbnode-token-id-v1");
    hash_make((struct bytes){secret, TOKEN_SECRET_SIZE}, &context, 1, out, TOKEN_ID_SIZE);
}

void token_psk(const uint8_t secret[TOKEN_SECRET_SIZE], uint8_t out[TOKEN_PSK_SIZE])
{
    struct bytes parts[] = {text_view("join"), {secret, TOKEN_SECRET_SIZE}};
    hash_make((struct bytes){0}, parts, ARRAY_LENGTH(parts), out, TOKEN_PSK_SIZE);
}

enum token_clock token_check_clock(const struct join_token *token, uint64_t now_wall_ms)
{
    /* Two hosts' clocks may differ so much before anybody is sent away for it: within that the
     * inviter, who dated the token, has the last word. */
    const uint64_t skew_ms = 120000;
    if (now_wall_ms > skew_ms && token->expires_wall_ms < now_wall_ms - skew_ms)
        return TOKEN_IS_PAST;
    if (token->expires_wall_ms > now_wall_ms + 1000ull * TOKEN_MAXIMUM_TTL_S + skew_ms)
        return TOKEN_IS_FAR_AHEAD;
    return TOKEN_CLOCK_FITS;
}

/* The tokens of this node, for its operator: made, listed, taken back. */
#include "lbnode/base/random.h"
#include "replication/replication_internal.h"
#include "replication/token_store.h"

#include <errno.h>
#include <string.h>

/* The sweep and the new row. */
static int save_new(struct replication *replication, const struct token_row *row)
{
    struct store_batch batch = {0};
    size_t left = token_rows_sweep(replication->store, row->created_wall_ms, &batch);
    token_row_put(&batch, row);
    int result = left < TOKENS_MAXIMUM ? store_commit(replication->store, &batch) : -E2BIG;
    store_batch_free(&batch);
    return result;
}

static bool may_invite(const struct replication *replication,
                       uint32_t ttl_s,
                       struct ip_endpoint *out,
                       struct error *error)
{
    const struct core *core = replication->core;
    if (!core_is_initialised(core) || core_was_removed(core))
        return error_set(error, ERROR_REFUSED,
                         "this node is not part of a cluster; run lbnode init first");
    if (ttl_s == 0 || ttl_s > TOKEN_MAXIMUM_TTL_S)
        return error_set(error, ERROR_INVALID, "a token may live 1 to %d seconds, not %u",
                         TOKEN_MAXIMUM_TTL_S, ttl_s);
    if (replication->settings.addresses.count == 0 ||
        !ip_endpoint_parse(replication->settings.addresses.items[0], 7850, out))
        return error_set(error, ERROR_REFUSED,
                         "this node has no address that others could reach; set addresses in "
                         "node.yaml");
    return true;
}

bool replication_token_create(struct replication *replication,
                              uint32_t ttl_s,
                              char out_token[JOIN_TOKEN_SIZE],
                              struct error *error)
{
    struct join_token token = {.cluster_id = core_genesis(replication->core)->cluster_id};
    struct token_row row = {.created_wall_ms = replication_now(replication).wall_ms};
    if (!may_invite(replication, ttl_s, &token.inviter, error))
        return false;
    memcpy(token.inviter_key, sign_key_public(replication->key), SIGN_PUBLIC_KEY_SIZE);
    random_bytes(token.secret, sizeof(token.secret));
    token.expires_wall_ms = row.created_wall_ms + 1000ull * ttl_s;
    row.expires_wall_ms = token.expires_wall_ms;
    token_id(token.secret, row.id);
    token_psk(token.secret, row.psk);
    int result = save_new(replication, &row);
    bool made = result == 0 && token_format(&token, out_token);
    secret_wipe(&token, sizeof(token));
    secret_wipe(&row, sizeof(row));
    if (result == -E2BIG)
        return error_set(error, ERROR_REFUSED,
                         "this node has %d tokens already: wait until some have expired, or "
                         "take them back with lbnode token delete",
                         TOKENS_MAXIMUM);
    return made || error_set(error, ERROR_REFUSED, "the token could not be stored: %s",
                             strerror(-result));
}

static enum token_state state_of(const struct token_row *row, uint64_t now_wall_ms)
{
    if (!uuid_is_zero(&row->used_by))
        return TOKEN_USED;
    if (row->wrong_proofs >= TOKEN_MAXIMUM_TRIES)
        return TOKEN_SPOILT;
    return row->expires_wall_ms < now_wall_ms ? TOKEN_EXPIRED : TOKEN_OPEN;
}

void replication_visit_tokens(const struct replication *replication,
                              void (*visit)(void *context, const struct token_view *token),
                              void *context)
{
    struct token_rows found;
    token_rows_load(replication->store, &found);
    for (size_t i = 0; i < found.count; i++) {
        const struct token_row *row = &found.rows[i];
        struct token_view view = {
            .state = state_of(row, replication_now(replication).wall_ms),
            .created_wall_ms = row->created_wall_ms,
            .expires_wall_ms = row->expires_wall_ms,
            .wrong_proofs = (unsigned)row->wrong_proofs,
            .node_id = row->used_by,
        };
        bytes_to_hex((struct bytes){row->id, TOKEN_ID_SIZE}, view.id);
        if (view.state == TOKEN_USED)
            replication_fingerprint(replication, &row->used_by, view.fingerprint);
        visit(context, &view);
    }
    secret_wipe(&found, sizeof(found));
}

bool replication_token_delete(struct replication *replication,
                              const char *id,
                              struct error *error)
{
    struct store_batch batch = {0};
    struct token_row row;
    uint8_t bytes[TOKEN_ID_SIZE];
    if (!bytes_from_hex(id, bytes, sizeof(bytes)) ||
        !token_row_load(replication->store, bytes, &row))
        return error_set(error, ERROR_NOT_FOUND,
                         "this node has no token %.32s; lbnode token list shows its tokens",
                         id);
    secret_wipe(&row, sizeof(row));
    token_row_remove(&batch, bytes);
    int result = store_commit(replication->store, &batch);
    store_batch_free(&batch);
    return result == 0 || error_set(error, ERROR_REFUSED, "the store cannot be written: %s",
                                    strerror(-result));
}

bool replication_fingerprint(const struct replication *replication,
                             const struct uuid *node_id,
                             char out[JOIN_FINGERPRINT_SIZE])
{
    uint8_t fingerprint[FINGERPRINT_SIZE];
    _Static_assert((int)JOIN_FINGERPRINT_SIZE == (int)FINGERPRINT_TEXT_SIZE, "the same");
    out[0] = '\0';
    if (!fingerprint_row_load(replication->store, node_id, fingerprint))
        return false;
    fingerprint_format(fingerprint, out);
    return true;
}

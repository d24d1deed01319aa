/* Invitations of this node: one-time tokens for nodes that join. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/admin_request.h"
#include "lbnode/base/monotime.h"

#include <string.h>

enum {
    TOKEN_TTL_MAXIMUM_S = 86400
};

void token_create(struct admin_request *request)
{
    struct error error = {0};
    char token[JOIN_TOKEN_SIZE];
    const struct json_value *root = admin_request_root(request, "token", &error);
    const struct json_value *value = json_value_get(root, "ttl_s");
    int64_t ttl_s = json_value_is_null(value) ? TOKEN_TTL_DEFAULT_S : json_value_number(value);
    if (root && !replication_is_initialised(request->state->replication))
        error_set(&error, ERROR_CONFLICT,
                  "this node is in no cluster yet: start one with lbnode init");
    else if (root && (ttl_s < 1 || ttl_s > TOKEN_TTL_MAXIMUM_S))
        error_set(&error, ERROR_INVALID,
                  "Invalid input for field/attribute ttl_s. Value: '%lld'. Value should be "
                  "1 to %d seconds",
                  (long long)ttl_s, TOKEN_TTL_MAXIMUM_S);
    else if (root && replication_token_create(request->state->replication, (uint32_t)ttl_s,
                                              token, &error)) {
        struct json_value *answer = json_value_object();
        json_value_set_text(answer, "token", token);
        json_value_set_number(answer, "ttl_s", ttl_s);
        explicit_bzero(token, sizeof(token));
        request->answer.wipes = true;
        admin_answer_wrapped(request, 201, "token", answer);
        return;
    }
    admin_answer_error(request, &error);
}

struct listing {
    const struct node_state *state;
    struct json_value *tokens;
};

static void set_time(struct json_value *view, const char *key, uint64_t wall_ms)
{
    char text[WALLTIME_TEXT_SIZE];
    walltime_format(wall_ms, text);
    json_value_set_text(view, key, text);
}

static void list_token(void *context, const struct token_view *token)
{
    static const char *const states[] = {
        [TOKEN_OPEN] = "OPEN",
        [TOKEN_USED] = "USED",
        [TOKEN_EXPIRED] = "EXPIRED",
        [TOKEN_SPOILT] = "SPOILT",
    };
    const struct listing *listing = context;
    const struct effective *node =
        configuration_find(listing->state->configuration, &token->node_id);
    struct json_value *view = json_value_object();
    json_value_set_text(view, "id", token->id);
    json_value_set_text(view, "state", states[token->state]);
    set_time(view, "created_at", token->created_wall_ms);
    set_time(view, "expires_at", token->expires_wall_ms);
    json_value_set_number(view, "wrong_proofs", token->wrong_proofs);
    json_value_set_text(view, "node", node ? node->resource->name : NULL);
    json_value_set_text(view, "fingerprint", token->fingerprint[0] ? token->fingerprint : NULL);
    json_value_append(listing->tokens, view);
}

void tokens_list(struct admin_request *request)
{
    struct listing listing = {request->state, json_value_array()};
    struct json_value *root = json_value_object();
    replication_visit_tokens(request->state->replication, list_token, &listing);
    json_value_set(root, "tokens", listing.tokens);
    admin_answer_json(request, 200, root);
}

void token_delete(struct admin_request *request)
{
    struct error error = {0};
    if (replication_token_delete(request->state->replication, request->parameters[0], &error))
        admin_answer_empty(request, 204);
    else
        admin_answer_error(request, &error);
}

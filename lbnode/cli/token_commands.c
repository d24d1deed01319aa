/* Invitations for nodes that join. */
#include "lbnode/cli/command.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"
#include "lbnode/http/http_url.h"

#include <string.h>

bool run_token_create(struct context *context, struct error *error)
{
    struct response response;
    uint32_t ttl_s = 900;
    const char *given = arguments_value(&context->arguments, "ttl");
    if (given && !duration_parse(given, &ttl_s))
        return error_set(error, ERROR_USAGE, "--ttl %s should be a duration such as 15m or 2h",
                         given);
    struct json_value *body = json_value_object();
    json_value_set_number(body, "ttl_s", ttl_s);
    bool good = cli_post(context, "/v1/tokens", "token", body, &response, error);
    const struct json_value *token = json_value_get(response.json, "token");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML)) {
        output_document(context->format, token);
    } else if (good) {
        printf("%s\n", cli_text_of(token, "token"));
        fprintf(stderr, "run on the new node within %u s: lbnode join TOKEN; it works once\n",
                ttl_s);
    }
    response_free(&response);
    return good;
}

static void print_tokens(const struct json_value *tokens)
{
    static const char *const keys[] = {"id",   "state",       "expires_at",
                                       "node", "fingerprint", "wrong_proofs"};
    struct text text = {0};
    struct table table;
    table_init(&table, ARRAY_LENGTH(keys));
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        table_add(&table, keys[i]);
    for (size_t i = 0; i < json_value_count(tokens); i++)
        for (size_t k = 0; k < ARRAY_LENGTH(keys); k++) {
            struct text cell = {0};
            value_write(json_value_get(json_value_at(tokens, i), keys[k]), &cell);
            table_add(&table, text_string(&cell));
            text_free(&cell);
        }
    table_write(&table, 0, &text);
    printf("%s",
           json_value_count(tokens) > 0 ? text_string(&text) : "this node has no tokens\n");
    text_free(&text);
    table_free(&table);
}

bool run_token_list(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/v1/tokens", NULL, &response, error);
    const struct json_value *tokens = json_value_get(response.json, "tokens");
    if (good && context->format == OUTPUT_NAME) {
        for (size_t i = 0; i < json_value_count(tokens); i++)
            printf("%s\n", cli_text_of(json_value_at(tokens, i), "id"));
    } else if (good && context->format != OUTPUT_TABLE) {
        output_document(context->format, tokens);
    } else if (good) {
        print_tokens(tokens);
    }
    response_free(&response);
    return good;
}

bool run_token_delete(struct context *context, struct error *error)
{
    const char *id = context->arguments.positional[0];
    char encoded[3 * 64 + 1], target[TARGET_SIZE];
    struct response response;
    if (strlen(id) > 64)
        return error_set(error, ERROR_USAGE, "an id has 16 characters: lbnode token list");
    http_url_encode(id, encoded);
    snprintf(target, sizeof(target), "/v1/tokens/%s", encoded);
    bool good = client_request(&context->client, "DELETE", target, NULL, &response, error);
    if (good)
        fprintf(output_notes(context->format), "token %s lets nobody in any more\n", id);
    response_free(&response);
    return good;
}

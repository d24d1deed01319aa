/* The nodes of the cluster: listed, shown, removed. */
#include "lbnode/cli/command.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"
#include "lbnode/http/http_url.h"

#include <string.h>

bool run_node_list(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/v1/nodes", NULL, &response, error);
    const struct json_value *nodes = json_value_get(response.json, "nodes");
    if (good && context->format == OUTPUT_NAME) {
        for (size_t i = 0; i < json_value_count(nodes); i++)
            printf("%s\n", cli_text_of(json_value_at(nodes, i), "name"));
    } else if (good && context->format != OUTPUT_TABLE) {
        output_document(context->format, nodes);
    } else if (good) {
        cli_print_list(context, nodes);
    }
    response_free(&response);
    return good;
}

/* "/v1/nodes/NAME"; the daemon takes id or name. */
static bool
node_target(const struct context *context, char target[TARGET_SIZE], struct error *error)
{
    const char *name = context->arguments.positional[0];
    char encoded[3 * 300 + 1];
    if (strlen(name) >= 300)
        return error_set(error, ERROR_USAGE, "a name has at most 255 characters");
    http_url_encode(name, encoded);
    snprintf(target, TARGET_SIZE, "/v1/nodes/%s", encoded);
    return true;
}

bool run_node_show(struct context *context, struct error *error)
{
    char target[TARGET_SIZE];
    struct response response;
    if (!node_target(context, target, error))
        return false;
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    const struct json_value *node = json_value_get(response.json, "node");
    if (good)
        cli_print_object(context, node ? node : response.json);
    response_free(&response);
    return good;
}

/* What the node could read stays known to whoever has its key. */
static void print_secrets(struct context *context)
{
    struct response response;
    struct error ignored = {0};
    bool good =
        client_request(&context->client, "GET", "/v1/secrets", NULL, &response, &ignored);
    const struct json_value *secrets = json_value_get(response.json, "secrets");
    if (!good)
        printf("the list of secrets cannot be read; each one that the cluster has is known to "
               "whoever has the node: replace them\n");
    else if (json_value_count(secrets) == 0)
        printf("the cluster has no secrets that the node could have read\n");
    else
        printf("replace these secrets, the node could read them:\n");
    for (size_t i = 0; good && i < json_value_count(secrets); i++)
        printf("  %s\n", cli_text_of(json_value_at(secrets, i), "name"));
    response_free(&response);
}

static void say_removed(struct context *context, const char *name)
{
    FILE *notes = output_notes(context->format);
    if (arguments_has(&context->arguments, "compromised"))
        fprintf(
            notes,
            "revoked node %s: its key is void for good, and so is what it signs from now on; "
            "the keys of the cluster are being replaced\n",
            name);
    else if (arguments_has(&context->arguments, "dead"))
        fprintf(notes,
                "removed node %s: all that it had told this node stays; changes that only it "
                "had are lost\n",
                name);
    else
        fprintf(notes, "removed node %s: it had passed everything on, nothing is lost\n", name);
}

bool run_node_remove(struct context *context, struct error *error)
{
    char target[TARGET_SIZE];
    struct response response;
    if (!node_target(context, target, error))
        return false;
    const char *flag = arguments_has(&context->arguments, "compromised") ? "?compromised=true"
                       : arguments_has(&context->arguments, "dead")      ? "?dead=true"
                                                                         : "";
    snprintf(target + strlen(target), sizeof(target) - strlen(target), "%s", flag);
    bool good = client_request(&context->client, "DELETE", target, NULL, &response, error);
    if (good) {
        say_removed(context, context->arguments.positional[0]);
        cli_print_note(context, &response);
        if (context->format == OUTPUT_TABLE &&
            arguments_has(&context->arguments, "compromised"))
            print_secrets(context);
    }
    response_free(&response);
    return good;
}

/* NAME is there so that nobody replaces the key of another node than he thinks. */
static bool own_name(struct context *context, char out[300], struct error *error)
{
    struct response response;
    const char *given = context->arguments.positional[0];
    bool good = client_request(&context->client, "GET", "/v1/status", NULL, &response, error);
    if (good)
        snprintf(out, 300, "%s",
                 given ? given : cli_text_of(json_value_get(response.json, "node"), "name"));
    response_free(&response);
    return good;
}

bool run_node_rekey(struct context *context, struct error *error)
{
    char target[TARGET_SIZE], name[300], encoded[3 * 300 + 1];
    struct response response;
    if (!own_name(context, name, error))
        return false;
    http_url_encode(name, encoded);
    snprintf(target, sizeof(target), "/v1/nodes/%s/rekey", encoded);
    bool good = client_request(&context->client, "POST", target, NULL, &response, error);
    const struct json_value *rekey = json_value_get(response.json, "rekey");
    const struct json_value *unaware = json_value_get(rekey, "unaware");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML)) {
        output_document(context->format, rekey);
    } else if (good) {
        printf("node %s has a new key; what the old one signs from now on is void, and so are "
               "join tokens that this node made\n",
               cli_text_of(rekey, "node"));
        for (size_t i = 0; i < json_value_count(unaware); i++)
            printf("node %s does not know it yet; it is told as soon as it answers\n",
                   json_value_text(json_value_at(unaware, i)));
    }
    response_free(&response);
    return good;
}

#include "lbnode/cli/command.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"
#include "lbnode/http/http_url.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TOKEN_SIZE = 1024
};

/* Sends {ROOT: BODY} (taken over); on success RESPONSE has {ROOT: {...}}. */
static bool post(struct context *context,
                 const char *target,
                 const char *root,
                 struct json_value *body,
                 struct response *response,
                 struct error *error)
{
    struct json_value *request = json_value_object();
    json_value_set(request, root, body);
    bool good = client_request(&context->client, "POST", target, request, response, error);
    json_value_free(request);
    return good;
}

static const char *text_of(const struct json_value *object, const char *key)
{
    const char *text = json_value_get_text(object, key);
    return text ? text : "-";
}

/* The first group gets a virtual router id that no other router uses: those advertise once a
 * second by default, and a daemon that has just been started has not heard them all. */
static void listen_first(struct context *context)
{
    enum {
        LISTEN_MS = 1100
    };
    struct response response;
    struct error ignored = {0};
    if (client_request(&context->client, "GET", "/v1/status", NULL, &response, &ignored)) {
        const struct json_value *node = json_value_get(response.json, "node");
        int64_t uptime_ms = json_value_number(json_value_get(node, "uptime_ms"));
        int64_t rest_ms = uptime_ms < LISTEN_MS ? LISTEN_MS - uptime_ms : 0;
        const struct timespec rest = {rest_ms / 1000, rest_ms % 1000 * 1000000};
        if (rest_ms > 0 && json_value_truth(json_value_get(node, "manages_addresses")))
            nanosleep(&rest, NULL);
    }
    response_free(&response);
}

bool run_cluster_init(struct context *context, struct error *error)
{
    struct response response;
    struct json_value *body = json_value_object();
    const char *name = arguments_value(&context->arguments, "name");
    json_value_set_text(body, "name", name ? name : "lbnode");
    listen_first(context);
    bool good = post(context, "/v1/cluster", "cluster", body, &response, error);
    const struct json_value *cluster = json_value_get(response.json, "cluster");
    if (good && context->format == OUTPUT_NAME) {
        printf("%s\n", text_of(cluster, "name"));
    } else if (good && context->format != OUTPUT_TABLE) {
        output_document(context->format, cluster);
    } else if (good) {
        printf("cluster %s started, this node is its first\n\n", text_of(cluster, "name"));
        printf("recovery code, shown this once; keep it in a safe place:\n  %s\n",
               text_of(cluster, "recovery_code"));
        if (json_value_get_text(cluster, "join_token"))
            printf("\nto add a node, run there:\n  lbnode join %s\n",
                   text_of(cluster, "join_token"));
        printf("\neach further node needs a token of its own: lbnode token create\n");
    }
    response_free(&response);
    return good;
}

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
    bool good = post(context, "/v1/tokens", "token", body, &response, error);
    const struct json_value *token = json_value_get(response.json, "token");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML)) {
        output_document(context->format, token);
    } else if (good) {
        printf("%s\n", text_of(token, "token"));
        fprintf(stderr, "run on the new node within %u s: lbnode join TOKEN; it works once\n",
                ttl_s);
    }
    response_free(&response);
    return good;
}

/* "-" keeps the token out of the list of processes: it is read from standard input. */
static bool read_token(const struct context *context, char out[TOKEN_SIZE], struct error *error)
{
    const char *given = context->arguments.positional[0];
    if (strcmp(given, "-") != 0)
        snprintf(out, TOKEN_SIZE, "%s", given);
    else if (!fgets(out, TOKEN_SIZE, stdin))
        return error_set(error, ERROR_USAGE, "there is no token on standard input");
    out[strcspn(out, " \r\n")] = '\0';
    return true;
}

bool run_cluster_join(struct context *context, struct error *error)
{
    struct response response;
    char token[TOKEN_SIZE];
    if (!read_token(context, token, error))
        return false;
    struct json_value *body = json_value_object();
    json_value_set_text(body, "token", token);
    bool good = post(context, "/v1/join", "join", body, &response, error);
    const struct json_value *join = json_value_get(response.json, "join");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML))
        output_document(context->format, join);
    else if (good)
        printf("%s joined cluster %s\n", text_of(join, "node_name"),
               text_of(join, "cluster_name"));
    response_free(&response);
    return good;
}

/* ---- nodes ------------------------------------------------------------------------------- */

bool run_node_list(struct context *context, struct error *error)
{
    struct response response;
    bool good = client_request(&context->client, "GET", "/v1/nodes", NULL, &response, error);
    const struct json_value *nodes = json_value_get(response.json, "nodes");
    if (good && context->format == OUTPUT_NAME) {
        for (size_t i = 0; i < json_value_count(nodes); i++)
            printf("%s\n", text_of(json_value_at(nodes, i), "name"));
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

bool run_node_remove(struct context *context, struct error *error)
{
    char target[TARGET_SIZE];
    struct response response;
    if (!node_target(context, target, error))
        return false;
    if (arguments_has(&context->arguments, "dead"))
        snprintf(target + strlen(target), sizeof(target) - strlen(target), "?dead=true");
    bool good = client_request(&context->client, "DELETE", target, NULL, &response, error);
    if (good) {
        fprintf(output_notes(context->format), "removed node %s\n",
                context->arguments.positional[0]);
        cli_print_note(context, &response);
    }
    response_free(&response);
    return good;
}

#include "lbnode/cli/command.h"
#include "lbnode/cli/resource_commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    TOKEN_SIZE = 1024
};

bool cli_post(struct context *context,
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

const char *cli_text_of(const struct json_value *object, const char *key)
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
    bool good = cli_post(context, "/v1/cluster", "cluster", body, &response, error);
    const struct json_value *cluster = json_value_get(response.json, "cluster");
    if (good && context->format == OUTPUT_NAME) {
        printf("%s\n", cli_text_of(cluster, "name"));
    } else if (good && context->format != OUTPUT_TABLE) {
        output_document(context->format, cluster);
    } else if (good) {
        printf("cluster %s started, this node is its first\n\n", cli_text_of(cluster, "name"));
        printf("recovery code, shown this once; keep it in a safe place:\n  %s\n",
               cli_text_of(cluster, "recovery_code"));
        if (json_value_get_text(cluster, "join_token"))
            printf("\nto add a node, run there:\n  lbnode join %s\n",
                   cli_text_of(cluster, "join_token"));
        printf("\neach further node needs a token of its own: lbnode token create\n");
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
    bool good = cli_post(context, "/v1/join", "join", body, &response, error);
    const struct json_value *join = json_value_get(response.json, "join");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML))
        output_document(context->format, join);
    else if (good)
        printf("%s joined cluster %s\n"
               "fingerprint: %s\n"
               "the node that made the token shows the same words: lbnode node show %s\n",
               cli_text_of(join, "node_name"), cli_text_of(join, "cluster_name"),
               cli_text_of(join, "fingerprint"), cli_text_of(join, "node_name"));
    response_free(&response);
    return good;
}

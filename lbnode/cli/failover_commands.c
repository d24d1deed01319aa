/* Planned switches: failover, node drain, node undrain. */
#include "lbnode/cli/command.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"
#include "lbnode/http/http_url.h"

#include <string.h>
#include <time.h>

enum {
    WAIT_STEP_MS = 25,
    WAIT_STEPS = 80,
};

static bool send_body(struct context *context,
                      const char *method,
                      const char *target,
                      const char *root,
                      struct json_value *body,
                      struct response *response,
                      struct error *error)
{
    struct json_value *request = json_value_object();
    json_value_set(request, root, body);
    bool good = client_request(&context->client, method, target, request, response, error);
    json_value_free(request);
    return good;
}

static const char *text_of(const struct json_value *object, const char *key)
{
    const char *text = json_value_get_text(object, key);
    return text ? text : "-";
}

static bool names(const struct json_value *list, const char *name)
{
    for (size_t i = 0; i < json_value_count(list); i++) {
        const char *text = json_value_text(json_value_at(list, i));
        if (text && strcmp(text, name) == 0)
            return true;
    }
    return false;
}

/* How many of GROUPS have no other owner yet, or one whose name is not known here so far. With
 * SAY, a line for each of them all, and only those count that are active here. */
static size_t
count_open(const struct json_value *status, const struct json_value *groups, bool say)
{
    const struct json_value *all = json_value_get(status, "vrrp");
    size_t here = 0;
    for (size_t i = 0; i < json_value_count(all); i++) {
        const struct json_value *group = json_value_at(all, i);
        const char *name = text_of(group, "group");
        if (!names(groups, name) || json_value_count(json_value_get(group, "addresses")) == 0)
            continue;
        here += strcmp(text_of(group, "state"), "active") == 0 ||
                (!say && !json_value_get_text(group, "active_node"));
        if (say)
            printf("group %s (%s): active on %s\n", name, text_of(group, "family"),
                   json_value_get_text(group, "active_node")
                       ? text_of(group, "active_node")
                       : text_of(group, "active_address"));
    }
    return here;
}

/* Until another node is active or nobody took over. */
static bool
wait_for_switch(struct context *context, const struct json_value *groups, struct error *error)
{
    static const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    size_t here = 1;
    bool good = true;
    for (int i = 0; good && here > 0 && i < WAIT_STEPS; i++) {
        struct response response;
        nanosleep(&step, NULL);
        good = client_request(&context->client, "GET", "/v1/status", NULL, &response, error);
        const struct json_value *status = json_value_get(response.json, "status");
        status = status ? status : response.json;
        here = good ? count_open(status, groups, false) : 0;
        if (good && (here == 0 || i == WAIT_STEPS - 1))
            here = count_open(status, groups, true);
        response_free(&response);
    }
    if (good && here > 0)
        return error_set(error, ERROR_CONFLICT,
                         "no other node took over; lbnode events tells more");
    return good;
}

bool run_failover_start(struct context *context, struct error *error)
{
    struct response response;
    struct json_value *body = json_value_object();
    const char *to = arguments_value(&context->arguments, "to");
    const char *group = arguments_value(&context->arguments, "group");
    if (to)
        json_value_set_text(body, "to", to);
    if (group)
        json_value_set_text(body, "group", group);
    bool good = send_body(context, "POST", "/v1/failover", "failover", body, &response, error);
    const struct json_value *answer = json_value_get(response.json, "failover");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML))
        output_document(context->format, answer);
    else if (good)
        good = wait_for_switch(context, json_value_get(answer, "groups"), error);
    response_free(&response);
    return good;
}

static bool set_drain(struct context *context, bool drain, struct error *error)
{
    struct response response;
    char target[TARGET_SIZE], encoded[3 * 300 + 1];
    const char *name = context->arguments.positional[0];
    if (strlen(name) >= 300)
        return error_set(error, ERROR_USAGE, "a name has at most 255 characters");
    http_url_encode(name, encoded);
    snprintf(target, sizeof(target), "/v1/nodes/%s", encoded);
    struct json_value *body = json_value_object();
    json_value_set_bool(body, "drain", drain);
    bool good = send_body(context, "PUT", target, "node", body, &response, error);
    if (good) {
        fprintf(output_notes(context->format), "node %s %s\n", name,
                drain ? "gives its addresses away" : "may have addresses again");
        cli_print_note(context, &response);
    }
    response_free(&response);
    return good;
}

bool run_node_drain(struct context *context, struct error *error)
{
    return set_drain(context, true, error);
}

bool run_node_undrain(struct context *context, struct error *error)
{
    return set_drain(context, false, error);
}

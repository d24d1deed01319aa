/* Planned switches: failover, node drain, node undrain. */
#include "lbnode/cli/failover_commands.h"

#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"
#include "lbnode/http/http_url.h"

#include <string.h>
#include <time.h>

enum {
    WAIT_STEP_MS = 25,
    WAIT_STEPS = 140,
    ASK_AGAIN_STEPS = 48, /* longer than a node takes no notice of the same peer */
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

/* Who had GROUP before, or NULL when it was not to move. */
static const char *moved_from(const struct json_value *moves, const char *group)
{
    for (size_t i = 0; i < json_value_count(moves); i++) {
        const struct json_value *move = json_value_at(moves, i);
        if (strcmp(text_of(move, "group"), group) == 0)
            return text_of(move, "from");
    }
    return NULL;
}

/* Of each node that could have taken GROUP over from FROM, why it did not. */
static void say_why(const struct json_value *group, const char *from, const char *to)
{
    const struct json_value *nodes = json_value_get(group, "nodes");
    for (size_t i = 0; i < json_value_count(nodes); i++) {
        const struct json_value *node = json_value_at(nodes, i);
        const char *name = text_of(node, "name"), *remedy = json_value_get_text(node, "remedy");
        if (strcmp(name, from) == 0 || (to && strcmp(name, to) != 0))
            continue;
        if (json_value_truth(json_value_get(node, "eligible")))
            printf("  node %s (%s) was asked and did not take it over\n", name,
                   text_of(node, "state"));
        else
            printf("  node %s cannot take it over: %s%s%s\n", name, text_of(node, "reason"),
                   remedy ? "; there: " : "", remedy ? remedy : "");
    }
}

/* How many moves of ANSWER (pairs of group and old owner) are not over yet. With SAY, a line
 * for each group and family, and why those that are open are. */
static size_t
count_open(const struct json_value *status, const struct json_value *answer, bool say)
{
    const struct json_value *moves = json_value_get(answer, "moves");
    const struct json_value *all = json_value_get(status, "vrrp");
    size_t open = 0;
    for (size_t i = 0; i < json_value_count(all); i++) {
        const struct json_value *group = json_value_at(all, i);
        const char *name = text_of(group, "group"), *owner = text_of(group, "active_node");
        const char *from = moved_from(moves, name);
        if (!from || json_value_count(json_value_get(group, "addresses")) == 0)
            continue;
        /* Who took over may be no node: another VRRP router, of a group that allows it. */
        bool stranger = strcmp(owner, "-") == 0 &&
                        strcmp(text_of(group, "active_address"), "-") != 0 &&
                        strcmp(text_of(group, "family"), "IPv4") == 0;
        bool left = strcmp(owner, from) == 0 || (strcmp(owner, "-") == 0 && !stranger);
        open += left;
        if (say)
            printf("group %s (%s): active on %s\n", name, text_of(group, "family"),
                   stranger ? text_of(group, "active_address") : owner);
        if (say && left)
            say_why(group, from, json_value_get_text(answer, "to"));
    }
    return open;
}

/* What another node was asked may have been lost on the way. FROM keeps a second wish from
 * undoing the first. */
static void ask_again(struct context *context, const struct json_value *moves, const char *to)
{
    for (size_t i = 0; i < json_value_count(moves); i++) {
        const struct json_value *move = json_value_at(moves, i);
        struct json_value *body = json_value_object();
        struct response response;
        struct error ignored = {0};
        json_value_set_text(body, "group", text_of(move, "group"));
        json_value_set_text(body, "from", text_of(move, "from"));
        if (to)
            json_value_set_text(body, "to", to);
        send_body(context, "POST", "/v1/failover", "failover", body, &response, &ignored);
        response_free(&response);
    }
}

bool failover_wait(struct context *context,
                   const struct json_value *answer,
                   bool say,
                   struct error *error)
{
    static const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    const struct json_value *moves = json_value_get(answer, "moves");
    size_t open = 1;
    bool good = true;
    for (int i = 0; good && open > 0 && i < WAIT_STEPS; i++) {
        struct response response;
        nanosleep(&step, NULL);
        if (i > 0 && i % ASK_AGAIN_STEPS == 0)
            ask_again(context, moves, json_value_get_text(answer, "to"));
        good = client_request(&context->client, "GET", "/v1/status", NULL, &response, error);
        const struct json_value *status = json_value_get(response.json, "status");
        status = status ? status : response.json;
        open = good ? count_open(status, answer, false) : 0;
        if (good && say && (open == 0 || i == WAIT_STEPS - 1))
            count_open(status, answer, true);
        response_free(&response);
    }
    if (good && open > 0)
        return error_set(error, ERROR_CONFLICT,
                         "no other node took over; lbnode events tells more");
    return good;
}

bool failover_ask(struct context *context,
                  const char *group,
                  const char *to,
                  struct response *response,
                  struct error *error)
{
    struct json_value *body = json_value_object();
    if (to)
        json_value_set_text(body, "to", to);
    if (group)
        json_value_set_text(body, "group", group);
    return send_body(context, "POST", "/v1/failover", "failover", body, response, error);
}

bool run_failover_start(struct context *context, struct error *error)
{
    struct response response;
    bool good = failover_ask(context, arguments_value(&context->arguments, "group"),
                             arguments_value(&context->arguments, "to"), &response, error);
    const struct json_value *answer = json_value_get(response.json, "failover");
    if (good && (context->format == OUTPUT_JSON || context->format == OUTPUT_YAML))
        output_document(context->format, answer);
    else if (good)
        good = failover_wait(context, answer, true, error);
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

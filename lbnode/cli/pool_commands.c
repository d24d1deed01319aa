#include "lbnode/base/parse_number.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/cli/resource_commands.h"

#include <string.h>

/* A pool for a listener speaks what the listener speaks, unless --protocol says otherwise. */
static bool add_listener(const struct context *context,
                         const char *name,
                         struct json_value *body,
                         struct error *error)
{
    struct json_value *listener = lookup_object(
        &context->client, resource_class_of(RESOURCE_LISTENER), NULL, name, error);
    if (!listener)
        return false;
    json_value_set_text(body, "listener_id", json_value_get_text(listener, "id"));
    json_value_set_text(body, "protocol", json_value_get_text(listener, "protocol"));
    json_value_free(listener);
    return true;
}

bool run_pool_create(struct context *context, struct error *error)
{
    const char *listener = arguments_value(&context->arguments, "listener");
    const char *load_balancer = arguments_value(&context->arguments, "loadbalancer");
    struct json_value *body = json_value_object();
    if (!listener == !load_balancer) {
        json_value_free(body);
        return error_set(error, ERROR_USAGE,
                         "pool create needs either --listener or --loadbalancer");
    }
    json_value_set_text(body, "lb_algorithm", "ROUND_ROBIN");
    if (listener && !add_listener(context, listener, body, error)) {
        json_value_free(body);
        return false;
    }
    return cli_create(context, body, error);
}

/* What fits the pool: HTTP and TCP are their own types of monitor, datagrams have one. */
static const char *usual_monitor_type(const struct json_value *pool)
{
    const char *protocol = json_value_get_text(pool, "protocol");
    return protocol && strcmp(protocol, "UDP") == 0 ? "UDP-CONNECT" : protocol;
}

/* The usual monitor: each 5 s, 3 s of patience, 3 successes. */
bool run_monitor_create(struct context *context, struct error *error)
{
    int64_t delay = 5;
    const char *given = arguments_value(&context->arguments, "delay");
    struct json_value *pool = lookup_object(&context->client, resource_class_of(RESOURCE_POOL),
                                            NULL, context->arguments.positional[0], error);
    if (!pool)
        return false;
    struct json_value *body = json_value_object();
    json_value_set_text(body, "pool_id", json_value_get_text(pool, "id"));
    json_value_set_text(body, "type", usual_monitor_type(pool));
    json_value_set_number(body, "delay", delay);
    if (given)
        parse_integer(given, 1, INT32_MAX, &delay);
    json_value_set_number(body, "timeout", delay < 3 ? delay : 3);
    json_value_set_number(body, "max_retries", 3);
    json_value_free(pool);
    return cli_create(context, body, error);
}

static struct json_value *new_member(const char *text, int64_t weight, struct error *error)
{
    struct ip_endpoint endpoint;
    char address[IP_ADDRESS_TEXT_SIZE], name[IP_ENDPOINT_TEXT_SIZE];
    if (!ip_endpoint_parse(text, 0, &endpoint)) {
        error_set(error, ERROR_USAGE,
                  "'%s' is not ADDRESS:PORT, such as 10.0.0.11:8080 or "
                  "[fd00::11]:8080",
                  text);
        return NULL;
    }
    struct json_value *member = json_value_object();
    ip_address_format(&endpoint.address, address);
    ip_endpoint_format(&endpoint, name); /* two ports of one host stay two names */
    json_value_set_text(member, "name", name);
    json_value_set_text(member, "address", address);
    json_value_set_number(member, "protocol_port", endpoint.port);
    if (weight >= 0)
        json_value_set_number(member, "weight", weight);
    return member;
}

static bool
add_members(const struct context *context, struct json_value *members, struct error *error)
{
    const struct arguments *arguments = &context->arguments;
    const char *given = arguments_value(arguments, "weight");
    int64_t weight = -1;
    if (given && !parse_integer(given, 0, 256, &weight))
        return error_set(error, ERROR_USAGE, "--weight %s should be a number from 0 to 256",
                         given);
    for (size_t i = 1; i < arguments->positional_count; i++) {
        struct json_value *member = new_member(arguments->positional[i], weight, error);
        if (!member)
            return false;
        json_value_append(members, member);
    }
    return true;
}

/* All of them in one change; those that are there already stay as they are otherwise. */
bool run_member_add(struct context *context, struct error *error)
{
    char pool_id[UUID_TEXT_SIZE], path[TARGET_SIZE], target[2 * TARGET_SIZE];
    struct response response;
    struct json_value *members = json_value_array(), *body = json_value_object();
    json_value_set(body, "members", members);
    bool good = add_members(context, members, error) &&
                lookup_id(&context->client, resource_class_of(RESOURCE_POOL), NULL,
                          context->arguments.positional[0], pool_id, error);
    if (good) {
        lookup_path(context->class, pool_id, path);
        snprintf(target, sizeof(target), "%s?additive_only=true", path);
        good = client_request(&context->client, "PUT", target, body, &response, error);
        if (good)
            cli_print_note(context, &response);
        response_free(&response);
        good = good && client_request(&context->client, "GET", path, NULL, &response, error);
        if (good) {
            cli_print_objects(context, json_value_get(response.json, "members"));
            response_free(&response);
        }
    }
    json_value_free(body);
    return good;
}

#include "lbnode/cli/resource_commands.h"
#include "lbnode/base/bytes.h"
#include "lbnode/cli/attributes.h"
#include "lbnode/cli/health_text.h"
#include "lbnode/cli/list_table.h"
#include "lbnode/cli/lookup.h"
#include "lbnode/http/http_url.h"

#include <stdlib.h>
#include <string.h>

/* ---- printing ---------------------------------------------------------------------------- */

void cli_print_note(const struct context *context, const struct response *response)
{
    if (response->note[0])
        fprintf(output_notes(context->format), "%s\n", response->note);
}

static void print_name(const struct json_value *object)
{
    const char *name = json_value_get_text(object, "name");
    const char *id = json_value_get_text(object, "id");
    printf("%s\n", name && name[0] ? name : id ? id : "");
}

void cli_print_object(const struct context *context, const struct json_value *object)
{
    if (context->format == OUTPUT_NAME)
        print_name(object);
    else
        output_object(context->format, object);
}

void cli_print_objects(const struct context *context, const struct json_value *list)
{
    if (context->format == OUTPUT_TABLE) {
        cli_print_list(context, list);
    } else if (context->format == OUTPUT_NAME) {
        for (size_t i = 0; i < json_value_count(list); i++)
            print_name(json_value_at(list, i));
    } else {
        output_document(context->format, list);
    }
}

/* The revision is no attribute: programs that read the object from stdout do not see it. */
void cli_print_answer(const struct context *context, const struct response *response)
{
    const struct json_value *object =
        context->class->is_bare ? response->json
                                : json_value_get(response->json, context->class->noun);
    if (response->revision[0] == '\0' || context->format == OUTPUT_NAME) {
        cli_print_object(context, object);
    } else if (context->format == OUTPUT_TABLE) {
        struct json_value *shown = json_value_copy(object);
        json_value_set_text(shown, "revision", response->revision);
        cli_print_object(context, shown);
        json_value_free(shown);
    } else {
        cli_print_object(context, object);
        fprintf(output_notes(context->format), "revision %s\n", response->revision);
    }
}

void cli_print_list(const struct context *context, const struct json_value *list)
{
    list_table_print(&context->client, context->class->type, list);
}

/* ---- requests ---------------------------------------------------------------------------- */

bool cli_send_object(struct context *context,
                     const char *method,
                     const char *target,
                     struct json_value *body,
                     struct error *error)
{
    struct response response;
    struct json_value *request = json_value_object();
    json_value_set(request, context->class->noun, body);
    bool good = client_request(&context->client, method, target, request, &response, error);
    if (good) {
        cli_print_answer(context, &response);
        cli_print_note(context, &response);
    }
    json_value_free(request);
    response_free(&response);
    return good;
}

/* A member's first positional is its pool: writes the pool's id. */
static bool
resolve_owner(const struct context *context, char owner_id[UUID_TEXT_SIZE], struct error *error)
{
    owner_id[0] = '\0';
    if (context->class->type != RESOURCE_MEMBER)
        return true;
    return lookup_id(&context->client, resource_class_of(RESOURCE_POOL), NULL,
                     context->arguments.positional[0], owner_id, error);
}

/* A monitor mostly has no name of its own: its pool's will do. */
static struct json_value *
lookup_monitor_of(const struct client *client, const char *pool_name, struct error *error)
{
    struct error ignored;
    const struct resource_class *class = resource_class_of(RESOURCE_HEALTH_MONITOR);
    struct json_value *pool =
        lookup_object(client, resource_class_of(RESOURCE_POOL), NULL, pool_name, &ignored);
    const char *id = json_value_get_text(pool, "healthmonitor_id");
    struct json_value *monitor = id ? lookup_object(client, class, NULL, id, error) : NULL;
    json_value_free(pool);
    return monitor;
}

/* The path of the object that the last positional names, and the object itself. */
static struct json_value *
resolve_target(const struct context *context, char target[2 * TARGET_SIZE], struct error *error)
{
    char owner_id[UUID_TEXT_SIZE], path[TARGET_SIZE];
    const struct arguments *arguments = &context->arguments;
    const char *name = arguments->positional[arguments->positional_count - 1];
    if (!resolve_owner(context, owner_id, error))
        return NULL;
    struct json_value *object =
        lookup_object(&context->client, context->class, owner_id, name, error);
    if (!object && context->class->type == RESOURCE_HEALTH_MONITOR)
        object = lookup_monitor_of(&context->client, name, error);
    lookup_path(context->class, owner_id, path);
    if (object)
        snprintf(target, 2 * TARGET_SIZE, "%s/%s", path, json_value_get_text(object, "id"));
    return object;
}

bool cli_create(struct context *context, struct json_value *body, struct error *error)
{
    char owner_id[UUID_TEXT_SIZE], path[TARGET_SIZE];
    bool good = attributes_from_options(context, body, error) &&
                attributes_check_mandatory(context, body, error) &&
                resolve_owner(context, owner_id, error);
    if (!good) {
        json_value_free(body);
        return false;
    }
    lookup_path(context->class, owner_id, path);
    return cli_send_object(context, "POST", path, body, error);
}

/* The attribute that the positional argument of create stands for: the owner's id. */
static const struct field *positional_field(const struct resource_class *class)
{
    for (size_t i = 0; i < class->field_count; i++) {
        if (class->fields[i].flags & FIELD_POSITIONAL)
            return &class->fields[i];
    }
    return NULL;
}

bool run_resource_create(struct context *context, struct error *error)
{
    char id[UUID_TEXT_SIZE];
    struct json_value *body = json_value_object();
    const struct field *owner = positional_field(context->class);
    if (owner && context->class->type != RESOURCE_MEMBER) {
        const struct resource_class *class = resource_class_of(owner->refers_to);
        if (!lookup_id(&context->client, class, NULL, context->arguments.positional[0], id,
                       error)) {
            json_value_free(body);
            return false;
        }
        json_value_set_text(body, owner->name, id);
    }
    return cli_create(context, body, error);
}

/* "?loadbalancer_id=..." when --loadbalancer is given. */
static bool
add_filter(const struct context *context, char target[TARGET_SIZE], struct error *error)
{
    char id[UUID_TEXT_SIZE];
    const char *name = arguments_value(&context->arguments, "loadbalancer");
    if (!name)
        return true;
    if (!lookup_id(&context->client, resource_class_of(RESOURCE_LOAD_BALANCER), NULL, name, id,
                   error))
        return false;
    size_t used = strlen(target);
    snprintf(target + used, TARGET_SIZE - used, "?loadbalancer_id=%s", id);
    return true;
}

/* Where what is ours about TARGET stands: "/v1/pools/ID/stats". */
static void write_own_path(const char *target, const char *last, char out[2 * TARGET_SIZE + 16])
{
    const char *below = strstr(target, "/lbaas/");
    snprintf(out, 2 * TARGET_SIZE + 16, "/v1/%s/%s", below ? below + strlen("/lbaas/") : target,
             last);
}

/* What the nodes think of what TARGET names: a member, or the members of a pool; NULL: it
 * cannot be had, and is left out. */
static struct json_value *fetch_health(const struct context *context, const char *target)
{
    char path[2 * TARGET_SIZE + 16];
    struct response response;
    struct json_value *health = NULL;
    write_own_path(target, "health", path);
    if (client_request(&context->client, "GET", path, NULL, &response, NULL))
        health = json_value_copy(json_value_get(response.json, "health"));
    response_free(&response);
    return health;
}

/* A column more in the table of members: why one fails, or how nodes differ about it. */
static void
add_health(const struct context *context, const char *owner_id, const struct json_value *list)
{
    char path[TARGET_SIZE];
    snprintf(path, sizeof(path), "/lbaas/pools/%s", owner_id);
    struct json_value *health = fetch_health(context, path);
    const struct json_value *members = json_value_get(health, "members");
    for (size_t i = 0; i < json_value_count(members) && i < json_value_count(list); i++) {
        struct json_value *shown = json_value_at(list, i);
        const char *id = json_value_get_text(shown, "id");
        struct text line = {0};
        for (size_t m = 0; id && m < json_value_count(members); m++) {
            size_t at = (i + m) % json_value_count(members); /* mostly in the same order */
            if (strcmp(cli_text_of(json_value_at(members, at), "id"), id) == 0) {
                health_line_write(json_value_at(members, at), &line);
                break;
            }
        }
        json_value_set_text(shown, "health", text_string(&line));
        text_free(&line);
    }
    json_value_free(health);
}

bool run_resource_list(struct context *context, struct error *error)
{
    char owner_id[UUID_TEXT_SIZE], target[TARGET_SIZE];
    struct response response;
    if (!resolve_owner(context, owner_id, error))
        return false;
    lookup_path(context->class, owner_id, target);
    if (!add_filter(context, target, error))
        return false;
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    const struct json_value *list = json_value_get(response.json, context->class->plural);
    if (good && context->class->type == RESOURCE_MEMBER && context->format == OUTPUT_TABLE)
        add_health(context, owner_id, list);
    if (good)
        cli_print_objects(context, list);
    response_free(&response);
    return good;
}

bool run_resource_show(struct context *context, struct error *error)
{
    char target[2 * TARGET_SIZE];
    struct response response;
    struct json_value *object = resolve_target(context, target, error);
    if (!object)
        return false;
    json_value_free(object);
    bool good = client_request(&context->client, "GET", target, NULL, &response, error);
    struct json_value *health = NULL;
    if (good && context->class->type == RESOURCE_MEMBER)
        health = fetch_health(context, target);
    if (health && context->format != OUTPUT_TABLE)
        json_value_set(json_value_get(response.json, context->class->noun), "health",
                       json_value_copy(health));
    if (good)
        cli_print_answer(context, &response);
    if (health && context->format == OUTPUT_TABLE)
        health_print(health);
    json_value_free(health);
    response_free(&response);
    return good;
}

/* A table has one line per latency, and not one for all of them. */
static void print_stats(const struct context *context, const struct json_value *stats)
{
    const struct json_value *latencies = json_value_get(stats, "latency_ms");
    if (context->format != OUTPUT_TABLE) {
        output_document(context->format == OUTPUT_YAML ? OUTPUT_YAML : OUTPUT_JSON, stats);
        return;
    }
    struct json_value *shown = json_value_copy(stats);
    json_value_remove(shown, "latency_ms");
    for (void *at = json_value_first(latencies); at; at = json_value_next(latencies, at)) {
        char key[64];
        snprintf(key, sizeof(key), "%.50s_ms", json_value_key(at));
        json_value_set(shown, key, json_value_copy(json_value_of(at)));
    }
    output_object(OUTPUT_TABLE, shown);
    json_value_free(shown);
}

bool run_resource_stats(struct context *context, struct error *error)
{
    char target[2 * TARGET_SIZE], path[2 * TARGET_SIZE + 16];
    struct response response;
    struct json_value *object = resolve_target(context, target, error);
    if (!object)
        return false;
    json_value_free(object);
    write_own_path(target, "stats", path);
    bool good = client_request(&context->client, "GET", path, NULL, &response, error);
    if (good)
        print_stats(context, json_value_get(response.json, "stats"));
    response_free(&response);
    return good;
}

bool run_resource_set(struct context *context, struct error *error)
{
    char target[2 * TARGET_SIZE];
    struct json_value *object = resolve_target(context, target, error);
    struct json_value *body = object ? json_value_object() : NULL;
    if (!object)
        return false;
    /* --tag adds to the tags that are there, as in OpenStack's client. */
    if (arguments_has(&context->arguments, "no-tag"))
        json_value_set(body, "tags", json_value_array());
    else if (arguments_has(&context->arguments, "tag"))
        json_value_set(body, "tags", json_value_copy(json_value_get(object, "tags")));
    json_value_free(object);
    if (!attributes_from_options(context, body, error)) {
        json_value_free(body);
        return false;
    }
    if (json_value_count(body) == 0) {
        json_value_free(body);
        return error_set(error, ERROR_USAGE,
                         "nothing to set; lbnode %s set --help lists the attributes",
                         context->command->noun);
    }
    return cli_send_object(context, "PUT", target, body, error);
}

bool run_resource_delete(struct context *context, struct error *error)
{
    char target[2 * TARGET_SIZE];
    struct response response;
    struct json_value *object = resolve_target(context, target, error);
    if (!object)
        return false;
    if (arguments_has(&context->arguments, "cascade"))
        snprintf(target + strlen(target), sizeof(target) - strlen(target), "?cascade=true");
    bool good = client_request(&context->client, "DELETE", target, NULL, &response, error);
    if (good) {
        const char *name = json_value_get_text(object, "name");
        fprintf(output_notes(context->format), "deleted %s %s\n", lookup_word(context->class),
                name && name[0] ? name : json_value_get_text(object, "id"));
        cli_print_note(context, &response);
    }
    json_value_free(object);
    response_free(&response);
    return good;
}

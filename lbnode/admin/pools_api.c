/* Creation of a pool: listener_id is no attribute of it but makes it the default pool of that
 * listener in the same change. */
#include "lbnode/admin/admin_handlers.h"
#include "lbnode/admin/resource_api.h"
#include "lbnode/model/configuration.h"

#include <string.h>

/* Replaces listener_id in OBJECT by the load balancer of that listener. */
static const struct effective *resolve_listener(const struct admin_request *request,
                                                struct json_value *object,
                                                struct error *error)
{
    const struct json_value *value = json_value_get(object, "listener_id");
    const char *text = json_value_text(value);
    struct uuid id;
    char owner[UUID_TEXT_SIZE];
    if (!text || !uuid_parse(text, &id)) {
        error_invalid_field(error, "listener_id", text ? text : "",
                            "Value should be UUID format");
        return NULL;
    }
    const struct effective *listener =
        resource_api_find(request, RESOURCE_LISTENER, text, error);
    if (!listener)
        return NULL;
    if (!uuid_is_zero(&((const struct listener *)listener->resource)->default_pool_id) &&
        uuid_is_zero(&request->change_id)) {
        error_set(error, ERROR_CONFLICT,
                  "This listener already has a default pool. Listener %s is '%.64s'.", text,
                  listener->resource->name);
        return NULL;
    }
    uuid_format(&listener->resource->owner, owner);
    const char *given = json_value_get_text(object, "loadbalancer_id");
    if (given && strcmp(given, owner) != 0) {
        error_set(error, ERROR_INVALID,
                  "Validation failure: listener_id %s is not a listener of loadbalancer_id "
                  "%.64s.",
                  text, given);
        return NULL;
    }
    json_value_remove(object, "listener_id");
    json_value_set_text(object, "loadbalancer_id", owner);
    return listener;
}

/* Makes POOL the default pool of LISTENER in CHANGES. */
static bool attach(const struct effective *listener,
                   const struct resource *pool,
                   struct change_set *changes,
                   struct error *error)
{
    const struct listener *before = (const struct listener *)listener->resource;
    int64_t protocol = ((const struct pool *)pool)->protocol;
    if (!protocols_are_compatible(before->protocol, protocol))
        return error_set(error, ERROR_INVALID,
                         "Validation failure: The pool protocol '%s' is invalid while the "
                         "listener protocol is '%s'.",
                         protocol_name(protocol), protocol_name(before->protocol));
    struct resource *after = resource_copy(listener->resource);
    if (!after)
        return error_set(error, ERROR_UNAVAILABLE, "out of memory");
    ((struct listener *)after)->default_pool_id = pool->id;
    int changed = change_set_add_update(changes, listener->resource, after);
    resource_free(after);
    return changed >= 0 || error_set(error, ERROR_TOO_LARGE, "The object is too large.");
}

/* What the object says is read first: a misspelt attribute is the likelier mistake. */
static bool names_load_balancer(const struct json_value *object, struct error *error)
{
    struct resource *trial =
        resource_from_json(resource_class_of(RESOURCE_POOL), object, error);
    if (!trial)
        return false;
    resource_free(trial);
    return !json_value_is_null(json_value_get(object, "loadbalancer_id")) ||
           error_set(error, ERROR_INVALID,
                     "Validation failure: Must provide at least one of: loadbalancer_id, "
                     "listener_id.");
}

void pool_create(struct admin_request *request)
{
    struct error error = {0};
    struct change_set changes = {0};
    const struct effective *listener = NULL;
    const struct json_value *root = admin_request_root(request, "pool", &error);
    struct json_value *object = root ? resource_api_normalise(root) : NULL;
    bool good = object != NULL;
    if (good && json_value_is_null(json_value_get(object, "listener_id"))) {
        json_value_remove(object, "listener_id");
        good = names_load_balancer(object, &error);
    } else if (good) {
        listener = resolve_listener(request, object, &error);
        good = listener != NULL;
    }
    if (!good) {
        json_value_free(object);
        admin_answer_error(request, &error);
        return;
    }
    struct resource *pool = resource_api_build(request, RESOURCE_POOL, object, &error);
    if (pool && (!listener || attach(listener, pool, &changes, &error))) {
        resource_api_submit_create(request, pool, &changes);
        return;
    }
    resource_free(pool);
    change_set_free(&changes);
    admin_answer_error(request, &error);
}

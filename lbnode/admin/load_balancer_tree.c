#include "lbnode/admin/load_balancer_tree.h"

#include "lbnode/admin/resource_api.h"
#include "lbnode/admin/resource_view.h"

#include <string.h>

bool load_balancer_tree_is_given(const struct json_value *root)
{
    return json_value_count(json_value_get(root, "listeners")) > 0 ||
           json_value_count(json_value_get(root, "pools")) > 0;
}

/* ---- from Octavia's body to a document -----------------------------------------------------
 */

/* Appends the pool that OBJECT describes to POOLS; others refer to it by its name. */
static bool
add_pool(struct json_value *pools, const struct json_value *object, struct error *error)
{
    const char *name = json_value_get_text(object, "name");
    if (!name || !*name)
        return error_set(error, ERROR_INVALID,
                         "Validation failure: Pool names are mandatory when creating a load "
                         "balancer and its pools in one call.");
    for (size_t i = 0; i < json_value_count(pools); i++) {
        const char *other = json_value_get_text(json_value_at(pools, i), "name");
        if (strcmp(other, name) == 0)
            return error_set(error, ERROR_INVALID,
                             "Validation failure: Pool names must be unique within one call: "
                             "'%.64s' is there twice.",
                             name);
    }
    struct json_value *pool = resource_api_normalise(object);
    const struct json_value *members = json_value_get(object, "members");
    const struct json_value *monitor = json_value_get(object, "healthmonitor");
    if (json_value_kind(members) == JSON_KIND_ARRAY) {
        struct json_value *list = json_value_array();
        for (size_t i = 0; i < json_value_count(members); i++)
            json_value_append(list, resource_api_normalise(json_value_at(members, i)));
        json_value_set(pool, "members", list);
    }
    if (json_value_kind(monitor) == JSON_KIND_OBJECT)
        json_value_set(pool, "healthmonitor", resource_api_normalise(monitor));
    json_value_append(pools, pool);
    return true;
}

/* default_pool is a whole pool, or {"name": ...} of one that stands elsewhere in the body. */
static bool add_listener(struct json_value *listeners,
                         struct json_value *pools,
                         const struct json_value *object,
                         struct error *error)
{
    struct json_value *listener = resource_api_normalise(object);
    const struct json_value *pool = json_value_get(object, "default_pool");
    json_value_append(listeners, listener);
    if (json_value_kind(pool) != JSON_KIND_OBJECT)
        return true;
    if (json_value_count(pool) > 1 && !add_pool(pools, pool, error))
        return false;
    const char *name = json_value_get_text(pool, "name");
    if (!name)
        return error_invalid_field(error, "default_pool", "", "Its name is missing");
    json_value_set_text(listener, "default_pool", name);
    return true;
}

static bool add_children(const struct json_value *root,
                         struct json_value *listeners,
                         struct json_value *pools,
                         struct error *error)
{
    const struct json_value *list = json_value_get(root, "pools");
    for (size_t i = 0; i < json_value_count(list); i++) {
        if (!add_pool(pools, json_value_at(list, i), error))
            return false;
    }
    list = json_value_get(root, "listeners");
    for (size_t i = 0; i < json_value_count(list); i++) {
        if (!add_listener(listeners, pools, json_value_at(list, i), error))
            return false;
    }
    return true;
}

struct json_value *load_balancer_tree_document(const struct json_value *root,
                                               struct error *error)
{
    struct json_value *balancer = resource_api_normalise(root);
    struct json_value *listeners = json_value_array(), *pools = json_value_array();
    bool good = add_children(root, listeners, pools, error);
    json_value_set(balancer, "listeners", listeners);
    json_value_set(balancer, "pools", pools);
    if (!good) {
        json_value_free(balancer);
        return NULL;
    }
    struct json_value *list = json_value_array(), *document = json_value_object();
    json_value_append(list, balancer);
    json_value_set(document, "loadbalancers", list);
    return document;
}

/* ---- the answer ----------------------------------------------------------------------------
 */

static struct json_value *full_list(const struct node_state *state,
                                    const struct uuid *owner,
                                    enum resource_type type,
                                    struct json_value *(*view)(const struct node_state *state,
                                                               const struct effective *object))
{
    const struct effective *child;
    struct json_value *list = json_value_array();
    for (size_t i = 0; (child = configuration_child(state->configuration, owner, type, i)); i++)
        json_value_append(list, view(state, child));
    return list;
}

static struct json_value *full_pool(const struct node_state *state,
                                    const struct effective *object)
{
    const struct uuid *id = &object->resource->id;
    struct json_value *pool = resource_view(state, object);
    const struct health_monitor *monitor = configuration_monitor_of(state->configuration, id);
    const struct effective *found =
        monitor ? configuration_find(state->configuration, &monitor->resource.id) : NULL;
    json_value_remove(pool, "healthmonitor_id");
    json_value_set(pool, "members", full_list(state, id, RESOURCE_MEMBER, resource_view));
    if (found)
        json_value_set(pool, "healthmonitor", resource_view(state, found));
    return pool;
}

static struct json_value *full_listener(const struct node_state *state,
                                        const struct effective *object)
{
    struct json_value *listener = resource_view(state, object);
    json_value_remove(listener, "loadbalancers");
    return listener;
}

struct json_value *load_balancer_tree_view(const struct node_state *state,
                                           const struct effective *object)
{
    const struct uuid *id = &object->resource->id;
    struct json_value *view = resource_view(state, object);
    json_value_set(view, "listeners", full_list(state, id, RESOURCE_LISTENER, full_listener));
    json_value_set(view, "pools", full_list(state, id, RESOURCE_POOL, full_pool));
    return view;
}

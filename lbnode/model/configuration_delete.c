#include "lbnode/model/configuration_internal.h"

#include "lbnode/model/field_table.h"

#include <string.h>

static bool too_large(struct error *error)
{
    return error_set(error, ERROR_TOO_LARGE,
                     "The change has more than %d operations; do it in several steps",
                     CHANGE_SET_MAXIMUM_OPS);
}

static bool delete_children(const struct configuration *configuration,
                            const struct resource *owner,
                            enum resource_type type,
                            struct change_set *changes)
{
    const struct effective *at;
    for (size_t i = 0; (at = configuration_child(configuration, &owner->id, type, i)); i++) {
        if (!change_set_add_delete(changes, at->resource))
            return false;
    }
    return true;
}

static bool delete_pool(const struct configuration *configuration,
                        const struct resource *pool,
                        struct change_set *changes)
{
    return delete_children(configuration, pool, RESOURCE_MEMBER, changes) &&
           delete_children(configuration, pool, RESOURCE_HEALTH_MONITOR, changes) &&
           change_set_add_delete(changes, pool);
}

/* Listeners go on without the pool: 503, or a closed connection. */
static bool detach_listeners(const struct configuration *configuration,
                             const struct resource *pool,
                             struct change_set *changes)
{
    const struct effective *at;
    for (size_t i = 0;
         (at = configuration_child(configuration, &pool->owner, RESOURCE_LISTENER, i)); i++) {
        const struct listener *listener = (const struct listener *)at->resource;
        if (!uuid_equal(&listener->default_pool_id, &pool->id))
            continue;
        struct resource *detached = resource_copy(at->resource);
        if (!detached)
            return false;
        memset(&((struct listener *)detached)->default_pool_id, 0, sizeof(struct uuid));
        bool added = change_set_add_update(changes, at->resource, detached) >= 0;
        resource_free(detached);
        if (!added)
            return false;
    }
    return true;
}

static bool delete_load_balancer(const struct configuration *configuration,
                                 const struct resource *load_balancer,
                                 bool cascade,
                                 struct change_set *changes,
                                 struct error *error)
{
    const struct uuid *id = &load_balancer->id;
    const struct effective *at;
    if (!cascade && (configuration_child(configuration, id, RESOURCE_LISTENER, 0) ||
                     configuration_child(configuration, id, RESOURCE_POOL, 0))) {
        char text[UUID_TEXT_SIZE];
        uuid_format(id, text);
        return error_set(
            error, ERROR_INVALID,
            "Validation failure: Cannot delete Load Balancer %s - it has children; "
            "delete them first, or all at once with cascade",
            text);
    }
    for (size_t i = 0; (at = configuration_child(configuration, id, RESOURCE_POOL, i)); i++) {
        if (!delete_pool(configuration, at->resource, changes))
            return too_large(error);
    }
    return (delete_children(configuration, load_balancer, RESOURCE_LISTENER, changes) &&
            change_set_add_delete(changes, load_balancer)) ||
           too_large(error);
}

bool configuration_is_permanent(const struct resource *resource)
{
    return resource->type == RESOURCE_VRRP_GROUP && strcmp(resource->name, "default") == 0;
}

static bool delete_group(const struct configuration *configuration,
                         const struct resource *group,
                         struct change_set *changes,
                         struct error *error)
{
    const struct effective *at;
    char id[UUID_TEXT_SIZE], user[UUID_TEXT_SIZE];
    if (configuration_is_permanent(group))
        return error_set(error, ERROR_INVALID,
                         "Validation failure: the VRRP group default cannot be deleted");
    for (size_t i = 0; (at = configuration_at(configuration, RESOURCE_LOAD_BALANCER, i)); i++) {
        if (!uuid_equal(&((const struct load_balancer *)at->resource)->vrrp_group_id,
                        &group->id))
            continue;
        uuid_format(&group->id, id);
        uuid_format(&at->resource->id, user);
        return error_set(error, ERROR_CONFLICT, "%s %s is in use by Load Balancer %s",
                         resource_title(RESOURCE_VRRP_GROUP), id, user);
    }
    return change_set_add_delete(changes, group) || too_large(error);
}

bool configuration_plan_delete(const struct configuration *configuration,
                               const struct resource *resource,
                               bool cascade,
                               struct change_set *out_changes,
                               struct error *error)
{
    switch (resource->type) {
    case RESOURCE_LOAD_BALANCER:
        return delete_load_balancer(configuration, resource, cascade, out_changes, error);
    case RESOURCE_POOL:
        return (detach_listeners(configuration, resource, out_changes) &&
                delete_pool(configuration, resource, out_changes)) ||
               too_large(error);
    case RESOURCE_VRRP_GROUP: return delete_group(configuration, resource, out_changes, error);
    case RESOURCE_NODE:
        return error_set(error, ERROR_INVALID,
                         "Validation failure: a node is removed from the roster, not deleted");
    default: return change_set_add_delete(out_changes, resource) || too_large(error);
    }
}

/* Taking a node out of the cluster. How far its streams count is added by core_closing.c. */
#include "replication/core_internal.h"

#include "lbnode/model/field_table.h"

bool core_plan_removal(const struct core *core,
                       const struct uuid *id,
                       bool compromised,
                       struct change_set *out,
                       struct error *error)
{
    const struct object *object = facet_object(&core->facets, id);
    struct node *node = object ? roster_read_node(&core->facets, object) : NULL;
    if (!node)
        return error_set(error, ERROR_NOT_FOUND, "there is no such node");
    bool is_out =
        node->status == NODE_REVOKED || (node->status == NODE_REMOVED && !compromised);
    if (is_out || uuid_equal(id, &core->node_id)) {
        error_set(error, ERROR_CONFLICT,
                  is_out ? "node %s is already removed"
                         : "node %s cannot remove itself; run this on "
                           "another node",
                  node->resource.name);
        resource_free(&node->resource);
        return false;
    }
    struct resource *after = resource_copy(&node->resource);
    struct node *changed = CONTAINER_OF(after, struct node, resource);
    changed->status = compromised ? NODE_REVOKED : NODE_REMOVED;
    bool planned = change_set_add_update(out, &node->resource, after) > 0;
    resource_free(after);
    resource_free(&node->resource);
    return planned || error_set(error, ERROR_INTERNAL, "the node could not be changed");
}

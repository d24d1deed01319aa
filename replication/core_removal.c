/* Taking a node out of the cluster. */
#include "replication/core_internal.h"

#include "lbnode/model/field_table.h"

#include <stdio.h>

bool core_plan_removal(const struct core *core,
                       const struct uuid *id,
                       struct change_set *out,
                       struct error *error)
{
    char text[64];
    const struct object *object = facet_object(&core->facets, id);
    struct node *node = object ? roster_read_node(&core->facets, object) : NULL;
    if (!node)
        return error_set(error, ERROR_NOT_FOUND, "there is no such node");
    if (node->status != NODE_ACTIVE || uuid_equal(id, &core->node_id)) {
        error_set(error, ERROR_CONFLICT,
                  node->status != NODE_ACTIVE ? "node %s is already removed"
                                              : "node %s cannot remove itself; run this on "
                                                "another node",
                  node->resource.name);
        resource_free(&node->resource);
        return false;
    }
    struct resource *after = resource_copy(&node->resource);
    struct node *changed = CONTAINER_OF(after, struct node, resource);
    changed->status = NODE_REMOVED;
    for (size_t i = 0; i < core->stream_count; i++) {
        const struct stream *stream = core->streams[i];
        if (!uuid_equal(&stream->node_id, id) || stream->seq == 0)
            continue;
        int size = snprintf(text, sizeof(text), "%016llx=%llu", (unsigned long long)stream->id,
                            (unsigned long long)stream->seq);
        text_list_add(&changed->cutoff, text, (size_t)size);
    }
    bool planned = change_set_add_update(out, &node->resource, after) > 0;
    resource_free(after);
    resource_free(&node->resource);
    return planned || error_set(error, ERROR_INTERNAL, "the node could not be changed");
}

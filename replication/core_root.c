#include "replication/core_root.h"

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"

#include <string.h>

bool core_is_root(const struct core *core, const struct uuid *id)
{
    return core->initialised && uuid_equal(id, &core->genesis.root_id);
}

bool core_is_root_key(const struct core *core,
                      const struct uuid *id,
                      const uint8_t key_id[RECORD_KEY_ID_SIZE])
{
    uint8_t root_key_id[RECORD_KEY_ID_SIZE];
    if (!core_is_root(core, id))
        return false;
    record_key_id(core->genesis.root_key, root_key_id);
    return memcmp(root_key_id, key_id, sizeof(root_key_id)) == 0;
}

bool core_knows_change(const struct core *core, const struct uuid *change_id)
{
    return uuid_map_get(&core->changes, change_id) != NULL;
}

bool core_may_submit_as_root(const struct core *core,
                             const struct sign_key *root,
                             struct error *error)
{
    if (!core->initialised)
        return error_set(error, ERROR_REFUSED, "this node is in no cluster");
    if (memcmp(sign_key_public(root), core->genesis.root_key, SIGN_PUBLIC_KEY_SIZE) != 0)
        return error_set(error, ERROR_REFUSED, "this is the root key of another cluster");
    return !core->storage_problem[0] ||
           error_set(error, ERROR_REFUSED, "%s", core->storage_problem);
}

static bool plan_exit(const struct core *core, const struct uuid *id, struct change_set *out)
{
    const struct object *object = facet_object(&core->facets, id);
    struct node *before = object ? roster_read_node(&core->facets, object) : NULL;
    struct resource *after = before ? resource_copy(&before->resource) : NULL;
    if (after)
        CONTAINER_OF(after, struct node, resource)->status = NODE_REMOVED;
    bool planned = after && change_set_add_update(out, &before->resource, after) > 0;
    resource_free(after);
    resource_free(before ? &before->resource : NULL);
    return planned;
}

bool core_plan_exits(const struct core *core, struct change_set *out, size_t *out_count)
{
    const struct roster *roster = &core->roster;
    bool planned = true;
    *out_count = 0;
    for (size_t i = 0; planned && i < roster->count; i++) {
        if (roster->nodes[i].status != NODE_ACTIVE)
            continue;
        planned = plan_exit(core, &roster->nodes[i].id, out);
        ++*out_count;
    }
    return planned;
}

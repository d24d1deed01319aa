/* A node that was removed, on that node: a row in the store's meta table, 'x' -> {1 when, wall
 * ms}. */
#include "replication/replication_internal.h"

static const uint8_t META_REMOVED = 'x';

void removal_note(struct replication *replication)
{
    const struct replication_handler *handler = &replication->handler;
    struct store_batch batch = {0};
    struct wire_writer value = {0};
    wire_put_varint(&value, 1, replication_now(replication).wall_ms);
    store_batch_put(&batch, STORE_META, (struct bytes){&META_REMOVED, 1}, wire_written(&value));
    store_commit(replication->store, &batch); /* else it is told again after a restart */
    store_batch_free(&batch);
    wire_writer_free(&value);
    if (handler->applied)
        handler->applied(handler->context, core_position(replication->core));
}

bool removal_is_noted(struct store *store)
{
    struct wire_writer value = {0};
    bool noted = store_get(store, STORE_META, (struct bytes){&META_REMOVED, 1}, &value) == 0;
    wire_writer_free(&value);
    return noted;
}

bool removal_was_noted(const struct replication *replication)
{
    return removal_is_noted(replication->store);
}

void removal_forget(struct store_batch *batch)
{
    store_batch_remove(batch, STORE_META, (struct bytes){&META_REMOVED, 1});
}

bool removal_is_under_way(const struct replication *replication)
{
    const struct roster_node *own =
        roster_find(core_roster(replication->core), &replication->node_id);
    return own && own->leaving && !core_was_removed(replication->core);
}

bool removal_allows(const struct replication *replication,
                    const struct change_set *changes,
                    struct error *error)
{
    bool others = false;
    for (size_t i = 0; i < changes->count; i++)
        others |= changes->ops[i].type != RESOURCE_NODE;
    return !others || !removal_is_under_way(replication) ||
           error_set(error, ERROR_CONFLICT,
                     "this node is being removed from the cluster and takes no changes: make "
                     "it on another node, or keep this one with lbnode node undrain %.64s",
                     replication->settings.node_name);
}

bool replication_was_removed(const struct replication *replication)
{
    return core_is_initialised(replication->core) && core_was_removed(replication->core);
}

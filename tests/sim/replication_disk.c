/* What disks do: come back older, come twice, and rot. What only a forgetful disk had is lost,
 * and nobody promised otherwise: such changes no longer count as acknowledged. */
#include "tests/sim/replication_world.h"

#include <string.h>

struct table_copy {
    struct store_batch batch;
    enum store_table table;
};

static bool visit_row(void *context, struct bytes key, struct bytes value)
{
    struct table_copy *copy = context;
    store_batch_put(&copy->batch, copy->table, key, value);
    return true;
}

struct store *world_copy_store(struct store *store)
{
    struct store *copy = store_mem_open();
    for (unsigned table = 0; table < STORE_TABLE_COUNT; table++) {
        struct table_copy rows = {.table = (enum store_table)table};
        store_walk(store, rows.table, (struct bytes){0}, visit_row, &rows);
        store_commit(copy, &rows.batch);
        store_batch_free(&rows.batch);
    }
    return copy;
}

static bool is_on(struct store *store, const struct uuid *change_id)
{
    struct wire_writer row = {0};
    bool there = store && store_get(store, STORE_CHANGE, (struct bytes){change_id->bytes, 16},
                                    &row) == 0;
    wire_writer_free(&row);
    return there;
}

/* What only a forgetful disk knows of a new node would leave that node outside for ever. */
bool world_join_is_known(struct world *world)
{
    for (unsigned i = 0; i < WORLD_PLACES; i++) {
        const struct world_node *node = &world->nodes[i];
        if (node->is_member && !node->left && !uuid_is_zero(&world->last_join) &&
            !is_on(node->store, &world->last_join))
            return false;
    }
    return true;
}

/* IMAGE does not know the last new node, and what else does may turn out to be unreadable. */
static bool may_lose_join(const struct world *world, struct store *image)
{
    bool rot = false;
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        rot |= world->nodes[i].has_rot;
    return rot && !uuid_is_zero(&world->last_join) && !is_on(image, &world->last_join);
}

static void forget_lost(struct world *world)
{
    world->may_repeat = true;
    for (size_t i = 0; i < world->change_count; i++) {
        bool kept = false;
        for (unsigned n = 0; n < WORLD_PLACES && !kept; n++) {
            const struct world_node *node = &world->nodes[n];
            kept = node->is_member && !node->left && is_on(node->store, &world->changes[i].id);
        }
        world->changes[i].acknowledged &= kept;
    }
}

/* What NODE's disk says is from now on the truth about it. */
static void replace_disk(struct world_node *node, struct store *store)
{
    store_close(node->store);
    node->store = store;
    node->persisted.count = 0;
    node->seen.count = 0;
    node->crash_at_commit = CRASH_NONE;
    node->has_rot = false;
    forget_lost(node->world);
}

void world_take_image(struct world *world, struct world_node *node)
{
    if (!node->is_member || node->has_rot)
        return;
    store_close(node->image);
    node->image = world_copy_store(node->store);
}

bool world_roll_back(struct world *world, struct world_node *node)
{
    struct store *image = node->image;
    if (!image || node->left || !world_join_is_known(world) || may_lose_join(world, image))
        return false;
    world_crash(world, node);
    node->image = NULL;
    replace_disk(node, image);
    world_start(world, node);
    return true;
}

void world_start_copy(struct world *world, struct world_node *node)
{
    struct world_node *copy = &world->nodes[WORLD_COPY];
    if (copy->is_member || !world_is_up(node) || node->is_committing || node->has_rot ||
        !world_join_is_known(world) || world_lacks_key(node))
        return;
    uint8_t seed[SIGN_SEED_SIZE];
    sign_key_seed(node->key, seed);
    store_close(copy->store);
    sign_key_free(copy->key);
    copy->id = node->id;
    copy->key = sign_key_from_seed(seed);
    copy->store = world_copy_store(node->store);
    copy->persisted.count = copy->seen.count = 0;
    copy->crash_at_commit = CRASH_NONE;
    memset(copy->heard, 0, sizeof(copy->heard));
    copy->is_member = true;
    copy->left = false;
    copy->chosen = node->chosen ? copy->key : NULL;
    copy->is_key_known = true;
    world_start(world, copy);
}

/* One of the two is found out and switched off for good, not always the copy. The other is
 * started again: its peers may have heard a higher incarnation from the one that is gone. */
void world_end_copy(struct world *world)
{
    struct world_node *copy = &world->nodes[WORLD_COPY], *node = NULL;
    if (!copy->is_member)
        return;
    for (unsigned i = 0; i < world->node_count; i++)
        if (uuid_equal(&world->nodes[i].id, &copy->id))
            node = &world->nodes[i];
    world_crash(world, copy);
    copy->is_member = false;
    if (!node || node->left || copy->left)
        return;
    world_crash(world, node);
    if (world_below(world, 2) == 0) {
        struct store *store = copy->store;
        copy->store = NULL;
        replace_disk(node, store);
    }
    forget_lost(world);
    world_start(world, node);
}

void world_rot(struct world *world, struct world_node *node)
{
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        if (world->nodes[i].has_rot)
            return; /* two at once may well have the only copies of something */
    if (!world_is_up(node) || node->number == WORLD_COPY || !world_join_is_known(world))
        return;
    uint64_t place = world_below(world, 1000);
    node->has_rot = store_mem_rot(node->store, world_below(world, 2) ? STORE_LOG : STORE_FACET,
                                  (size_t)place);
}

void world_quarantine(struct world_node *node)
{
    struct world *world = node->world;
    struct world_node *helper = NULL;
    for (unsigned i = 0; i < world->node_count; i++)
        if (&world->nodes[i] != node && world_is_up(&world->nodes[i]) &&
            !world->nodes[i].has_rot)
            helper = &world->nodes[i];
    if (!helper)
        return; /* down until somebody can help */
    replace_disk(node, store_mem_open());
    world_start(world, node);
    world_adopt_genesis(node, helper);
    world_copy_log(helper, node);
    node->left = core_was_removed(node->core);
}

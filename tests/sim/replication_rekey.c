/* Nodes get new keys. The file with the new one is beside that with the old one until all nodes
 * have the record, so a node whose disk lost the record knows that it is to have another key.
 */
#include "tests/sim/replication_world.h"

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"
#include "replication/replication_internal.h"

#include <string.h>

static bool is_named(const struct world_node *node, const struct sign_key *key)
{
    const struct roster_node *known = roster_find(core_roster(node->core), &node->id);
    return known && memcmp(known->public_key, sign_key_public(key), SIGN_PUBLIC_KEY_SIZE) == 0;
}

static bool is_on_its_way(const struct world_node *node)
{
    return node->core->committing || node->core->unwritten.count > 0;
}

void world_forget_images(struct world *world)
{
    for (unsigned i = 0; i < WORLD_NODES; i++) {
        store_close(world->nodes[i].image);
        world->nodes[i].image = NULL;
    }
}

bool world_has_rot(const struct world *world)
{
    bool rot = false;
    for (unsigned i = 0; i < WORLD_NODES; i++)
        rot |= world->nodes[i].has_rot;
    return rot;
}

/* ---- which key is in force -------------------------------------------------------------- */

static bool all_know_key(const struct world_node *node)
{
    const struct core *core = node->core;
    const struct facet_state *keys =
        facet_of(facet_object(core_facets(core), &node->id), FACET_NODE_KEY);
    const struct facet_entry *named = facet_winner(keys);
    bool all = true;
    for (size_t i = 0; i < core->peer_count; i++)
        all &= core_node_has(core, &core->peers[i]->id, named->dot);
    return all;
}

/* The file takes the old one's place. A record that goes with all disks would leave this node
 * without its key for ever. */
static void end(struct world_node *node)
{
    node->is_key_known = true;
    world_forget_images(node->world);
    sign_key_free(node->other);
    node->other = NULL;
}

/* The key that the roster on its disk names is the one that it signs with. */
void world_look_at_key(struct world_node *node)
{
    if (!node->core || is_on_its_way(node))
        return;
    if (node->other && !is_named(node, node->key) && is_named(node, node->other)) {
        struct sign_key *before = node->key;
        core_set_key(node->core, node->other);
        node->key = node->other;
        node->other = before;
    }
    if (node->chosen == node->key && !node->is_key_known && is_named(node, node->key) &&
        !node->world->nodes[WORLD_COPY].is_member && all_know_key(node))
        end(node);
}

bool world_lacks_key(const struct world_node *node)
{
    return node->core && node->chosen && !is_named(node, node->chosen);
}

/* ---- new keys --------------------------------------------------------------------------- */

static void name_chosen(struct world_node *node)
{
    struct change_set changes = {0};
    const struct object *object = facet_object(core_facets(node->core), &node->id);
    struct node *before = object ? roster_read_node(core_facets(node->core), object) : NULL;
    if (!before)
        return;
    struct resource *after = resource_copy(&before->resource);
    membership_set_key(CONTAINER_OF(after, struct node, resource),
                       sign_key_public(node->chosen));
    change_set_add_update(&changes, &before->resource, after);
    resource_free(after);
    resource_free(&before->resource);
    struct core_event event = {.kind = CORE_SUBMIT,
                               .submit = {.changes = &changes, .kind = RECORD_ROSTER}};
    world_fill(node->world, event.submit.change_id.bytes, 16);
    world_step_once(node, &event);
    change_set_free(&changes);
    world_look_at_key(node);
}

void world_resume_key(struct world_node *node)
{
    const uint64_t quiet_us = 3000000;
    if (!world_lacks_key(node) || node->is_key_known || !world_is_up(node) ||
        is_on_its_way(node) || !core_knows_all(node->core, NULL)) {
        node->known_us = 0;
        return;
    }
    node->known_us = node->known_us ? node->known_us : node->world->now_us;
    if (node->world->now_us - node->known_us >= quiet_us)
        name_chosen(node);
}

void world_rekey(struct world *world, struct world_node *node)
{
    uint8_t seed[SIGN_SEED_SIZE];
    if (!world_is_up(node) || world->nodes[WORLD_COPY].is_member ||
        node->number == WORLD_COPY || (node->chosen && !node->is_key_known) ||
        world_lacks_key(node) || !core_knows_all(node->core, NULL) ||
        !world_join_is_known(world) || world_has_rot(world))
        return;
    world_forget_images(world); /* with an older disk the files are older, too */
    world_fill(world, seed, sizeof(seed));
    node->other = sign_key_from_seed(seed);
    node->chosen = node->other;
    node->is_key_known = false;
    name_chosen(node);
    world_schedule(node);
}

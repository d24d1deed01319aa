/* Nodes that are removed while the network is in parts: whoever removes one does not know all
 * that it wrote, others have more of it, and it may be a thief that writes whatever its key can
 * sign. Afterwards all that are left agree (replication.md 9.5). */
#include "tests/sim/replication_world.h"

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"

#include <stdio.h>
#include <string.h>

static const uint64_t second_us = 1000000;

static struct world_node *up_node(struct world *world, uint64_t among, const void *but)
{
    uint64_t first = world_below(world, world->node_count);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[(first + i) % world->node_count];
        if (world_is_up(node) && (among >> node->number & 1) && node != but)
            return node;
    }
    return NULL;
}

static unsigned count_up(const struct world *world)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world->node_count; i++)
        count += world_is_up(&world->nodes[i]);
    return count;
}

static void cut_between(struct world *world, uint64_t left, uint64_t right)
{
    for (unsigned a = 0; a < world->node_count; a++)
        for (unsigned b = 0; b < world->node_count; b++)
            if ((left >> a & 1) && (right >> b & 1) && a != b)
                world->cut[a][b] = world->cut[b][a] = true;
}

static void remove_node(struct world *world,
                        struct world_node *remover,
                        const struct world_node *whom,
                        bool compromised)
{
    struct core_event event = {.kind = CORE_REMOVE_NODE,
                               .node = whom->id,
                               .compromised = compromised,
                               .submit = {.kind = RECORD_ROSTER}};
    if (!world_is_up(remover))
        return;
    world_fill(world, event.submit.change_id.bytes, 16);
    world_step(world, remover, &event);
}

static void forget_promises(struct world *world, const struct world_node *node)
{
    for (size_t i = 0; i < world->change_count; i++)
        if (world->changes[i].node == node->number)
            world->changes[i].acknowledged = false;
}

/* Two that see nothing of each other and both mean the other is dead, or in wrong hands. */
static void
remove_each_other(struct world *world, struct world_node *one, struct world_node *other)
{
    cut_between(world, 1ull << one->number, 1ull << other->number);
    remove_node(world, one, other, world_below(world, 2));
    remove_node(world, other, one, world_below(world, 2));
    forget_promises(world, one);
    forget_promises(world, other);
}

/* ---- what a thief writes ---------------------------------------------------------------- */

static struct uuid any_object(struct world *world)
{
    struct uuid id = {{0x0b, (uint8_t)world_below(world, WORLD_OBJECTS)}};
    if (world_below(world, 2) == 0)
        id = world->nodes[world_below(world, world->node_count)].id;
    else
        id.bytes[2] = (uint8_t)world->objects[id.bytes[1]].life;
    return id;
}

static void add_status(struct world *world, struct change_set *changes)
{
    const struct world_node *whom = &world->nodes[world_below(world, world->node_count)];
    const struct uuid none = {0};
    uint8_t value[2] = {0x08, (uint8_t)world_below(world, 3)};
    change_set_add(changes, &whom->id, &none, RESOURCE_NODE, FACET_NODE_STATUS,
                   (struct bytes){value, sizeof(value)});
}

static void add_stranger(struct world *world, struct change_set *changes)
{
    struct resource *resource = resource_new(RESOURCE_NODE);
    world_fill(world, resource->id.bytes, sizeof(resource->id.bytes));
    change_set_add_create(changes, resource);
    resource_free(resource);
}

/* Whatever the object is of. */
static uint8_t any_type(struct world *world)
{
    const uint8_t types[] = {5, RESOURCE_NODE, RESOURCE_KEY_GRANT};
    return types[world_below(world, ARRAY_LENGTH(types))];
}

static void add_nonsense(struct world *world, struct change_set *changes)
{
    struct uuid id = any_object(world), owner = {0};
    uint8_t value[8];
    const uint16_t facets[] = {FACET_LIFE,     1,  FACET_ADMIN,
                               FACET_NODE_KEY, 11, FACET_NODE_STATUS};
    bool is_node = id.bytes[0] != 0x0b;
    uint16_t facet = facets[world_below(world, ARRAY_LENGTH(facets))];
    if (world_below(world, 4) == 0)
        owner = any_object(world);
    world_fill(world, value, sizeof(value));
    size_t size = facet == FACET_LIFE ? 1 : world_below(world, sizeof(value));
    value[0] &= facet == FACET_LIFE ? 1 : 0xff;
    uint8_t type = is_node ? RESOURCE_NODE : 5;
    if (world_below(world, 3) == 0)
        type = any_type(world);
    if (type != RESOURCE_NODE && world_below(world, 3) == 0)
        facet = FACET_LIFE;
    change_set_add(changes, &id, &owner, type, facet, (struct bytes){value, size});
}

static void write_as_thief(struct world *world, struct world_node *thief)
{
    struct change_set changes = {0};
    if (!world_is_up(thief))
        return;
    for (uint64_t count = 1 + world_below(world, 3); count > 0; count--)
        switch (world_below(world, 8)) {
        case 0: add_status(world, &changes); break;
        case 1: add_stranger(world, &changes); break;
        default: add_nonsense(world, &changes); break;
        }
    struct core_event event = {.kind = CORE_SUBMIT,
                               .submit = {.changes = &changes, .kind = RECORD_ROSTER}};
    world_fill(world, event.submit.change_id.bytes, 16);
    world_step(world, thief, &event);
    change_set_free(&changes);
}

/* ---- afterwards ------------------------------------------------------------------------- */

/* A node that itself and others hold for active; they are in the majority. */
static struct world_node *survivor(struct world *world, const struct world_node *but)
{
    struct world_node *best = NULL;
    unsigned most = 0;
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        unsigned count = 0;
        if (!node->core || !node->is_member || node->core->removed || node == but ||
            !roster_find(&node->core->roster, &node->id))
            continue;
        for (unsigned k = 0; k < world->node_count; k++)
            if (world->nodes[k].core && !world->nodes[k].core->removed) {
                const struct roster_node *known =
                    roster_find(&world->nodes[k].core->roster, &node->id);
                count += known && known->status == NODE_ACTIVE;
            }
        if (count > most) {
            most = count;
            best = node;
        }
    }
    return best;
}

/* Who believed a thief that it is out falls silent; it comes back with what the others have. */
static void come_back(struct world_node *node)
{
    forget_promises(node->world, node);
    node->left = false;
    world_quarantine(node);
}

static void settle(struct world *world)
{
    const struct world_node *judge = survivor(world, NULL);
    bool comes_back[WORLD_PLACES] = {false};
    for (unsigned i = 0; i < world->node_count; i++) { /* without a judge all are out */
        struct world_node *node = &world->nodes[i];
        const struct roster_node *known =
            judge ? roster_find(&judge->core->roster, &node->id) : NULL;
        if (!node->is_member || node == judge)
            continue;
        if (!known || known->status != NODE_ACTIVE) {
            forget_promises(world, node);
            node->left = true;
        } else if (node->left || (node->core && node->core->removed)) {
            world_crash(world, node);
            comes_back[i] = true;
        }
    }
    for (unsigned i = 0; i < world->node_count; i++)
        if (comes_back[i])
            come_back(&world->nodes[i]);
}

static void write_some(struct world *world, struct world_node *victim, bool is_thief)
{
    for (uint64_t count = 1 + world_below(world, 8); count > 0; count--) {
        struct world_node *node = up_node(world, UINT64_MAX, NULL);
        if (is_thief && world_below(world, 2) == 0)
            write_as_thief(world, victim);
        else
            world_write(world, world_below(world, 2) ? victim : node ? node : victim);
        world_run(world, world_below(world, 400000));
    }
}

static void heal(struct world *world, struct world_node *victim, bool is_dead)
{
    memset(world->cut, 0, sizeof(world->cut));
    world->loss_percent = 0;
    if (!is_dead)
        world_start(world, victim);
    for (unsigned i = 0; i < world->node_count; i++)
        if (&world->nodes[i] != victim)
            world_start(world, &world->nodes[i]);
    world_settle(world, 30 * second_us);
    settle(world);
    world_settle(world, 20 * second_us);
}

/* A thief that nobody has removed yet talks only to whom it likes. */
static void make_sure(struct world *world, const struct world_node *thief)
{
    struct world_node *judge = survivor(world, thief);
    const struct roster_node *known =
        judge ? roster_find(&judge->core->roster, &thief->id) : NULL;
    if (known && known->status != NODE_ACTIVE)
        return;
    if (known)
        remove_node(world, judge, thief, true);
    world_settle(world, 20 * second_us);
    settle(world);
    world_settle(world, 20 * second_us);
}

void world_remove_across_cut(struct world *world)
{
    struct world_node *victim = up_node(world, UINT64_MAX, NULL);
    if (!victim || count_up(world) < 3 || world->nodes[WORLD_COPY].is_member)
        return;
    uint64_t near = random_sequence_next(&world->random), self = 1ull << victim->number;
    if (world_below(world, 2) == 0) {
        world_rekey(world, up_node(world, UINT64_MAX, NULL));
        world_run(world, 3 * second_us);
    }
    bool is_thief = world_below(world, 3) == 0, is_dead = !is_thief && world_below(world, 2);
    near &= ~self; /* these see nothing of the victim, the far ones some of it */
    cut_between(world, near, self);
    if (world_below(world, 2) == 0)
        cut_between(world, near, ~near);
    world->loss_percent = (unsigned)world_below(world, 30);
    write_some(world, victim, is_thief);
    struct world_node *far = up_node(world, ~near & ~self, victim);
    if (far)
        cut_between(world, 1ull << far->number, self);
    write_some(world, victim, is_thief);
    if (is_dead) { /* for good: what it alone had is lost */
        world_crash(world, victim);
        forget_promises(world, victim);
    }
    struct world_node *remover = up_node(world, near, victim);
    struct world_node *other = up_node(world, ~self, remover);
    if (remover)
        remove_node(world, remover, victim, is_thief || world_below(world, 3) == 0);
    world_run(world, world_below(world, 2 * second_us));
    if (other && world_below(world, 2) == 0)
        remove_node(world, other, victim, world_below(world, 3) == 0);
    else if (other && remover && world_below(world, 2) == 0)
        remove_each_other(world, remover, other);
    write_some(world, victim, false);
    heal(world, victim, is_dead);
    if (is_thief)
        make_sure(world, victim);
    world_check_convergence(world, "after a removal across a cut");
    if (!world->failure[0])
        world_check_acknowledged(world);
    if (!world->failure[0])
        world_check_recomputed(world);
}

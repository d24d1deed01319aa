/* What clients write: they see what their node has, and only change what lives there. */
#include "tests/sim/replication_world.h"

#include "lbnode/model/field_table.h"
#include "replication/core_internal.h"

enum {
    OPAQUE_OBJECTS = 6,
    FACETS = 3,
    PORTS = 3,
    BALANCER = OPAQUE_OBJECTS,
    FIRST_LISTENER = BALANCER + 1
};

static struct uuid object_id(const struct world *world, unsigned number)
{
    return (struct uuid){{0x0b, (uint8_t)number, (uint8_t)world->objects[number].life}};
}

enum sight {
    ABSENT,
    DEAD,
    ALIVE
};

static enum sight look(const struct world_node *node, const struct uuid *id)
{
    const struct object *object = facet_object(core_facets(node->core), id);
    const struct facet_entry *life = object ? facet_winner(facet_of(object, FACET_LIFE)) : NULL;
    if (!object)
        return ABSENT;
    return life && life->value[0] != 0 ? ALIVE : DEAD;
}

/* A limit that docs/architecture.md names: a disk that forgot may take a deletion back that
 * everybody else has purged. So may a node that runs twice, from the moment when its disk was
 * copied: a deletion is purged when its node says that it is on its disk, and one of the two
 * may say so while the other knows nothing of it. Who hears only one of them cannot tell.
 * Others may revive meanwhile: each of them speaks for its own disk. The states differ until
 * the next word about the object (tests/unit/replication/test_core_revive.c). */
static bool may_revive(struct world *world, const struct world_node *node)
{
    const struct world_node *copy = &world->nodes[WORLD_COPY];
    bool runs_twice = copy->is_member && uuid_equal(&copy->id, &node->id);
    return !world->may_repeat && !runs_twice && world_below(world, 3) == 0;
}

/* May the object be made at NODE? What was made once and is not there may be on its way, or
 * gone for good; then it is another one, or the same as a document has it that gives ids. */
static bool may_make(struct world *world, const struct world_node *node, unsigned number)
{
    if (world->objects[number].made && world_below(world, 8) != 0)
        return false;
    if (world->objects[number].made && (world_below(world, 2) == 0 || !may_revive(world, node)))
        world->objects[number].life++;
    world->objects[number].made = true;
    return true;
}

/* ---- opaque values in few facets, so that they collide ---------------------------------- */

static void
add_value(struct world *world, struct change_set *changes, struct uuid id, uint16_t facet)
{
    uint64_t value = random_sequence_next(&world->random);
    uint8_t admin[2] = {0x08, (uint8_t)world_below(world, 2)};
    const struct uuid none = {0};
    struct bytes bytes = {(const uint8_t *)&value, sizeof(value)};
    if (facet == FACET_ADMIN)
        bytes = (struct bytes){admin, sizeof(admin)};
    change_set_add(changes, &id, &none, 5, facet, bytes);
}

static void add_life(struct change_set *changes, struct uuid id, uint8_t alive)
{
    const struct uuid none = {0};
    change_set_add(changes, &id, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
}

static void
plan_values(struct world *world, const struct world_node *node, struct change_set *changes)
{
    unsigned number = (unsigned)world_below(world, OPAQUE_OBJECTS);
    struct uuid id = object_id(world, number);
    enum sight sight = look(node, &id);
    if (sight == ABSENT) {
        if (!may_make(world, node, number))
            return;
        id = object_id(world, number);
        add_life(changes, id, 1);
        add_value(world, changes, id, FACET_ADMIN);
        for (uint16_t facet = 10; facet < 10 + FACETS; facet++)
            if (world_below(world, 4) != 0)
                add_value(world, changes, id, facet);
    } else if (sight == DEAD) {
        if (may_revive(world, node))
            add_life(changes, id, 1);
    } else if (world_below(world, 8) == 0) {
        add_life(changes, id, 0);
    } else {
        if (world_below(world, 4) == 0)
            add_value(world, changes, id, FACET_ADMIN);
        add_value(world, changes, id, (uint16_t)(10 + world_below(world, FACETS)));
    }
}

/* ---- listeners that claim the same ports, on a load balancer that comes and goes -------- */

static struct resource *balancer(const struct world *world)
{
    struct resource *resource = resource_new(RESOURCE_LOAD_BALANCER);
    resource->id = object_id(world, BALANCER);
    ip_address_parse("192.0.2.100",
                     &CONTAINER_OF(resource, struct load_balancer, resource)->vip_address);
    return resource;
}

static struct resource *listener(const struct world *world, unsigned number)
{
    struct resource *resource = resource_new(RESOURCE_LISTENER);
    resource->id = object_id(world, number);
    resource->owner = object_id(world, BALANCER);
    CONTAINER_OF(resource, struct listener, resource)->protocol_port = 80 + number % PORTS;
    return resource;
}

/* All of it but its life: only what is made or revived is said to live. */
static void add_edit(struct change_set *changes, const struct resource *resource)
{
    struct change_set whole = {0};
    change_set_add_create(&whole, resource);
    for (size_t i = 0; i < whole.count; i++) {
        const struct change_op *op = &whole.ops[i];
        if (op->facet != FACET_LIFE)
            change_set_add(changes, &op->object_id, &op->owner, op->type, op->facet,
                           (struct bytes){op->value, op->value_size});
    }
    change_set_free(&whole);
}

static void
plan_claim(struct world *world, const struct world_node *node, struct change_set *changes)
{
    bool is_owner = world_below(world, 4) == 0;
    struct uuid owner_id = object_id(world, BALANCER);
    unsigned number =
        is_owner ? BALANCER : FIRST_LISTENER + (unsigned)world_below(world, 2 * (size_t)PORTS);
    struct uuid id = object_id(world, number);
    enum sight sight = look(node, &id);
    if (!is_owner && sight != ALIVE && look(node, &owner_id) != ALIVE)
        return;
    if ((sight == ABSENT && !may_make(world, node, number)) ||
        (sight == DEAD && !may_revive(world, node)))
        return;
    bool deletes = sight == ALIVE && world_below(world, 3) == 0;
    if (sight == ALIVE && !deletes && world->may_repeat)
        return; /* says that it lives, as a revival does */
    struct resource *resource = is_owner ? balancer(world) : listener(world, number);
    if (deletes)
        change_set_add_delete(changes, resource);
    else if (sight == ALIVE)
        add_edit(changes, resource);
    else
        change_set_add_create(changes, resource);
    resource_free(resource);
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Takes CHANGES. */
static void submit(struct world *world, struct world_node *node, struct change_set *changes)
{
    size_t index = world->change_count++;
    world->changes[index] = (struct world_change){.node = node->number};
    world_fill(world, world->changes[index].id.bytes, sizeof(world->changes[index].id.bytes));
    world_submit(world, node, changes, index);
}

void world_write(struct world *world, struct world_node *node)
{
    struct change_set changes = {0};
    if (!node->core || world->change_count == WORLD_CHANGES || world_lacks_key(node))
        return;
    if (world_below(world, 4) == 0)
        plan_claim(world, node, &changes);
    else
        plan_values(world, node, &changes);
    if (changes.count == 0)
        return;
    submit(world, node, &changes);
}

/* ---- what is made again under its old id ------------------------------------------------ */

static void add_balancer(struct world *world, struct change_set *changes)
{
    struct resource *resource = balancer(world);
    change_set_add_create(changes, resource);
    resource_free(resource);
}

bool world_can_make_again(const struct world *world)
{
    return !world->may_repeat && !world->nodes[WORLD_COPY].is_member &&
           world->change_count + 4 <= WORLD_CHANGES;
}

void world_make_other(struct world *world, struct world_node *node)
{
    const unsigned numbers[] = {0, BALANCER, FIRST_LISTENER};
    struct change_set changes = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        world->objects[numbers[i]].life++;
        world->objects[numbers[i]].made = true;
    }
    add_balancer(world, &changes);
    add_life(&changes, object_id(world, 0), 1);
    add_value(world, &changes, object_id(world, 0), 10);
    submit(world, node, &changes);
}

void world_delete_disputed(struct world *world, struct world_node *one, struct world_node *two)
{
    struct change_set deletes = {0}, adds = {0};
    struct resource *above = balancer(world), *below = listener(world, FIRST_LISTENER);
    change_set_add_delete(&deletes, above);
    add_life(&deletes, object_id(world, 0), 0);
    change_set_add_create(&adds, below);
    add_value(world, &adds, object_id(world, 0), 11);
    resource_free(above);
    resource_free(below);
    submit(world, one, &deletes);
    submit(world, two, &adds);
}

bool world_make_again(struct world *world)
{
    struct uuid id = object_id(world, BALANCER), value = object_id(world, 0);
    struct world_node *without = NULL;
    bool is_there = false;
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        if (!world_is_up(node))
            continue;
        bool gone = look(node, &id) == ABSENT && look(node, &value) == ABSENT;
        is_there |= !gone;
        without = gone ? node : without;
    }
    if (!without || !is_there)
        return false;
    struct change_set changes = {0};
    add_balancer(world, &changes);
    add_life(&changes, value, 1);
    submit(world, without, &changes);
    return true;
}

/* A repeat of what is known changes nothing, whatever it says. Any other is a write like all
 * writes: nobody changes what is not there. */
void world_retry(struct world *world)
{
    struct change_set changes = {0};
    struct uuid object = object_id(world, 0), none = {0};
    if (world->change_count == 0)
        return;
    size_t index = world_below(world, world->change_count);
    struct world_node *node = &world->nodes[world->changes[index].node];
    if (!node->core || (!uuid_map_get(&node->core->changes, &world->changes[index].id) &&
                        look(node, &object) != ALIVE))
        return;
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){(const uint8_t *)"r", 1});
    world_submit(world, node, &changes, index);
}

#include "tests/unit/replication/key_world.h"

#include "lbnode/model/field_table.h"
#include "replication/memory.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct uuid key_world_id(size_t index)
{
    return (struct uuid){{(uint8_t)(index + 1)}};
}

static void refresh(struct key_world *world)
{
    roster_rebuild(world->roster, &world->table, NULL);
    grant_list_read(&world->table, &world->grants);
}

void key_world_apply(struct key_world *world, size_t by, struct change_set *changes)
{
    struct vv context = {0};
    if (world->seq > 0)
        vv_raise(&context, 1, world->seq);
    world->seq++;
    const struct facet_stamp stamp = {
        .dot = {1, world->seq},
        .hlc = world->now_ms << 16,
        .wall_ms = world->now_ms,
        .node_id = key_world_id(by),
        .context = &context,
    };
    for (size_t i = 0; i < changes->count; i++) {
        const struct change_op *from = &changes->ops[i];
        const struct record_op op = {
            .object_id = from->object_id,
            .type = from->type,
            .facet = from->facet,
            .value = {from->value, from->value_size},
            .owner = from->owner,
        };
        facet_apply(&world->table, &op, (uint32_t)i, &stamp, &world->batch);
    }
    for (size_t i = 0; i < KEY_WORLD_NODES; i++)
        if (!world->is_down[i])
            world->durable[i] = world->seq;
    vv_free(&context);
    change_set_free(changes);
    refresh(world);
}

void key_world_make_node(struct key_world *world, size_t index, enum node_status status)
{
    struct change_set changes = {0};
    struct resource *resource = resource_new(RESOURCE_NODE);
    struct node *node = CONTAINER_OF(resource, struct node, resource);
    char hex[2 * SIGN_PUBLIC_KEY_SIZE + 1], name[8];
    if (!world->keys[index]) {
        world->keys[index] = sign_key_generate();
        world->rings[index] = keyring_new(world->keys[index]);
    }
    bytes_to_hex((struct bytes){sign_key_public(world->keys[index]), SIGN_PUBLIC_KEY_SIZE},
                 hex);
    snprintf(name, sizeof(name), "lb%zu", index + 1);
    resource->id = key_world_id(index);
    free(resource->name);
    resource->name = strdup(name);
    free(node->sign_key);
    node->sign_key = strdup(hex);
    node->status = status;
    assert_true(change_set_add_create(&changes, resource));
    resource_free(resource);
    key_world_apply(world, 0, &changes);
}

void key_world_set_protocol(struct key_world *world, size_t index, uint8_t protocol)
{
    const uint8_t value[] = {1 << 3, protocol};
    const struct uuid id = key_world_id(index), none = {0};
    struct change_set changes = {0};
    assert_true(change_set_add(&changes, &id, &none, RESOURCE_NODE, 15,
                               (struct bytes){value, sizeof(value)}));
    key_world_apply(world, index, &changes);
}

int key_world_set_up(void **state)
{
    struct key_world *world = memory_new(sizeof(*world));
    crypto_start();
    world->roster = memory_new(sizeof(*world->roster));
    world->now_ms = 1000000;
    for (size_t i = 0; i < KEY_WORLD_NODES; i++)
        key_world_make_node(world, i, NODE_ACTIVE);
    *state = world;
    return 0;
}

int key_world_tear_down(void **state)
{
    struct key_world *world = *state;
    for (size_t i = 0; i < KEY_WORLD_NODES; i++) {
        keyring_free(world->rings[i]);
        sign_key_free(world->keys[i]);
    }
    facet_table_free(&world->table);
    store_batch_free(&world->batch);
    grant_list_free(&world->grants);
    roster_free(world->roster);
    free(world->roster);
    free(world);
    return 0;
}

bool key_world_update(struct key_world *world, size_t index)
{
    const struct uuid id = key_world_id(index);
    return keyring_update(world->rings[index], &world->table, &id);
}

/* ---- what a node knows ------------------------------------------------------------------ */

static size_t index_of(const struct uuid *id)
{
    return id->bytes[0] - 1u;
}

static bool has_record(const void *context, const struct uuid *node_id, struct dot dot)
{
    const struct key_world *world = context;
    return world->durable[index_of(node_id)] >= dot.seq;
}

static bool is_up(const void *context, const struct uuid *node_id)
{
    const struct key_world *world = context;
    return !world->is_down[index_of(node_id)];
}

static bool is_caught_up(const void *context)
{
    return true;
}

static bool is_sealed_with(const void *context, const struct uuid *key_id)
{
    const struct key_world *world = context;
    return uuid_equal(&world->sealed_with, key_id);
}

struct key_view key_world_view(struct key_world *world, size_t index)
{
    return (struct key_view){
        .own_id = key_world_id(index),
        .facets = &world->table,
        .roster = world->roster,
        .grants = &world->grants,
        .keyring = world->rings[index],
        .now_ms = world->now_ms,
        .has = has_record,
        .is_up = is_up,
        .is_caught_up = is_caught_up,
        .is_sealed_with = is_sealed_with,
        .context = world,
    };
}

/* ---- steps ------------------------------------------------------------------------------ */

static void grant_all(struct key_world *world, size_t by, struct change_set *out)
{
    for (size_t i = 0; i < world->roster->count; i++) {
        const struct roster_node *node = &world->roster->nodes[i];
        if (node->status == NODE_ACTIVE)
            assert_true(keyring_plan_grants(world->rings[by], &world->table, &node->id,
                                            node->public_key, out));
    }
}

static bool take_step(struct key_world *world, size_t index, enum key_purpose purpose)
{
    const struct key_view view = key_world_view(world, index);
    struct change_set changes = {0};
    struct key_step step;
    key_world_update(world, index);
    key_plan_next(&view, purpose, &step);
    if (step.rank > 0)
        return false; /* others are first, and do it */
    switch (step.kind) {
    case KEY_STEP_NONE: return false;
    case KEY_STEP_CREATE:
        keyring_plan_new(world->rings[index], step.purpose, world->roster,
                         key_plan_created_ms(&view, step.purpose), &changes);
        break;
    case KEY_STEP_GRANT: grant_all(world, index, &changes); break;
    case KEY_STEP_RESEAL: world->sealed_with = step.key_id; return true;
    case KEY_STEP_DELETE: key_plan_deletions(&view, step.purpose, &changes); break;
    }
    assert_true(changes.count > 0);
    key_world_apply(world, index, &changes);
    return true;
}

bool key_world_step(struct key_world *world)
{
    bool any = false;
    world->now_ms += 1000;
    for (size_t i = 0; i < KEY_WORLD_NODES; i++)
        if (!world->is_down[i] && world->roster->nodes[i].status == NODE_ACTIVE)
            for (int purpose = 0; purpose < KEY_PURPOSE_COUNT; purpose++)
                any |= take_step(world, i, (enum key_purpose)purpose);
    return any;
}

unsigned key_world_settle(struct key_world *world)
{
    unsigned steps = 0;
    while (steps < 100 && key_world_step(world))
        steps++;
    assert_true(steps < 100);
    return steps;
}

struct living_keys key_world_living(struct key_world *world, enum key_purpose purpose)
{
    const struct key_view view = key_world_view(world, 0);
    struct living_keys living;
    living_keys_read(&view, purpose, &living);
    return living;
}

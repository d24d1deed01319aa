/* Nodes that remove each other across a cut, so that none is left that the others listen to;
 * then the root key admits a new one, which goes on with what one of them has (docs/protocol.md
 * 3). Whatever was removed and forgotten before, it agrees with those that join it. */
#include "tests/sim/replication_world.h"

#include "lbnode/model/field_table.h"
#include "replication/core_root.h"
#include "replication/replication_internal.h"

#include <stdio.h>
#include <string.h>

static const uint64_t second_us = 1000000;
static const int64_t year_ms = 365ll * 24 * 3600 * 1000;

static struct world_node *any_up(struct world *world)
{
    uint64_t first = world_below(world, world->node_count);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[(first + i) % world->node_count];
        if (world_is_up(node) && !node->has_rot)
            return node;
    }
    return NULL;
}

static void remove_node(struct world *world, struct world_node *by, const struct uuid *whom)
{
    struct core_event event = {
        .kind = CORE_REMOVE_NODE, .node = *whom, .submit = {.kind = RECORD_ROSTER}};
    if (!world_is_up(by))
        return;
    event.compromised = world_below(world, 4) == 0;
    world_fill(world, event.submit.change_id.bytes, 16);
    world_step(world, by, &event);
}

/* ONE and the others, each without the other. What is written meanwhile may be lost. */
static void fall_out(struct world *world, struct world_node *one)
{
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        world->cut[i][one->number] = world->cut[one->number][i] = i != one->number;
    for (uint64_t i = world_below(world, 8); i > 0; i--) {
        world_write(world, world_below(world, 2) ? one : any_up(world));
        world_run(world, world_below(world, second_us));
    }
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *other = &world->nodes[i];
        if (other == one || !world_is_up(other))
            continue;
        if (world_below(world, 2) == 0)
            remove_node(world, one, &other->id);
        if (world_below(world, 2) == 0)
            remove_node(world, other, &one->id);
    }
    world_run(world, second_us);
    memset(world->cut, 0, sizeof(world->cut));
    world_run(world, 10 * second_us);
    for (size_t i = 0; i < world->change_count; i++)
        world->changes[i].acknowledged = false;
}

/* ---- the record ------------------------------------------------------------------------- */

static void
commit_now(struct world_node *node, struct core *core, const struct core_event *event)
{
    struct core_actions actions = {0};
    core_step(core, event, world_now_of(node), &actions);
    core_step(core, &(struct core_event){.kind = CORE_STAGE}, world_now_of(node), &actions);
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.items[i].kind == CORE_PERSIST) {
            world_note_records(node->world, &actions.items[i].batch);
            store_commit(node->store, &actions.items[i].batch);
        }
        if (actions.items[i].kind == CORE_ANSWER && actions.items[i].answer.error.kind)
            world_fail(node->world, "no recovery: %s", actions.items[i].answer.error.text);
    }
    core_actions_free(&actions);
}

static bool plan(const struct world_node *node,
                 const struct core *core,
                 const struct uuid *id,
                 const struct sign_key *key,
                 struct change_set *out)
{
    struct text_list addresses = {0};
    size_t count;
    text_list_add(&addresses, "192.0.2.1:7850", 14);
    const struct node_facts facts = {.id = *id,
                                     .name = "recovered",
                                     .public_key = sign_key_public(key),
                                     .addresses = &addresses};
    bool planned =
        membership_plan_node(NULL, &facts, out) && core_plan_exits(core, out, &count);
    text_list_free(&addresses);
    return planned;
}

static void become(struct world_node *node, const struct uuid *id, struct sign_key *key)
{
    sign_key_free(node->key);
    node->key = key;
    node->chosen = NULL;
    node->id = *id;
    sign_key_free(node->other);
    node->other = NULL;
    store_close(node->image);
    node->image = NULL;
    node->left = false;
}

static void recover(struct world *world, struct world_node *node)
{
    struct change_set changes = {0};
    struct uuid id;
    uint8_t seed[SIGN_SEED_SIZE];
    world_crash(world, node);
    world_fill(world, id.bytes, sizeof(id.bytes));
    world_fill(world, seed, sizeof(seed));
    struct sign_key *key = sign_key_from_seed(seed);
    struct core *core = world_load(node);
    if (!core || !plan(node, core, &id, key, &changes))
        world_fail(world, "node %u cannot be recovered", node->number);
    struct core_event event = {
        .kind = CORE_SUBMIT,
        .submit = {.changes = &changes, .kind = RECORD_ROSTER, .root = world->root}};
    world_fill(world, event.submit.change_id.bytes, 16);
    if (!world->failure[0])
        commit_now(node, core, &event);
    change_set_free(&changes);
    core_free(core);
    become(node, &id, key);
    world_start(world, node);
}

/* ---- afterwards ------------------------------------------------------------------------- */

static void write_some(struct world *world)
{
    for (uint64_t i = 1 + world_below(world, 8); i > 0; i--) {
        struct world_node *node = any_up(world);
        if (node)
            world_write(world, node);
        world_run(world, world_below(world, second_us));
    }
    world_run(world, 10 * second_us);
}

static void check(struct world *world, const char *when)
{
    if (!world->failure[0])
        world_check_convergence(world, when);
    if (!world->failure[0])
        world_check_acknowledged(world);
    if (!world->failure[0])
        world_check_recomputed(world);
}

static void let_others_go(struct world *world, const struct world_node *one)
{
    for (unsigned i = 0; i < WORLD_PLACES; i++) {
        struct world_node *other = &world->nodes[i];
        if (other == one)
            continue;
        world_crash(world, other);
        other->is_member = false;
        other->left = true;
    }
    world->last_join = (struct uuid){0};
}

void world_recover(struct world *world)
{
    struct world_node *one = any_up(world);
    if (!one || !world_all_are_up(world) || world->nodes[WORLD_COPY].is_member)
        return;
    fall_out(world, one);
    let_others_go(world, one);
    recover(world, one);
    if (!world->failure[0] && !world_is_up(one))
        world_fail(world, "node %u was recovered and is out", one->number);
    write_some(world);
    check(world, "after a recovery");
    for (uint64_t i = world_below(world, 3); i > 0 && !world->failure[0]; i--) {
        world_join(world, one);
        write_some(world);
        check(world, "with a node that joined after a recovery");
    }
    if (world->failure[0] || world->retention.keep_ms == 0)
        return;
    world->years_ms += year_ms;
    world_run(world, 2 * world->retention.keep_ms * 1000 + 10 * second_us);
    check(world, "a year after a recovery");
}

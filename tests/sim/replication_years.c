/* What is kept and what goes (replication.md 3.4, I12): a node is away for a year; then it is
 * back, and after another year nothing is left that nobody needs. */
#include "tests/sim/replication_world.h"

#include "replication/core_internal.h"

static const uint64_t second_us = 1000000;
static const int64_t year_ms = 365ll * 24 * 3600 * 1000;

bool world_all_are_up(const struct world *world)
{
    unsigned active = 0, up = 0;
    const struct core *core = NULL;
    for (unsigned i = 0; i < world->node_count; i++)
        if (world_is_up(&world->nodes[i])) {
            core = world->nodes[i].core;
            up++;
        }
    for (size_t i = 0; core && i < core_roster(core)->count; i++)
        active += core_roster(core)->nodes[i].status == NODE_ACTIVE;
    return up > 1 && up == active;
}

/* Who could not use the rows that it had asked for (its disk was full, or it took a snapshot)
 * sweeps again a minute later. */
static void let_sweep(struct world *world)
{
    uint64_t until_us = world->now_us;
    for (unsigned i = 0; i < world->node_count; i++) {
        uint64_t due_us = world_is_up(&world->nodes[i])
                              ? core_sweep_due_us(world->nodes[i].core)
                              : UINT64_MAX;
        if (due_us != UINT64_MAX && due_us > until_us)
            until_us = due_us;
    }
    world_run(world, until_us - world->now_us + 20 * second_us);
}

/* ---- the absent node -------------------------------------------------------------------- */

/* Nothing that ABSENT lacks has been removed anywhere. */
static void check_patience(struct world *world, const struct vv *had)
{
    for (unsigned i = 0; i < world->node_count; i++)
        if (world_is_up(&world->nodes[i]) && !core_can_answer(world->nodes[i].core, had))
            world_fail(world, "node %u removed what an absent node lacks", i);
}

static void check_alarm(struct world *world, const struct world_node *absent)
{
    for (unsigned i = 0; i < world->node_count; i++)
        if (world_is_up(&world->nodes[i]) && &world->nodes[i] != absent &&
            world->nodes[i].events[EVENT_RETENTION_BLOCKED] == 0)
            world_fail(world, "node %u does not tell that a node is away for long", i);
}

static void be_away(struct world *world, struct world_node *node)
{
    struct vv had = {0};
    vv_copy(&had, core_durable(node->core));
    world_crash(world, node);
    for (int i = 0; i < 10; i++) {
        world_write(world, &world->nodes[world_below(world, world->node_count)]);
        world_run(world, second_us);
    }
    world->years_ms += year_ms;
    let_sweep(world);
    check_patience(world, &had);
    check_alarm(world, node);
    vv_free(&had);
    world_start(world, node);
    world_settle(world, 45 * second_us);
    world_check_convergence(world, "after a year");
}

/* ---- made again while only some have forgotten ------------------------------------------- */

static void make_again(struct world *world, struct world_node *one)
{
    const int steps = 400;
    struct world_node *two = &world->nodes[(one->number + 1) % world->node_count];
    if (world_below(world, 4) != 0 || !world_can_make_again(world) || !world_is_up(two))
        return;
    world_make_other(world, one);
    world_run(world, 5 * second_us);
    world_delete_disputed(world, one, two);
    world_run(world, 10 * second_us);
    world->years_ms += year_ms;
    for (int i = 0; i < steps && !world_make_again(world); i++)
        world_run(world, second_us / 20);
    world_run(world, 10 * second_us);
    world_check_convergence(world, "after something was made again");
    if (!world->failure[0])
        world_check_recomputed(world);
}

/* ---- what is left ----------------------------------------------------------------------- */

struct leftovers {
    struct world *world;
    const struct world_node *node;
};

static bool provides_something(const struct core *core, const struct record *record)
{
    struct wire_reader ops = record->ops;
    struct record_op op;
    struct dot dot = {record->stream, record->seq};
    for (uint32_t index = 0; record_next_op(&ops, &op); index++)
        if (facet_provides(core_facets(core), &op, index, dot))
            return true;
    return false;
}

static bool check_row(void *context, struct bytes key, struct bytes value)
{
    const struct leftovers *leftovers = context;
    const struct core *core = leftovers->node->core;
    struct record record;
    if (!record_parse(value, &record))
        return true;
    const struct stream *stream = core_stream(core, record.stream);
    if (record.seq < stream->seq && !stream->refused &&
        record.seq <= core_cutoff(core, stream) && !provides_something(core, &record))
        world_fail(leftovers->world, "node %u still has a record that nobody needs",
                   leftovers->node->number);
    return true;
}

/* Operations of what is in the log alone. */
static bool check_dead_row(void *context, struct bytes key, struct bytes value)
{
    const struct leftovers *leftovers = context;
    struct wire_writer row = {0};
    if (store_get(leftovers->node->store, STORE_LOG, (struct bytes){key.data, 16}, &row) != 0)
        world_fail(leftovers->world, "node %u has an operation without a record",
                   leftovers->node->number);
    wire_writer_free(&row);
    return true;
}

static void check_objects(struct world *world, const struct world_node *node)
{
    const struct facet_table *facets = core_facets(node->core);
    const struct object *object;
    for (size_t i = 0; (object = uuid_map_next(&facets->objects, &i));) {
        const struct facet_state *life = facet_of(object, FACET_LIFE);
        bool disputed = false;
        for (size_t e = 0; life && e < life->count; e++)
            disputed |= life->entries[e].value[0] != 0;
        if (!disputed)
            world_fail(world, "node %u still has an object that was deleted", node->number);
    }
}

static void check_leftovers(struct world *world)
{
    for (unsigned i = 0; i < world->node_count && !world->failure[0]; i++) {
        struct leftovers leftovers = {world, &world->nodes[i]};
        if (!world_is_up(leftovers.node))
            continue;
        check_objects(world, leftovers.node);
        store_walk(leftovers.node->store, STORE_LOG, (struct bytes){0}, check_row, &leftovers);
        store_walk(leftovers.node->store, STORE_DEAD, (struct bytes){0}, check_dead_row,
                   &leftovers);
    }
}

/* ---- years ------------------------------------------------------------------------------ */

void world_spend_years(struct world *world)
{
    struct world_node *node = &world->nodes[world_below(world, world->node_count)];
    if (world->retention.keep_ms == 0 || !world_all_are_up(world) || !world_is_up(node))
        return;
    be_away(world, node);
    if (world->failure[0] || !world_all_are_up(world))
        return;
    make_again(world, node);
    if (world->failure[0])
        return;
    world->years_ms += year_ms;
    let_sweep(world);
    world_check_convergence(world, "after two years");
    world_check_acknowledged(world);
    check_leftovers(world);
    if (!world->failure[0])
        world_check_recomputed(world);
}

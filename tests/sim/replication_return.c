/* A node returns with the disk that it had long ago (replication.md 7.4): what was deleted and
 * forgotten meanwhile stays deleted, what it did alone stays. On the way links are cut, and
 * both ends crash, also in the transaction that replaces the state. */
#include "tests/sim/replication_world.h"

#include <string.h>

static const uint64_t second_us = 1000000;
static const int64_t year_ms = 365ll * 24 * 3600 * 1000;

static struct world_node *any_place(struct world *world)
{
    return &world->nodes[world_below(world, world->node_count)];
}

/* While NODE is as far as all others. */
static void go_on(struct world *world)
{
    uint64_t writes = 5 + world_below(world, 20);
    for (uint64_t i = 0; i < writes; i++) {
        world_write(world, any_place(world));
        world_run(world, 200000);
    }
    world_run(world, 5 * second_us);
    if (world->retention.keep_ms == 0)
        return;
    world->years_ms += year_ms;
    world_run(world, 2 * world->retention.keep_ms * 1000 + 10 * second_us);
}

static void make_trouble(struct world *world, struct world_node *node)
{
    struct world_node *other = any_place(world);
    switch (world_below(world, 8)) {
    case 0: world->cut[other->number][node->number] = true; break;
    case 1:
    case 2: memset(world->cut, 0, sizeof(world->cut)); break;
    case 3: world_crash(world, other); break;
    case 4: world_crash(world, node); break;
    default: world_write(world, other); break;
    }
    if (world_below(world, 2) == 0)
        for (unsigned i = 0; i < world->node_count; i++)
            world_start(world, &world->nodes[i]);
}

static void find_back(struct world *world, struct world_node *node)
{
    world->loss_percent = (unsigned)world_below(world, 30);
    world->crash_switches = true;
    for (uint64_t rounds = world_below(world, 30); rounds > 0; rounds--) {
        world_run(world, world_below(world, 400000));
        make_trouble(world, node);
    }
    world->crash_switches = false;
    world->loss_percent = 0;
    memset(world->cut, 0, sizeof(world->cut));
    for (unsigned i = 0; i < world->node_count; i++) {
        world->nodes[i].crash_at_commit = CRASH_NONE;
        world_start(world, &world->nodes[i]);
    }
    world_settle(world, 60 * second_us);
}

static bool is_truncated_for(const struct world *world, const struct vv *had)
{
    for (unsigned i = 0; i < world->node_count; i++)
        if (world_is_up(&world->nodes[i]) && !core_can_answer(world->nodes[i].core, had))
            return true;
    return false;
}

void world_return(struct world *world)
{
    struct world_node *node = any_place(world);
    struct vv had = {0};
    if (!world_all_are_up(world) || !world_is_up(node))
        return;
    vv_copy(&had, core_durable(node->core));
    world_take_image(world, node);
    go_on(world);
    world_check_convergence(world, "before an old disk comes back");
    bool must_take = is_truncated_for(world, &had);
    unsigned taken = node->events[EVENT_BOOTSTRAP_DONE];
    vv_free(&had);
    /* Its image is gone when a new key came into force meanwhile: then it keeps what it has. */
    must_take &= world_roll_back(world, node);
    world_write(world, node); /* before it hears of anybody */
    find_back(world, node);
    world_check_convergence(world, "with an old disk back");
    if (must_take && world_is_up(node) && node->events[EVENT_BOOTSTRAP_DONE] == taken &&
        !node->switched_unheard)
        world_fail(world, "node %u got what no log has any more", node->number);
    if (!world->failure[0])
        world_check_acknowledged(world);
    if (!world->failure[0])
        world_check_recomputed(world);
}

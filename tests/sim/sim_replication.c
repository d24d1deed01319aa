/* Random histories of the replication core: concurrent writes under loss, damage, cuts, pauses,
 * crashes, forgetful and rotting disks and wrong clocks; then everything heals, and all nodes
 * must agree and must have every acknowledged change (replication_check.c).
 *
 *   sim_replication --seeds 200 [--first 1]   seeds 1..200
 *   sim_replication --seed 17                 one seed, with the trace's fingerprint
 *   sim_replication --until-failure 1000      good when one of the seeds fails: for a core
 *                                             that is broken on purpose */
#include "tests/sim/replication_world.h"

#include "lbnode/base/parse_number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t second_us = 1000000;

static struct world_node *any_node(struct world *world)
{
    struct world_node *copy = &world->nodes[WORLD_COPY];
    if (copy->is_member && world_below(world, 4) == 0)
        return copy;
    return &world->nodes[world_below(world, world->node_count)];
}

/* ---- trouble ---------------------------------------------------------------------------- */

static void cut_link(struct world *world, unsigned a, unsigned b)
{
    world->cut[a][b] = true;
    if (world_below(world, 3) > 0) /* else one way only */
        world->cut[b][a] = true;
}

static void split_network(struct world *world)
{
    uint64_t sides = random_sequence_next(&world->random);
    for (unsigned a = 0; a < world->node_count; a++)
        for (unsigned b = 0; b < world->node_count; b++)
            world->cut[a][b] = (sides >> a & 1) != (sides >> b & 1);
}

static void heal_network(struct world *world)
{
    memset(world->cut, 0, sizeof(world->cut));
}

static void bend_clock(struct world *world)
{
    int64_t day_ms = 24 * 3600 * 1000;
    any_node(world)->clock_offset_ms =
        (int64_t)world_below(world, 2 * (uint64_t)day_ms) - day_ms;
}

static void pause(struct world *world, struct world_node *node)
{
    if (node->paused_until_us <= world->now_us) /* what waits for the end of a pause keeps it */
        node->paused_until_us = world->now_us + world_below(world, 60 * second_us);
}

static void fail_store(struct world *world, struct world_node *node)
{
    static const int errors[] = {0, 0, ENOSPC, EIO};
    store_mem_fail(node->store ? node->store : world->nodes[0].store,
                   errors[world_below(world, ARRAY_LENGTH(errors))]);
}

static void make_trouble(struct world *world)
{
    struct world_node *node = any_node(world);
    switch (world_below(world, 34)) {
    case 0:
    case 1: world_crash(world, node); break;
    case 2:
    case 3: node->crash_at_commit = world_below(world, 2) ? CRASH_BEFORE : CRASH_AFTER; break;
    case 4:
    case 5:
    case 6:
    case 7: world_start(world, node); break;
    case 8:
    case 9: cut_link(world, node->number, any_node(world)->number); break;
    case 10: split_network(world); break;
    case 11:
    case 12:
    case 13: heal_network(world); break;
    case 14:
    case 15: bend_clock(world); break;
    case 16:
    case 17:
    case 18: fail_store(world, node); break;
    case 19:
    case 20: world_retry(world); break;
    case 21:
    case 22: world_take_image(world, node); break;
    case 23: world_roll_back(world, node); break;
    case 24: world_start_copy(world, node); break;
    case 25: world_end_copy(world); break;
    case 26: pause(world, node); break;
    case 27: world_rot(world, node); break;
    case 28: world_join(world, node); break;
    case 29:
    case 30:
    case 31: world_forge(world); break;
    case 32:
    case 33: world_rekey(world, node); break;
    }
}

static void wait_for_paused(struct world *world)
{
    uint64_t until = world->now_us;
    for (unsigned i = 0; i < WORLD_PLACES; i++)
        if (world->nodes[i].paused_until_us > until)
            until = world->nodes[i].paused_until_us;
    world_run(world, until - world->now_us);
}

static void heal_everything(struct world *world)
{
    wait_for_paused(world);
    heal_network(world);
    world->loss_percent = world->duplicate_percent = world->damage_percent = 0;
    world->delay_us = 2000;
    world_end_copy(world);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        node->crash_at_commit = CRASH_NONE;
        store_mem_fail(node->store, 0);
        if (node->has_rot)
            world_crash(world, node); /* a store that is found damaged is not used further */
        else
            world_start(world, node);
    }
    /* Those whose disk could not be read, and nobody was there to help. */
    for (unsigned i = 0; i < world->node_count; i++)
        world_start(world, &world->nodes[i]);
}

/* ---- a life ----------------------------------------------------------------------------- */

/* NULL: none. */
static struct world_node *any_running(struct world *world, const struct world_node *but)
{
    uint64_t first = world_below(world, world->node_count);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[(first + i) % world->node_count];
        if (world_is_up(node) && node != but)
            return node;
    }
    return NULL;
}

static void remove_one(struct world *world)
{
    struct world_node *dead = any_running(world, NULL), *remover = any_running(world, dead);
    if (!dead || !remover)
        return;
    world_crash(world, dead);
    world_run(world, 5 * second_us);
    struct core_event event = {
        .kind = CORE_REMOVE_NODE, .node = dead->id, .submit = {.kind = RECORD_ROSTER}};
    world_fill(world, event.submit.change_id.bytes, 16);
    world_step(world, remover, &event);
    world_run(world, 5 * second_us);
    for (int i = 0; i < 5; i++) {
        world_write(world, any_node(world));
        world_run(world, second_us);
    }
    world_start(world, dead);
    world_write(world, dead); /* before it hears: nobody takes this */
    if (world->change_count > 0)
        world->changes[world->change_count - 1].acknowledged = false;
    world_run(world, 20 * second_us);
    if (!dead->left)
        world_fail(world, "node %u was removed and does not know", dead->number);
    world_check_convergence(world, "after a removal");
}

static void suffer(struct world *world)
{
    world->loss_percent = (unsigned)world_below(world, 51);
    world->duplicate_percent = (unsigned)world_below(world, 20);
    world->damage_percent = (unsigned)world_below(world, 5);
    world->delay_us = 200 + world_below(world, world_below(world, 3) ? 20000 : 2000000);
    uint64_t rounds = 30 + world_below(world, 120);
    for (uint64_t i = 0; i < rounds && !world->failure[0]; i++) {
        for (uint64_t writes = world_below(world, 4); writes > 0; writes--)
            world_write(world, any_node(world));
        make_trouble(world);
        world_run(world, world_below(world, second_us));
    }
    world_run(world, 3 * second_us);
}

static void live(struct world *world)
{
    suffer(world);
    heal_everything(world);
    world_settle(world, 45 * second_us);
    world_check_convergence(world, "after healing");
    if (!world->failure[0])
        world_check_acknowledged(world);
    if (!world->failure[0])
        world_check_recomputed(world);
    if (!world->failure[0])
        world_spend_years(world);
    if (!world->failure[0] && world_below(world, 2) == 0)
        world_return(world);
    for (uint64_t times = world_below(world, 3); times > 0 && !world->failure[0]; times--)
        world_remove_across_cut(world);
    if (!world->failure[0])
        remove_one(world);
    if (!world->failure[0] && world_below(world, 2) == 0)
        world_recover(world);
}

/* ---- seeds ------------------------------------------------------------------------------ */

struct outcome {
    bool good;
    uint64_t trace;
    unsigned taken, refused; /* snapshots */
    char text[400];
};

static void count_snapshots(const struct world *world, struct outcome *outcome)
{
    for (unsigned i = 0; i < WORLD_PLACES; i++) {
        outcome->taken += world->nodes[i].events[EVENT_BOOTSTRAP_DONE];
        outcome->refused += world->nodes[i].events[EVENT_BOOTSTRAP_FAILED];
    }
}

static struct outcome run_seed(uint64_t seed)
{
    struct outcome outcome = {0};
    struct world *world = calloc(1, sizeof(*world));
    if (!world)
        abort();
    world_init(world, seed);
    live(world);
    outcome.good = world->failure[0] == 0;
    outcome.trace = world->trace;
    count_snapshots(world, &outcome);
    snprintf(outcome.text, sizeof(outcome.text),
             "%u nodes, %zu changes, %u snapshots taken and %u given up: %s", world->node_count,
             world->change_count, outcome.taken, outcome.refused,
             outcome.good ? "good" : world->failure);
    world_free(world);
    free(world);
    return outcome;
}

static void print_outcome(uint64_t seed, const struct outcome *outcome)
{
    printf("seed %llu, trace %016llx, %s\n", (unsigned long long)seed,
           (unsigned long long)outcome->trace, outcome->text);
    fflush(stdout);
}

/* A failure is only worth reporting when it happens again the same way. */
static bool run_and_report(uint64_t seed)
{
    struct outcome outcome = run_seed(seed);
    if (outcome.good)
        return true;
    print_outcome(seed, &outcome);
    struct outcome again = run_seed(seed);
    printf("  replay: sim_replication --seed %llu%s\n", (unsigned long long)seed,
           again.trace == outcome.trace ? "" : " (DIFFERS from the first run)");
    fflush(stdout);
    return false;
}

static int run_seeds(uint64_t first, uint64_t count)
{
    uint64_t failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++)
        failed += !run_and_report(seed);
    printf("replication: %llu seeds, %llu failed\n", (unsigned long long)count,
           (unsigned long long)failed);
    return failed ? 1 : 0;
}

static int run_until_failure(uint64_t count)
{
    for (uint64_t seed = 1; seed <= count; seed++) {
        struct outcome outcome = run_seed(seed);
        if (!outcome.good) {
            print_outcome(seed, &outcome);
            return 0;
        }
    }
    printf("replication: %llu seeds did not notice\n", (unsigned long long)count);
    return 1;
}

static int run_alone(uint64_t seed)
{
    struct outcome outcome = run_seed(seed);
    print_outcome(seed, &outcome);
    return outcome.good ? 0 : 1;
}

static bool has_number(int argc, char **argv, const char *name, uint64_t *out)
{
    int64_t number;
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0 && parse_integer(argv[i + 1], 0, INT64_MAX, &number)) {
            *out = (uint64_t)number;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    uint64_t count, seed, first = 1;
    crypto_start();
    if (has_number(argc, argv, "--seed", &seed))
        return run_alone(seed);
    if (has_number(argc, argv, "--until-failure", &count))
        return run_until_failure(count);
    has_number(argc, argv, "--first", &first);
    if (has_number(argc, argv, "--seeds", &count))
        return run_seeds(first, count);
    fprintf(stderr, "usage: sim_replication --seeds COUNT [--first SEED] | --seed SEED | "
                    "--until-failure COUNT\n");
    return 2;
}

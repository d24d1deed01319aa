/* Random histories of the replication core: concurrent writes under loss, cuts, crashes, full
 * disks and wrong clocks; then everything heals, and all nodes must agree and must have every
 * acknowledged change.
 *
 *   sim_replication --seeds 200     seeds 1..200
 *   sim_replication --seed 17       one seed, with the trace's fingerprint */
#include "tests/sim/replication_world.h"

#include "lbnode/base/parse_number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OBJECTS = 6,
    FACETS = 3
};

static const uint64_t second_us = 1000000;

/* ---- trouble ---------------------------------------------------------------------------- */

static struct world_node *any_node(struct world *world)
{
    return &world->nodes[world_below(world, world->node_count)];
}

static struct uuid object_number(uint64_t number)
{
    struct uuid id = {{0x0b, (uint8_t)number}};
    return id;
}

static void write_something(struct world *world, struct world_node *node)
{
    struct change_set changes = {0};
    struct uuid object = object_number(world_below(world, OBJECTS)), none = {0};
    uint64_t value = random_sequence_next(&world->random);
    size_t index = world->change_count;
    if (!node->core || index == WORLD_CHANGES)
        return;
    uint8_t alive = world_below(world, 8) != 0;
    if (world_below(world, 4) == 0)
        change_set_add(&changes, &object, &none, 5, FACET_LIFE, (struct bytes){&alive, 1});
    uint8_t admin[2] = {0x08, (uint8_t)world_below(world, 2)};
    if (world_below(world, 4) == 0)
        change_set_add(&changes, &object, &none, 5, FACET_ADMIN, (struct bytes){admin, 2});
    change_set_add(&changes, &object, &none, 5, (uint16_t)(10 + world_below(world, FACETS)),
                   (struct bytes){(const uint8_t *)&value, sizeof(value)});
    struct world_change *change = &world->changes[world->change_count++];
    *change = (struct world_change){.node = node->number};
    for (size_t i = 0; i < 16; i++)
        change->id.bytes[i] = (uint8_t)random_sequence_next(&world->random);
    world_submit(world, node, &changes, index);
}

/* A client that got no answer asks again, with the same change id. */
static void retry_something(struct world *world)
{
    struct change_set changes = {0};
    struct uuid object = object_number(0), none = {0};
    if (world->change_count == 0)
        return;
    size_t index = world_below(world, world->change_count);
    struct world_node *node = &world->nodes[world->changes[index].node];
    if (!node->core)
        return;
    change_set_add(&changes, &object, &none, 5, 10, (struct bytes){(const uint8_t *)"r", 1});
    world_submit(world, node, &changes, index);
}

static void cut_something(struct world *world)
{
    unsigned a = any_node(world)->number, b = any_node(world)->number;
    world->cut[a][b] = true;
    if (world_below(world, 3) > 0) /* else one way only */
        world->cut[b][a] = true;
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

static void make_trouble(struct world *world)
{
    switch (world_below(world, 12)) {
    case 0: world_crash(world, any_node(world)); break;
    case 1:
    case 2: world_start(world, any_node(world)); break;
    case 3: cut_something(world); break;
    case 4: heal_network(world); break;
    case 5: bend_clock(world); break;
    case 6: store_mem_fail(any_node(world)->store, world_below(world, 2) ? ENOSPC : EIO); break;
    case 7: store_mem_fail(any_node(world)->store, 0); break;
    case 8: retry_something(world); break;
    default: break;
    }
}

static void heal_everything(struct world *world)
{
    heal_network(world);
    world->loss_percent = world->duplicate_percent = 0;
    world->delay_us = 2000;
    for (unsigned i = 0; i < world->node_count; i++) {
        store_mem_fail(world->nodes[i].store, 0);
        world_start(world, &world->nodes[i]);
    }
}

/* ---- invariants ------------------------------------------------------------------------- */

static size_t count_conflicts(const struct core *core)
{
    const struct object *object;
    size_t conflicts = 0;
    for (size_t i = 0; (object = uuid_map_next(&core_facets(core)->objects, &i));)
        for (size_t f = 0; f < object->count; f++)
            conflicts += object->facets[f].count > 1 ? object->facets[f].count : 0;
    return conflicts;
}

static void check_equal(struct world *world, struct core *a, struct core *b, const char *what)
{
    uint8_t left[HASH_SIZE], right[HASH_SIZE];
    if (!vv_equal(core_vector(a), core_vector(b))) {
        world_fail(world, "%s: the vectors differ", what);
        return;
    }
    facet_state_hash(core_facets(a), left);
    facet_state_hash(core_facets(b), right);
    if (memcmp(left, right, HASH_SIZE) != 0)
        world_fail(world, "%s: the states differ", what);
    if (count_conflicts(a) != count_conflicts(b))
        world_fail(world, "%s: the conflicts differ", what);
}

static void check_convergence(struct world *world)
{
    struct core *first = NULL;
    for (unsigned i = 0; i < world->node_count; i++) {
        struct core *core = world->nodes[i].core;
        if (!core || world->nodes[i].left)
            continue;
        if (first)
            check_equal(world, first, core, "after healing");
        first = first ? first : core;
        if (world->nodes[i].events[EVENT_EQUIVOCATION] > 0)
            world_fail(world, "node %u saw an equivocation", i);
        if (world->nodes[i].events[EVENT_DIVERGENCE] > 0)
            world_fail(world, "node %u saw a divergence", i);
    }
}

struct counted {
    const struct world_change *change;
    size_t count;
};

static bool count_change(void *context, struct bytes key, struct bytes value)
{
    struct record record;
    struct counted *counted = context;
    if (record_parse(value, &record) && uuid_equal(&record.change_id, &counted->change->id))
        counted->count++;
    return true;
}

/* Every acknowledged change is in the log of every node, exactly once. */
static void check_acknowledged(struct world *world)
{
    for (size_t i = 0; i < world->change_count; i++) {
        for (unsigned n = 0; n < world->node_count; n++) {
            struct counted found = {&world->changes[i], 0};
            if (world->nodes[n].left)
                continue;
            store_walk(world->nodes[n].store, STORE_LOG, (struct bytes){0}, count_change,
                       &found);
            if (found.count > 1)
                world_fail(world, "change %zu was done %zu times", i, found.count);
            if (world->changes[i].acknowledged && found.count == 0)
                world_fail(world, "change %zu was acknowledged and is not on node %u", i, n);
        }
    }
}

/* What is in memory is what the disk gives, and what any order of the records gives. */
static void check_recomputed(struct world *world)
{
    struct world_node *node = any_node(world);
    struct core *replayed = world_replay(world, node);
    check_equal(world, node->core, replayed, "replayed in another order");
    core_free(replayed);
    world_crash(world, node);
    world_start(world, node);
    for (unsigned i = 0; i < world->node_count && !world->failure[0]; i++)
        check_equal(world, node->core, world->nodes[i].core, "after a restart");
}

/* ---- a life ----------------------------------------------------------------------------- */

static void remove_one(struct world *world)
{
    struct world_node *dead = &world->nodes[world_below(world, world->node_count)];
    struct world_node *remover = &world->nodes[(dead->number + 1) % world->node_count];
    world_crash(world, dead);
    world_run(world, 5 * second_us);
    struct core_event event = {.kind = CORE_REMOVE_NODE,
                               .node = dead->id,
                               .submit = {.change_id = {{0xde, 0xad}}, .kind = RECORD_ROSTER}};
    world_step(world, remover, &event);
    world_run(world, 5 * second_us);
    for (int i = 0; i < 5; i++) {
        write_something(world, any_node(world));
        world_run(world, second_us);
    }
    world_start(world, dead);
    write_something(world, dead); /* before it hears: nobody takes this */
    if (world->change_count > 0)
        world->changes[world->change_count - 1].acknowledged = false;
    world_run(world, 20 * second_us);
    if (!dead->left)
        world_fail(world, "node %u was removed and does not know", dead->number);
    check_convergence(world);
}

static void live(struct world *world)
{
    world->loss_percent = (unsigned)world_below(world, 51);
    world->duplicate_percent = (unsigned)world_below(world, 20);
    world->delay_us = 200 + world_below(world, world_below(world, 3) ? 20000 : 2000000);
    uint64_t rounds = 30 + world_below(world, 120);
    for (uint64_t i = 0; i < rounds && !world->failure[0]; i++) {
        for (uint64_t writes = world_below(world, 4); writes > 0; writes--)
            write_something(world, any_node(world));
        make_trouble(world);
        world_run(world, world_below(world, second_us));
    }
    world_run(world, 3 * second_us);
    heal_everything(world);
    world_run(world, 60 * second_us);
    check_convergence(world);
    if (!world->failure[0])
        check_acknowledged(world);
    if (!world->failure[0])
        check_recomputed(world);
    if (!world->failure[0])
        remove_one(world);
}

static bool run_seed(uint64_t seed, bool is_alone)
{
    struct world *world = calloc(1, sizeof(*world));
    if (!world)
        return false;
    world_init(world, seed);
    live(world);
    bool good = world->failure[0] == 0;
    if (is_alone || !good)
        printf("seed %llu: %u nodes, %zu changes, trace %016llx: %s\n",
               (unsigned long long)seed, world->node_count, world->change_count,
               (unsigned long long)world->trace, good ? "good" : world->failure);
    world_free(world);
    free(world);
    return good;
}

int main(int argc, char **argv)
{
    int64_t number = 0;
    crypto_start();
    if (argc == 3 && strcmp(argv[1], "--seed") == 0 &&
        parse_integer(argv[2], 0, INT64_MAX, &number))
        return run_seed((uint64_t)number, true) ? 0 : 1;
    if (argc != 3 || strcmp(argv[1], "--seeds") != 0 ||
        !parse_integer(argv[2], 1, INT64_MAX, &number)) {
        fprintf(stderr, "usage: sim_replication --seeds COUNT | --seed SEED\n");
        return 2;
    }
    int64_t failed = 0;
    for (int64_t seed = 1; seed <= number; seed++)
        failed += !run_seed((uint64_t)seed, false);
    printf("replication: %lld seeds, %lld failed\n", (long long)number, (long long)failed);
    return failed ? 1 : 0;
}

/* Elections of 2 to 5 nodes with one to four virtual routers (groups, IPv4 and IPv6): loss,
 * delay, reordering, cuts both ways and one way, pauses, crashes, restarts, planned switches,
 * drained nodes, demotions, nodes that cannot serve, clocks that differ. At every moment the
 * rules of election_rules.c must hold. After each stretch of chaos comes a quiet, connected
 * one, at the end of which each router must have exactly one active node (none if no node can
 * serve), it must stay the same one, and no other node may have the addresses.
 *
 *   sim_election --seeds 1000 [--first 1]            seeds 1..1000
 *   sim_election --seed 17                           one seed, with its history
 *   sim_election --break RULE --until-failure 1000   good when one of the seeds fails: tie,
 * deaf, slow, hasty (election_world.h)
 */
#include "tests/sim/election_world.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/parse_number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    ROUNDS = 4,
    WATCH_US = 3000000,
    MARGIN_US = 20000,
    FAMILIES_US = 100000000,
};

static enum broken_rule broken;

/* The production code, unless a rule is to be broken (linked with --wrap). */
int __real_ip_address_compare(const struct ip_address *a, const struct ip_address *b);
int __wrap_ip_address_compare(const struct ip_address *a, const struct ip_address *b);
uint32_t __real_dead_time_us(const struct dead_time *dead_time, uint32_t standard_us);
uint32_t __wrap_dead_time_us(const struct dead_time *dead_time, uint32_t standard_us);

int __wrap_ip_address_compare(const struct ip_address *a, const struct ip_address *b)
{
    return broken == BROKEN_TIE ? -1 : __real_ip_address_compare(a, b);
}

uint32_t __wrap_dead_time_us(const struct dead_time *dead_time, uint32_t standard_us)
{
    if (broken == BROKEN_HASTY)
        return standard_us / 6;
    return __real_dead_time_us(dead_time, standard_us) * (broken == BROKEN_SLOW ? 3 : 1);
}

/* ---- trouble ---------------------------------------------------------------------------- */

static void apply_priority(struct world *world, size_t node, size_t router)
{
    struct world_node *it = &world->nodes[node];
    it->machines[router].settings.priority = it->drained ? 1 : it->priorities[router];
}

static void boot(struct world *world, size_t node)
{
    struct world_node *it = &world->nodes[node];
    it->up = true;
    world_trace(world, node, "boots", it->can_serve);
    for (size_t r = 0; r < world->router_count; r++) {
        struct vrrp_machine_settings settings = it->machines[r].settings;
        vrrp_machine_init(&it->machines[r], &settings, world_local_us(world, node));
    }
    if (it->can_serve)
        world_order(world, node, EVERY_ROUTER, VRRP_EVENT_ELIGIBLE);
}

/* The addresses of one family are taken from the configuration and come back: not at the same
 * time on all nodes. */
static void add_again(struct world *world, size_t node, size_t router)
{
    struct vrrp_machine *machine = &world->nodes[node].machines[router];
    struct vrrp_machine_settings settings = machine->settings;
    world_trace(world, node, "adds again", (unsigned)router);
    world_order(world, node, router, VRRP_EVENT_STOP);
    vrrp_machine_init(machine, &settings, world_local_us(world, node));
    world->nodes[node].bonds[router] = (struct family_bond){0};
    if (world->nodes[node].can_serve)
        world_order(world, node, router, VRRP_EVENT_ELIGIBLE);
}

/* The process dies and is started again at once with its last states. */
static void restart_in_place(struct world *world, size_t node)
{
    struct world_node *it = &world->nodes[node];
    world_trace(world, node, "restarts", 0);
    world_disturb(world, node, EVERY_ROUTER, 0);
    for (size_t r = 0; r < world->router_count; r++) {
        struct vrrp_machine *machine = &it->machines[r];
        struct vrrp_event event = {.kind = VRRP_EVENT_RESUME,
                                   .resume_state = machine->state,
                                   .resume_active_address = machine->active_address};
        struct vrrp_machine_settings settings = machine->settings;
        vrrp_machine_init(machine, &settings, world_local_us(world, node));
        world_give(world, node, r, &event);
    }
    world_order(world, node, EVERY_ROUTER,
                it->can_serve ? VRRP_EVENT_ELIGIBLE : VRRP_EVENT_INELIGIBLE);
}

static void cut_or_heal(struct world *world, size_t node)
{
    size_t other = (node + 1 + world_below(world, world->node_count - 1)) % world->node_count;
    bool cut = !world->cut[node][other];
    world->cut[node][other] = cut;
    if (world_chance(world, 70)) /* else one way only */
        world->cut[other][node] = cut;
    for (size_t r = 0; r < world->router_count; r++)
        rules_restart(world, node, other, r);
    world_trace(world, node, cut ? "cut from" : "healed with", (unsigned)other);
}

static void toggle_service(struct world *world, size_t node)
{
    struct world_node *it = &world->nodes[node];
    it->can_serve = !it->can_serve;
    world_trace(world, node, it->can_serve ? "can serve" : "cannot serve", 0);
    world_order(world, node, EVERY_ROUTER,
                it->can_serve ? VRRP_EVENT_ELIGIBLE : VRRP_EVENT_INELIGIBLE);
}

/* To node TO; to whoever is best when TO is the node itself. */
static void switch_to(struct world *world, size_t node, size_t router, size_t to)
{
    for (size_t r = 0; r < world->router_count; r++) {
        struct vrrp_event event = {.kind = VRRP_EVENT_HAND_OVER};
        if (router != EVERY_ROUTER && router != r)
            continue;
        if (to != node)
            event.source = world->nodes[to].machines[r].settings.own_address;
        world_trace(world, node, "hands over to", (unsigned)to);
        world_disturb(world, node, r, 0);
        world_give(world, node, r, &event);
    }
}

static void toggle_drain(struct world *world, size_t node)
{
    struct world_node *it = &world->nodes[node];
    it->drained = !it->drained;
    world_trace(world, node, it->drained ? "is drained" : "is no longer drained", 0);
    for (size_t r = 0; r < world->router_count; r++)
        apply_priority(world, node, r);
    world_disturb(world, node, EVERY_ROUTER, 0);
    if (it->drained)
        switch_to(world, node, EVERY_ROUTER, node);
}

static void pause_node(struct world *world, size_t node)
{
    struct world_node *it = &world->nodes[node];
    uint64_t us = world_below(world, 10 * (uint64_t)world->interval_us[0]);
    it->paused_until_us = world->now_us + us;
    world_trace(world, node, "pauses", (unsigned)us);
    world_disturb(world, node, EVERY_ROUTER, us);
}

static void end_process(struct world *world, size_t node, bool in_order)
{
    world_trace(world, node, in_order ? "is stopped" : "is killed", 0);
    if (in_order)
        world_order(world, node, EVERY_ROUTER, VRRP_EVENT_STOP);
    world->nodes[node].up = false;
}

/* What a tame world has comes first. */
enum trouble {
    TROUBLE_KILL,
    TROUBLE_STOP,
    TROUBLE_SERVICE,
    TROUBLE_RESTART,
    TROUBLE_ADD,
    TROUBLE_YIELD,
    TROUBLE_SWITCH,
    TROUBLE_DEMOTE,
    TROUBLE_DRAIN,
    TROUBLE_PAUSE,
    TROUBLE_CUT,
    TROUBLE_COUNT
};

static void cause_trouble(struct world *world)
{
    size_t node = world_below(world, world->node_count);
    size_t router = world_below(world, world->router_count + 1);
    if (router == world->router_count)
        router = EVERY_ROUTER;
    if (!world->nodes[node].up && world_chance(world, 60))
        boot(world, node);
    if (!world_runs(world, node))
        return;
    switch ((enum trouble)world_below(world, world->tame ? TROUBLE_PAUSE : TROUBLE_COUNT)) {
    case TROUBLE_KILL: end_process(world, node, false); break;
    case TROUBLE_STOP: end_process(world, node, true); break;
    case TROUBLE_SERVICE: toggle_service(world, node); break;
    case TROUBLE_RESTART: restart_in_place(world, node); break;
    case TROUBLE_ADD: add_again(world, node, world_below(world, world->router_count)); break;
    case TROUBLE_YIELD: world_order(world, node, router, VRRP_EVENT_YIELD); break;
    case TROUBLE_SWITCH:
        switch_to(world, node, router, world_below(world, world->node_count));
        break;
    case TROUBLE_DEMOTE:
        world_order(world, node, router,
                    world_chance(world, 50) ? VRRP_EVENT_DEMOTE : VRRP_EVENT_RELEASE);
        break;
    case TROUBLE_DRAIN: toggle_drain(world, node); break;
    case TROUBLE_PAUSE: pause_node(world, node); break;
    case TROUBLE_CUT: cut_or_heal(world, node); break;
    case TROUBLE_COUNT: break;
    }
}

static bool run_until(struct world *world, uint64_t until_us)
{
    while (world_turn(world, until_us))
        continue;
    return rules_hold(world);
}

static bool chaos(struct world *world)
{
    uint64_t interval_us = world->interval_us[0];
    uint64_t end_us = world->now_us + (5 + world_below(world, 50)) * interval_us;
    world->loss_percent = world->tame ? 0 : (unsigned)world_below(world, 40);
    world->reorder = !world->tame;
    while (world->now_us < end_us) {
        if (!run_until(world, world->now_us + 1 + world_below(world, 5 * interval_us)))
            return false;
        cause_trouble(world);
        if (!rules_hold(world))
            return false;
    }
    return true;
}

/* ---- after it --------------------------------------------------------------------------- */

static void calm(struct world *world)
{
    world_trace(world, 0, "quiet", 0);
    world->loss_percent = 0;
    world->reorder = false;
    memset(world->cut, 0, sizeof(world->cut));
    for (size_t i = 0; i < world->flight_count; i++)
        world->flights[i].due_us = world->now_us;
    for (size_t i = 0; i < world->node_count; i++) {
        world->nodes[i].paused_until_us = world->now_us;
        world_disturb(world, i, EVERY_ROUTER, 0);
        if (!world->nodes[i].up && world_chance(world, 80))
            boot(world, i);
    }
}

/* By when the election must be over: the longest that any node may wait for a silent owner, or
 * has still to listen or to hold back; then one advert. */
static uint64_t settled_us(const struct world *world)
{
    uint64_t longest_us = 0;
    for (size_t i = 0; i < world->node_count; i++) {
        for (size_t r = 0; r < world->router_count; r++) {
            const struct vrrp_machine *machine = &world->nodes[i].machines[r];
            uint64_t dead_us = rules_none_active_us(world, i, r) + world->interval_us[r];
            uint64_t due_us = world_time_of(world, i, machine->deadline_us);
            uint64_t wait_us =
                world->nodes[i].up && due_us > world->now_us && due_us != VRRP_NO_DEADLINE
                    ? due_us - world->now_us
                    : 0;
            if (wait_us > VRRP_LISTEN_MINIMUM_US + dead_us) /* nobody may wait for so long */
                wait_us = 0;
            if (longest_us < wait_us + dead_us)
                longest_us = wait_us + dead_us;
        }
    }
    return world->now_us + longest_us + MARGIN_US;
}

/* The number of active nodes; OUT_NODE is the last of them. */
static size_t count_active(const struct world *world, size_t router, size_t *out_node)
{
    size_t count = 0;
    for (size_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].up && world->nodes[i].machines[router].state == VRRP_ACTIVE) {
            *out_node = i;
            count++;
        }
    }
    return count;
}

static bool somebody_can_serve(const struct world *world)
{
    for (size_t i = 0; i < world->node_count; i++) {
        if (world->nodes[i].up && world->nodes[i].can_serve)
            return true;
    }
    return false;
}

static bool nobody_lingers(struct world *world)
{
    for (size_t i = 0; i < world->node_count; i++) {
        for (size_t r = 0; r < world->router_count; r++) {
            const struct vrrp_machine *machine = &world->nodes[i].machines[r];
            if (!world->nodes[i].up || machine->linger == VRRP_LINGER_NONE)
                continue;
            snprintf(world->failure, sizeof(world->failure),
                     "node %zu still has the addresses of router %zu", i, r);
            return false;
        }
    }
    return true;
}

static bool one_each(struct world *world, size_t owners[ROUTERS_MAXIMUM])
{
    size_t expected = somebody_can_serve(world) ? 1 : 0;
    for (size_t r = 0; r < world->router_count; r++) {
        size_t owner = NODES_MAXIMUM, count = count_active(world, r, &owner);
        if (owners[r] > NODES_MAXIMUM)
            owners[r] = owner;
        if (count == expected && owner == owners[r])
            continue;
        snprintf(world->failure, sizeof(world->failure),
                 "at %" PRIu64 " us: router %zu has %zu active nodes instead of %zu (node %zu, "
                 "was %zu)",
                 world->now_us, r, count, expected, owner, owners[r]);
        return false;
    }
    return true;
}

/* Without preemption a node that boots leaves the owners alone, whatever its priority. */
static void reboot_one(struct world *world)
{
    size_t node = world_below(world, world->node_count), owner = NODES_MAXIMUM;
    bool harmless = !world->nodes[0].machines[0].settings.preempt;
    for (size_t r = 0; r < world->router_count; r++)
        harmless = harmless && count_active(world, r, &owner) == 1 && owner != node;
    if (harmless)
        boot(world, node);
}

static bool are_together(struct world *world)
{
    for (size_t r = 1; r < world->router_count; r += 2) {
        size_t ipv4 = NODES_MAXIMUM, ipv6 = NODES_MAXIMUM;
        count_active(world, r - 1, &ipv4);
        count_active(world, r, &ipv6);
        if (ipv4 == ipv6)
            continue;
        snprintf(world->failure, sizeof(world->failure),
                 "router %zu is on node %zu and the other family of its group on node %zu", r,
                 ipv6, ipv4);
        return false;
    }
    return true;
}

/* Attempts that failed in the chaos put the next one off, for FAMILIES_US at most. */
static bool await_families(struct world *world)
{
    uint64_t end_us = world->now_us + FAMILIES_US;
    while (!are_together(world)) {
        if (world->now_us >= end_us || !run_until(world, world->now_us + WATCH_US))
            return false;
        world->failure[0] = '\0';
    }
    return true;
}

static bool watch(struct world *world)
{
    size_t owners[ROUTERS_MAXIMUM];
    for (size_t r = 0; r < ROUTERS_MAXIMUM; r++)
        owners[r] = NODES_MAXIMUM + 1;
    if (!run_until(world, settled_us(world)) || !await_families(world))
        return false;
    uint64_t end_us = world->now_us + WATCH_US;
    reboot_one(world);
    do {
        if (!one_each(world, owners))
            return false;
    } while (world_turn(world, end_us));
    return rules_hold(world) && nobody_lingers(world) && are_together(world);
}

/* ---- seeds ------------------------------------------------------------------------------ */

static struct vrrp_machine_settings settings_of(struct world *world, size_t node, size_t router)
{
    uint32_t interval_us = world->interval_us[router];
    size_t rank = world->node_count - 1 - node;
    /* By link-local addresses nodes may be in another order than by IPv4 ones. */
    uint8_t number = (uint8_t)(router % 2 ? NODES_MAXIMUM - node : node + 1);
    return (struct vrrp_machine_settings){
        .priority = world->nodes[node].priorities[router],
        .advert_interval_us = interval_us,
        .tie_delay_us = (uint32_t)rank * interval_us / 8,
        .strict = true,
        .own_address = router % 2 ? (struct ip_address){6, {0xfe, 0x80, [15] = number}}
                                  : (struct ip_address){4, {10, 0, (uint8_t)router, number}},
    };
}

static void prepare_node(struct world *world, size_t node, bool equal, bool preempt)
{
    struct world_node *it = &world->nodes[node];
    it->can_serve = true;
    it->clock_offset_us = 1000000 + world_below(world, UINT64_C(1) << 40);
    it->clock_ppm = (int64_t)world_below(world, 2 * CLOCK_ERROR_PPM + 1) - CLOCK_ERROR_PPM;
    for (size_t r = 0; r < world->router_count; r++) {
        it->priorities[r] = equal        ? 100
                            : r % 2 == 0 ? (uint8_t)(1 + world_below(world, 254))
                                         : it->priorities[r - 1];
        struct vrrp_machine_settings settings = settings_of(world, node, r);
        settings.preempt = preempt;
        vrrp_machine_init(&it->machines[r], &settings, world_local_us(world, node));
    }
    if (world_chance(world, 80))
        boot(world, node);
}

static void prepare(struct world *world, uint64_t seed, bool verbose)
{
    static const uint32_t intervals_us[] = {20000, 100000, 1000000};
    static const size_t router_counts[] = {1, 2, 4}; /* IPv4; with IPv6; two groups of both */
    *world = (struct world){.now_us = 1000000, .verbose = verbose, .broken = broken};
    random_sequence_init(&world->random, seed);
    world->tame = world_chance(world, 30);
    world->node_count = 2 + world_below(world, NODES_MAXIMUM - 1);
    world->router_count = router_counts[world_below(world, ARRAY_LENGTH(router_counts))];
    bool preempt = world_chance(world, 30), equal = world_chance(world, 50);
    for (size_t r = 0; r < world->router_count; r++)
        world->interval_us[r] =
            r % 2 ? world->interval_us[r - 1]
                  : intervals_us[world_below(world, ARRAY_LENGTH(intervals_us))];
    for (size_t i = 0; i < world->node_count; i++)
        prepare_node(world, i, equal, preempt);
}

/* True when the history of SEED keeps the rules. */
static bool run_seed(struct world *world, uint64_t seed, bool verbose)
{
    prepare(world, seed, verbose);
    bool good = true;
    for (int round = 0; good && round < ROUNDS; round++) {
        good = chaos(world);
        if (good)
            calm(world);
        good = good && watch(world);
    }
    return good;
}

static bool report(const struct world *world, uint64_t seed)
{
    static struct world again;
    printf("seed %" PRIu64 " failed: %s\n", seed, world->failure);
    printf("replay with: sim_election --seed %" PRIu64 "\n", seed);
    run_seed(&again, seed, false);
    if (again.trace_hash != world->trace_hash || strcmp(again.failure, world->failure) != 0)
        printf("seed %" PRIu64 " does not replay: the simulation itself is wrong\n", seed);
    return false;
}

struct options {
    int64_t seeds, first, only, until_failure;
};

static bool take_broken(const char *name)
{
    static const char *const names[BROKEN_COUNT] = {"nothing", "tie",   "deaf",
                                                    "slow",    "hasty", "bond"};
    for (int i = 0; i < BROKEN_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            broken = (enum broken_rule)i;
            return true;
        }
    }
    return false;
}

static bool take_options(int argc, char **argv, struct options *out)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        int64_t *number = strcmp(name, "--seeds") == 0           ? &out->seeds
                          : strcmp(name, "--first") == 0         ? &out->first
                          : strcmp(name, "--seed") == 0          ? &out->only
                          : strcmp(name, "--until-failure") == 0 ? &out->until_failure
                                                                 : NULL;
        if (number ? !parse_integer(value, 0, INT32_MAX, number)
                   : strcmp(name, "--break") != 0 || !take_broken(value))
            return false;
    }
    return true;
}

static int run_one(uint64_t seed)
{
    static struct world world;
    bool good = run_seed(&world, seed, true);
    printf("seed %" PRIu64 ": %s; fingerprint %016" PRIx64 "\n", seed,
           good ? "good" : world.failure, world.trace_hash);
    return good ? 0 : 1;
}

static int run_until_failure(uint64_t most)
{
    static struct world world;
    for (uint64_t seed = 1; seed <= most; seed++) {
        if (!run_seed(&world, seed, false)) {
            printf("election: noticed at seed %" PRIu64 ": %s\n", seed, world.failure);
            return 0;
        }
    }
    printf("election: a broken rule went unnoticed in %" PRIu64 " seeds\n", most);
    return 1;
}

static int run_many(uint64_t first, uint64_t count)
{
    static struct world world, again;
    uint64_t failed = 0, rivalry = 0, gap = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        failed += !(run_seed(&world, seed, false) || report(&world, seed));
        rivalry = world.longest_rivalry_us > rivalry ? world.longest_rivalry_us : rivalry;
        gap = world.longest_gap_us > gap ? world.longest_gap_us : gap;
    }
    run_seed(&world, first, false);
    run_seed(&again, first, false);
    if (world.trace_hash != again.trace_hash) {
        printf("the same seed gave two histories\n");
        failed++;
    }
    printf("election: %" PRIu64 " seeds, %" PRIu64 " failed; longest with two active %.2f "
           "intervals, with none %.2f\n",
           count, failed, (double)rivalry / 1000, (double)gap / 1000);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 1000, .first = 1, .only = -1};
    if (!take_options(argc, argv, &options)) {
        fprintf(stderr, "usage: sim_election [--seeds N] [--first N] [--seed N] [--break RULE] "
                        "[--until-failure N]\n");
        return 2;
    }
    if (options.only >= 0)
        return run_one((uint64_t)options.only);
    if (options.until_failure > 0)
        return run_until_failure((uint64_t)options.until_failure);
    return run_many((uint64_t)options.first, (uint64_t)options.seeds);
}

/* Elections of 2 to 5 nodes in virtual time: loss, reordering, cuts, pauses, restarts, planned
 * switches, demotions, nodes that cannot serve. After each stretch of chaos comes a quiet,
 * connected one; within the time that the standard and the limits of adaptation allow there
 * must then be exactly one active node (none if no node can serve), it must stay the same one,
 * and in the end no other node may have the addresses. sim_election [--seeds N] [--seed N] One
 * seed is one history: a failing one is told by number, and --seed N prints its trace. */
#include "lbnode/base/bytes.h"
#include "lbnode/base/parse_number.h"
#include "lbnode/base/random.h"
#include "vrrp/vrrp_machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NODES_MAXIMUM = 5,
    FLIGHTS_MAXIMUM = 4096,
    ROUNDS = 4,
    LATENCY_US = 1000,
    MARGIN_US = 20000,
    WATCH_US = 3000000,
    HOLD_US = 1000000,
};

struct sim_node {
    struct vrrp_machine machine;
    bool up; /* the process exists */
    bool can_serve;
    uint64_t paused_until_us; /* not run before */
};

struct flight {
    uint64_t due_us;
    uint8_t from, to, priority;
};

struct sim {
    struct random_sequence random;
    struct sim_node nodes[NODES_MAXIMUM];
    size_t node_count;
    bool cut[NODES_MAXIMUM][NODES_MAXIMUM];
    struct flight flights[FLIGHTS_MAXIMUM];
    size_t flight_count;
    uint32_t interval_us;
    unsigned loss_percent;
    bool reorder;
    uint64_t now_us;
    uint64_t trace_hash;
    bool verbose;
    char failure[160];
};

static uint64_t below(struct sim *sim, uint64_t bound)
{
    return random_sequence_below(&sim->random, bound);
}

static bool chance(struct sim *sim, unsigned percent)
{
    return below(sim, 100) < percent;
}

static void trace(struct sim *sim, size_t node, const char *what, unsigned detail)
{
    uint64_t line[] = {sim->now_us, node, what[0] + 256u * (unsigned char)what[1], detail};
    sim->trace_hash = bytes_hash(line, sizeof(line), sim->trace_hash);
    if (sim->verbose)
        printf("%10.3f ms  node %zu  %s %u\n", (double)sim->now_us / 1000, node, what, detail);
}

static bool runs(const struct sim *sim, size_t node)
{
    return sim->nodes[node].up && sim->nodes[node].paused_until_us <= sim->now_us;
}

/* ---- the network ------------------------------------------------------------------------ */

static void send_to_all(struct sim *sim, size_t from, uint8_t priority)
{
    for (size_t to = 0; to < sim->node_count; to++) {
        uint64_t delay_us = LATENCY_US / 10 + below(sim, LATENCY_US);
        if (to == from || sim->cut[from][to] || chance(sim, sim->loss_percent) ||
            sim->flight_count == FLIGHTS_MAXIMUM)
            continue;
        if (sim->reorder && chance(sim, 10))
            delay_us += below(sim, 3 * (uint64_t)sim->interval_us);
        sim->flights[sim->flight_count++] =
            (struct flight){sim->now_us + delay_us, (uint8_t)from, (uint8_t)to, priority};
    }
}

static void step(struct sim *sim, size_t node, const struct vrrp_event *event)
{
    struct vrrp_machine *machine = &sim->nodes[node].machine;
    struct vrrp_actions actions = vrrp_machine_step(machine, event, sim->now_us);
    if (actions.set & VRRP_ACTION_SEND_ADVERT)
        send_to_all(sim, node, actions.advert_priority);
    if (actions.set & VRRP_ACTION_STATE_CHANGED)
        trace(sim, node, vrrp_state_name(machine->state), actions.set);
}

static void give(struct sim *sim, size_t node, enum vrrp_event_kind kind)
{
    struct vrrp_event event = {.kind = kind};
    step(sim, node, &event);
}

static void deliver(struct sim *sim, size_t index)
{
    struct flight flight = sim->flights[index];
    const struct vrrp_machine *from = &sim->nodes[flight.from].machine;
    struct vrrp_event event = {.kind = VRRP_EVENT_ADVERT,
                               .source = from->settings.own_address,
                               .priority = flight.priority,
                               .interval_us = sim->interval_us};
    sim->flights[index] = sim->flights[--sim->flight_count];
    if (sim->nodes[flight.to].up)
        step(sim, flight.to, &event);
}

/* ---- time ------------------------------------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A paused node's timers and messages wait for it. */
static uint64_t timer_due_us(const struct sim *sim, size_t node)
{
    const struct sim_node *it = &sim->nodes[node];
    return it->up ? later(vrrp_machine_due_us(&it->machine), it->paused_until_us)
                  : VRRP_NO_DEADLINE;
}

static uint64_t flight_due_us(const struct sim *sim, size_t index)
{
    const struct flight *flight = &sim->flights[index];
    return later(flight->due_us, sim->nodes[flight->to].paused_until_us);
}

/* Does the next thing that happens up to UNTIL_US. False when nothing is left until then. */
static bool turn(struct sim *sim, uint64_t until_us)
{
    uint64_t best_us = VRRP_NO_DEADLINE;
    size_t timer = NODES_MAXIMUM, flight = FLIGHTS_MAXIMUM;
    for (size_t i = 0; i < sim->flight_count; i++) {
        uint64_t due_us = flight_due_us(sim, i);
        if (due_us < best_us) {
            best_us = due_us;
            flight = i;
        }
    }
    for (size_t i = 0; i < sim->node_count; i++) {
        uint64_t due_us = timer_due_us(sim, i);
        if (due_us < best_us ||
            (due_us == best_us && due_us != VRRP_NO_DEADLINE && chance(sim, 50))) {
            best_us = due_us;
            timer = i;
        }
    }
    if (best_us == VRRP_NO_DEADLINE || best_us > until_us) {
        sim->now_us = until_us;
        return false;
    }
    sim->now_us = later(sim->now_us, best_us);
    if (timer < NODES_MAXIMUM)
        give(sim, timer, VRRP_EVENT_TIMER);
    else
        deliver(sim, flight);
    return true;
}

static void run_until(struct sim *sim, uint64_t until_us)
{
    while (turn(sim, until_us))
        continue;
}

/* ---- trouble ---------------------------------------------------------------------------- */

static void boot(struct sim *sim, size_t node)
{
    struct sim_node *it = &sim->nodes[node];
    struct vrrp_machine_settings settings = it->machine.settings;
    vrrp_machine_init(&it->machine, &settings, sim->now_us);
    it->up = true;
    trace(sim, node, "boots", it->can_serve);
    if (it->can_serve)
        give(sim, node, VRRP_EVENT_ELIGIBLE);
}

/* The process dies and is started again at once with its last state. */
static void restart_in_place(struct sim *sim, size_t node)
{
    struct sim_node *it = &sim->nodes[node];
    struct vrrp_event event = {.kind = VRRP_EVENT_RESUME,
                               .resume_state = it->machine.state,
                               .resume_active_address = it->machine.active_address};
    struct vrrp_machine_settings settings = it->machine.settings;
    vrrp_machine_init(&it->machine, &settings, sim->now_us);
    trace(sim, node, "restarts", event.resume_state);
    step(sim, node, &event);
    give(sim, node, it->can_serve ? VRRP_EVENT_ELIGIBLE : VRRP_EVENT_INELIGIBLE);
}

static void cut_or_heal(struct sim *sim, size_t node)
{
    size_t other = (node + 1 + below(sim, sim->node_count - 1)) % sim->node_count;
    bool cut = !sim->cut[node][other];
    sim->cut[node][other] = cut;
    if (chance(sim, 70)) /* else one way only */
        sim->cut[other][node] = cut;
    trace(sim, node, cut ? "cut from" : "healed with", (unsigned)other);
}

static void toggle_service(struct sim *sim, size_t node)
{
    struct sim_node *it = &sim->nodes[node];
    it->can_serve = !it->can_serve;
    trace(sim, node, it->can_serve ? "can serve" : "cannot serve", 0);
    give(sim, node, it->can_serve ? VRRP_EVENT_ELIGIBLE : VRRP_EVENT_INELIGIBLE);
}

/* To node TO; to whoever is best when TO is the node itself. */
static void switch_to(struct sim *sim, size_t node, size_t to)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_HAND_OVER};
    if (to != node)
        event.source = sim->nodes[to].machine.settings.own_address;
    trace(sim, node, "hands over to", (unsigned)to);
    step(sim, node, &event);
}

static void demote(struct sim *sim, size_t node)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_DEMOTE, .hold_us = HOLD_US};
    trace(sim, node, "is demoted", 0);
    step(sim, node, &event);
}

static void cause_trouble(struct sim *sim)
{
    size_t node = below(sim, sim->node_count);
    struct sim_node *it = &sim->nodes[node];
    if (!it->up) {
        if (chance(sim, 60))
            boot(sim, node);
        return;
    }
    if (!runs(sim, node))
        return;
    switch (below(sim, 9)) {
    case 0:
        it->paused_until_us = sim->now_us + below(sim, 10 * (uint64_t)sim->interval_us);
        trace(sim, node, "pauses", (unsigned)(it->paused_until_us - sim->now_us));
        break;
    case 1:
        it->up = false;
        trace(sim, node, "is killed", 0);
        break;
    case 2:
        give(sim, node, VRRP_EVENT_STOP);
        it->up = false;
        break;
    case 3: toggle_service(sim, node); break;
    case 4: restart_in_place(sim, node); break;
    case 5: give(sim, node, VRRP_EVENT_YIELD); break;
    case 6: switch_to(sim, node, below(sim, sim->node_count)); break;
    case 7: demote(sim, node); break;
    default: cut_or_heal(sim, node); break;
    }
}

static void chaos(struct sim *sim)
{
    uint64_t end_us = sim->now_us + (5 + below(sim, 50)) * sim->interval_us;
    sim->loss_percent = (unsigned)below(sim, 40);
    sim->reorder = true;
    while (sim->now_us < end_us) {
        run_until(sim, sim->now_us + 1 + below(sim, 5 * (uint64_t)sim->interval_us));
        cause_trouble(sim);
    }
}

/* ---- the rule --------------------------------------------------------------------------- */

static void calm(struct sim *sim)
{
    trace(sim, 0, "quiet", 0);
    sim->loss_percent = 0;
    sim->reorder = false;
    memset(sim->cut, 0, sizeof(sim->cut));
    for (size_t i = 0; i < sim->flight_count; i++)
        sim->flights[i].due_us = sim->now_us;
    for (size_t i = 0; i < sim->node_count; i++) {
        sim->nodes[i].paused_until_us = sim->now_us;
        if (!sim->nodes[i].up && chance(sim, 80))
            boot(sim, i);
    }
}

/* The longest that a node may wait for a silent one (computed from the standard and the limits,
 * not by the machine). */
static uint64_t longest_dead_us(const struct sim *sim, const struct vrrp_machine *machine)
{
    uint64_t skew_us = (256u - machine->settings.priority) * (uint64_t)sim->interval_us / 256;
    uint64_t standard_us = 3 * (uint64_t)sim->interval_us + skew_us;
    return (later(standard_us, DEAD_TIME_GAP_LIMIT_US) << DEAD_TIME_DOUBLINGS) +
           machine->settings.tie_delay_us;
}

/* By when the election must be over: the longest that any node may still listen or wait for a
 * silent owner, one advert for the owners to hear each other, and the network's latency. */
static uint64_t settled_us(const struct sim *sim)
{
    uint64_t longest_us = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct vrrp_machine *machine = &sim->nodes[i].machine;
        uint64_t dead_us = longest_dead_us(sim, machine);
        uint64_t listen_us = VRRP_LISTEN_MINIMUM_US + dead_us;
        longest_us = later(longest_us, dead_us);
        if (sim->nodes[i].up && machine->state == VRRP_BACKUP &&
            machine->deadline_us > sim->now_us &&
            machine->deadline_us <= sim->now_us + listen_us)
            longest_us = later(longest_us, machine->deadline_us - sim->now_us);
    }
    return sim->now_us + longest_us + sim->interval_us + MARGIN_US;
}

/* The number of active nodes; OUT_NODE is the last of them. */
static size_t count_active(const struct sim *sim, size_t *out_node)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].up && sim->nodes[i].machine.state == VRRP_ACTIVE) {
            *out_node = i;
            count++;
        }
    }
    return count;
}

static bool somebody_can_serve(const struct sim *sim)
{
    for (size_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].up && sim->nodes[i].can_serve)
            return true;
    }
    return false;
}

/* Without preemption a node that boots leaves the owner alone, whatever its priority. */
static void reboot_another(struct sim *sim, size_t owner)
{
    size_t node = below(sim, sim->node_count);
    if (node != owner && !sim->nodes[0].machine.settings.preempt)
        boot(sim, node);
}

static bool nobody_lingers(struct sim *sim)
{
    for (size_t i = 0; i < sim->node_count; i++) {
        if (sim->nodes[i].up && sim->nodes[i].machine.linger != VRRP_LINGER_NONE) {
            snprintf(sim->failure, sizeof(sim->failure), "node %zu still has the addresses", i);
            return false;
        }
    }
    return true;
}

static bool watch(struct sim *sim)
{
    size_t owner = NODES_MAXIMUM, first = NODES_MAXIMUM;
    run_until(sim, settled_us(sim));
    uint64_t end_us = sim->now_us + WATCH_US;
    size_t expected = somebody_can_serve(sim) ? 1 : 0;
    bool more = true;
    if (count_active(sim, &owner) == 1)
        reboot_another(sim, owner);
    while (more) {
        size_t count = count_active(sim, &owner);
        if (first == NODES_MAXIMUM)
            first = owner;
        if (count != expected || owner != first) {
            snprintf(sim->failure, sizeof(sim->failure),
                     "at %" PRIu64 " us: %zu active nodes instead of %zu (node %zu, was %zu)",
                     sim->now_us, count, expected, owner, first);
            return false;
        }
        more = turn(sim, end_us);
    }
    return nobody_lingers(sim);
}

static void prepare(struct sim *sim, uint64_t seed, bool verbose)
{
    static const uint32_t intervals_us[] = {20000, 100000, 1000000};
    *sim = (struct sim){.now_us = 1000000, .verbose = verbose};
    random_sequence_init(&sim->random, seed);
    sim->node_count = 2 + below(sim, NODES_MAXIMUM - 1);
    sim->interval_us = intervals_us[below(sim, ARRAY_LENGTH(intervals_us))];
    bool preempt = chance(sim, 30), equal = chance(sim, 50);
    for (size_t i = 0; i < sim->node_count; i++) {
        struct vrrp_machine_settings settings = {
            .priority = equal ? 100 : (uint8_t)(1 + below(sim, 254)),
            .preempt = preempt,
            .preempt_delay_us = 0,
            .advert_interval_us = sim->interval_us,
            .tie_delay_us = (uint32_t)(sim->node_count - 1 - i) * sim->interval_us / 8,
            .own_address = {4, {10, 0, 0, (uint8_t)(i + 1)}},
        };
        sim->nodes[i].can_serve = true;
        vrrp_machine_init(&sim->nodes[i].machine, &settings, sim->now_us);
        if (chance(sim, 80))
            boot(sim, i);
    }
}

/* True when the history of SEED keeps the rule. */
static bool run_seed(struct sim *sim, uint64_t seed, bool verbose)
{
    prepare(sim, seed, verbose);
    bool good = true;
    for (int round = 0; good && round < ROUNDS; round++) {
        chaos(sim);
        calm(sim);
        good = watch(sim);
    }
    return good;
}

static bool report(struct sim *sim, uint64_t seed)
{
    static struct sim again;
    printf("seed %" PRIu64 " failed: %s\n", seed, sim->failure);
    printf("replay with: sim_election --seed %" PRIu64 "\n", seed);
    run_seed(&again, seed, false);
    if (again.trace_hash != sim->trace_hash)
        printf("seed %" PRIu64 " does not replay: the simulation itself is wrong\n", seed);
    return false;
}

int main(int argc, char **argv)
{
    static struct sim sim, again;
    int64_t seeds = 1000, only = -1;
    for (int i = 1; i + 1 < argc; i += 2) {
        int64_t *target = strcmp(argv[i], "--seeds") == 0  ? &seeds
                          : strcmp(argv[i], "--seed") == 0 ? &only
                                                           : NULL;
        if (!target || !parse_integer(argv[i + 1], 0, INT32_MAX, target)) {
            fprintf(stderr, "usage: sim_election [--seeds N] [--seed N]\n");
            return 2;
        }
    }
    if (only >= 0) {
        bool good = run_seed(&sim, (uint64_t)only, true);
        printf("seed %" PRId64 ": %s\n", only, good ? "good" : sim.failure);
        return good ? 0 : 1;
    }
    int64_t failed = 0;
    for (int64_t seed = 1; seed <= seeds; seed++)
        failed += !(run_seed(&sim, (uint64_t)seed, false) || report(&sim, (uint64_t)seed));
    run_seed(&sim, 1, false);
    run_seed(&again, 1, false);
    if (sim.trace_hash != again.trace_hash) {
        printf("the same seed gave two histories\n");
        failed++;
    }
    printf("election: %" PRId64 " seeds, %" PRId64 " failed\n", seeds, failed);
    return failed ? 1 : 0;
}

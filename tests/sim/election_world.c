#include "tests/sim/election_world.h"

#include "lbnode/base/bytes.h"

#include <inttypes.h>
#include <stdio.h>

static const int64_t million = 1000000;

uint64_t world_below(struct world *world, uint64_t bound)
{
    return random_sequence_below(&world->random, bound);
}

bool world_chance(struct world *world, unsigned percent)
{
    return world_below(world, 100) < percent;
}

void world_trace(struct world *world, size_t node, const char *what, unsigned detail)
{
    uint64_t line[] = {world->now_us, node, what[0] + 256u * (unsigned char)what[1], detail};
    world->trace_hash = bytes_hash(line, sizeof(line), world->trace_hash);
    if (world->verbose)
        printf("%10.3f ms  node %zu  %s %u\n", (double)world->now_us / 1000, node, what,
               detail);
}

bool world_runs(const struct world *world, size_t node)
{
    return world->nodes[node].up && world->nodes[node].paused_until_us <= world->now_us;
}

bool world_is_active(const struct world *world, size_t node, size_t router)
{
    return world_runs(world, node) && world->nodes[node].machines[router].state == VRRP_ACTIVE;
}

/* ---- clocks ----------------------------------------------------------------------------- */

static uint64_t local_of(const struct world_node *node, uint64_t time_us)
{
    int64_t drift_us = (int64_t)time_us * node->clock_ppm / million;
    return node->clock_offset_us + time_us + (uint64_t)drift_us;
}

uint64_t world_local_us(const struct world *world, size_t node)
{
    return local_of(&world->nodes[node], world->now_us);
}

uint64_t world_time_of(const struct world *world, size_t node, uint64_t local_us)
{
    const struct world_node *it = &world->nodes[node];
    if (local_us == VRRP_NO_DEADLINE || local_us <= it->clock_offset_us)
        return local_us == VRRP_NO_DEADLINE ? VRRP_NO_DEADLINE : 0;
    int64_t raw_us = (int64_t)(local_us - it->clock_offset_us);
    uint64_t time_us = (uint64_t)(raw_us - raw_us * it->clock_ppm / (million + it->clock_ppm));
    while (time_us > 0 && local_of(it, time_us - 1) >= local_us)
        time_us--;
    while (local_of(it, time_us) < local_us)
        time_us++;
    return time_us;
}

/* ---- the network ------------------------------------------------------------------------ */

uint64_t world_latency_us(const struct world *world, size_t router)
{
    uint64_t reordered_us = REORDERED_INTERVALS * (uint64_t)world->interval_us[router];
    return LATENCY_US + (world->tame ? 0 : reordered_us);
}

static void
send_to(struct world *world, size_t from, size_t to, size_t router, uint8_t priority)
{
    uint64_t delay_us = LATENCY_US / 10 + world_below(world, LATENCY_US * 9 / 10);
    if (world->reorder && world_chance(world, 10))
        delay_us +=
            world_below(world, REORDERED_INTERVALS * (uint64_t)world->interval_us[router]);
    if (world->cut[from][to] || world_chance(world, world->loss_percent) ||
        world->flight_count == FLIGHTS_MAXIMUM) {
        rules_restart(world, from, to, router);
        return;
    }
    world->flights[world->flight_count++] = (struct flight){
        world->now_us + delay_us, (uint8_t)from, (uint8_t)to, (uint8_t)router, priority};
}

static void
send_advert(struct world *world, size_t from, size_t router, const struct vrrp_actions *actions)
{
    for (size_t to = 0; to < world->node_count; to++) {
        const struct ip_address *address =
            &world->nodes[to].machines[router].settings.own_address;
        bool meant =
            actions->advert_to.family == 0 || ip_address_equal(&actions->advert_to, address);
        if (to != from && meant)
            send_to(world, from, to, router, actions->advert_priority);
    }
}

static void
reassure(struct world *world, size_t from, size_t router, const struct ip_address *asked)
{
    uint8_t priority = world->nodes[from].machines[router].settings.priority;
    for (size_t to = 0; to < world->node_count; to++) {
        if (to != from &&
            !ip_address_equal(asked, &world->nodes[to].machines[router].settings.own_address))
            send_to(world, from, to, router, priority);
    }
}

static bool has_sibling(const struct world *world, size_t router)
{
    return (router ^ 1) < world->router_count;
}

void world_give(struct world *world, size_t node, size_t router, const struct vrrp_event *event)
{
    for (size_t r = 0; r < world->router_count; r++) {
        struct vrrp_machine *machine = &world->nodes[node].machines[r];
        if (router != EVERY_ROUTER && router != r)
            continue;
        if (world->broken == BROKEN_DEAF && machine->state == VRRP_ACTIVE &&
            event->kind == VRRP_EVENT_ADVERT)
            continue;
        struct vrrp_event given = *event;
        given.sibling_active = has_sibling(world, r) && world->broken != BROKEN_BOND &&
                               world->nodes[node].machines[r ^ 1].state == VRRP_ACTIVE;
        struct vrrp_actions actions =
            vrrp_machine_step(machine, &given, world_local_us(world, node));
        if (actions.set & VRRP_ACTION_REASSURE)
            reassure(world, node, r, &actions.advert_to);
        if (actions.set & VRRP_ACTION_SEND_ADVERT)
            send_advert(world, node, r, &actions);
        if (actions.set & VRRP_ACTION_STATE_CHANGED)
            world_trace(world, node, vrrp_state_name(machine->state), (unsigned)r);
        unsigned *doublings = &world->nodes[node].doublings[r];
        if (actions.set & VRRP_ACTION_FALSE_TAKEOVER) {
            *doublings += *doublings < DEAD_TIME_DOUBLINGS;
            world_trace(world, node, "false takeover", (unsigned)r);
        }
    }
}

void world_disturb(struct world *world, size_t node, size_t router, uint64_t extra_us)
{
    for (size_t r = 0; r < world->router_count; r++) {
        if (router != EVERY_ROUTER && router != r)
            continue;
        world->nodes[node].disturbed_us[r] = world->now_us + extra_us;
        for (size_t other = 0; other < world->node_count; other++)
            rules_restart(world, node, other, r);
    }
}

void world_order(struct world *world, size_t node, size_t router, enum vrrp_event_kind kind)
{
    struct vrrp_event event = {.kind = kind, .hold_us = HOLD_US};
    world_disturb(world, node, router, kind == VRRP_EVENT_DEMOTE ? HOLD_US : 0);
    world_give(world, node, router, &event);
}

static void deliver(struct world *world, size_t index)
{
    struct flight flight = world->flights[index];
    const struct vrrp_machine *from = &world->nodes[flight.from].machines[flight.router];
    struct vrrp_event event = {.kind = VRRP_EVENT_ADVERT,
                               .source = from->settings.own_address,
                               .priority = flight.priority,
                               .interval_us = world->interval_us[flight.router]};
    world->flights[index] = world->flights[--world->flight_count];
    if (!world->nodes[flight.to].up)
        return;
    const struct vrrp_machine *to = &world->nodes[flight.to].machines[flight.router];
    bool was_active = to->state == VRRP_ACTIVE;
    world_give(world, flight.to, flight.router, &event);
    bool lost = was_active && to->state == VRRP_BACKUP && flight.router % 2 == 0;
    if (lost && has_sibling(world, flight.router) && world->broken != BROKEN_BOND)
        world_order(world, flight.to, flight.router + 1u, VRRP_EVENT_YIELD);
}

/* ---- both families on one node ---------------------------------------------------------- */

static struct ip_address
address_of_owner(const struct world *world, const struct ip_address *ipv4, size_t router)
{
    for (size_t i = 0; i < world->node_count; i++) {
        const struct vrrp_machine *machines = world->nodes[i].machines;
        if (ip_address_equal(&machines[router - 1].settings.own_address, ipv4))
            return machines[router].settings.own_address;
    }
    return (struct ip_address){0};
}

static void unite(struct world *world, size_t node)
{
    struct world_node *it = &world->nodes[node];
    for (size_t r = 1; r < world->router_count; r += 2) {
        if (!family_bond_hands_over(&it->bonds[r], &it->machines[r - 1], &it->machines[r],
                                    world_local_us(world, node)))
            continue;
        struct vrrp_event hand_over = {
            .kind = VRRP_EVENT_HAND_OVER,
            .source = address_of_owner(world, &it->bonds[r].asked, r),
        };
        world_trace(world, node, "unites", (unsigned)r);
        world_disturb(world, node, r, 0);
        world_give(world, node, r, &hand_over);
    }
}

/* ---- time ------------------------------------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A paused node's timers and messages wait for it. */
static uint64_t timer_due_us(const struct world *world, size_t node, size_t router)
{
    const struct world_node *it = &world->nodes[node];
    uint64_t due_us = world_time_of(world, node, vrrp_machine_due_us(&it->machines[router]));
    return it->up ? later(due_us, it->paused_until_us) : VRRP_NO_DEADLINE;
}

static uint64_t flight_due_us(const struct world *world, size_t index)
{
    const struct flight *flight = &world->flights[index];
    return later(flight->due_us, world->nodes[flight->to].paused_until_us);
}

struct next {
    uint64_t due_us;
    size_t node, router, flight; /* flight: FLIGHTS_MAXIMUM if it is a timer */
};

static struct next find_next(struct world *world)
{
    struct next next = {VRRP_NO_DEADLINE, 0, 0, FLIGHTS_MAXIMUM};
    for (size_t i = 0; i < world->flight_count; i++) {
        uint64_t due_us = flight_due_us(world, i);
        if (due_us < next.due_us)
            next = (struct next){due_us, 0, 0, i};
    }
    for (size_t node = 0; node < world->node_count; node++) {
        for (size_t router = 0; router < world->router_count; router++) {
            uint64_t due_us = timer_due_us(world, node, router);
            bool equal = due_us == next.due_us && due_us != VRRP_NO_DEADLINE;
            if (due_us < next.due_us || (equal && world_chance(world, 50)))
                next = (struct next){due_us, node, router, FLIGHTS_MAXIMUM};
        }
    }
    return next;
}

bool world_turn(struct world *world, uint64_t until_us)
{
    static const struct vrrp_event timer = {.kind = VRRP_EVENT_TIMER};
    struct next next = find_next(world);
    if (next.due_us == VRRP_NO_DEADLINE || next.due_us > until_us) {
        world->now_us = until_us;
        return false;
    }
    world->now_us = later(world->now_us, next.due_us);
    if (!rules_hold(world))
        return false;
    if (next.flight < FLIGHTS_MAXIMUM) {
        deliver(world, next.flight);
        return rules_hold(world);
    }
    if (world->broken != BROKEN_BOND)
        unite(world, next.node);
    world_give(world, next.node, next.router, &timer);
    return rules_hold(world);
}

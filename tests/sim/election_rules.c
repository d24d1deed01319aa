/* What must hold at every moment of every history. */
#include "tests/sim/election_world.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    /* Clocks that run apart, and turns of one microsecond. */
    SLACK_US = 50,
};

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t with_clock_error(uint64_t us)
{
    return us + us * 2 * CLOCK_ERROR_PPM / 1000000 + SLACK_US;
}

/* The loser yields to the second advert of the winner that arrives: the next one is due within
 * an interval, the second one after another, and each needs the latency. An owner that offers a
 * planned switch is silent for VRRP_HAND_OVER_INTERVALS at most, which come on top
 * (is_offering). */
uint64_t rules_two_active_us(const struct world *world, size_t router)
{
    return with_clock_error(2 * (uint64_t)world->interval_us[router] +
                            world_latency_us(world, router));
}

static bool is_offering(const struct world *world, size_t node, size_t router)
{
    return world->nodes[node].machines[router].hand_over_until_us != 0;
}

static bool is_settled(const struct world *world, size_t node, size_t router)
{
    uint64_t listen_us = VRRP_LISTEN_MINIMUM_US + 4 * (uint64_t)world->interval_us[router];
    return world->now_us > world->nodes[node].disturbed_us[router] + listen_us;
}

/* The longest dead time: what the standard says, or the limit of the gaps, doubled after each
 * false takeover. In a tame network the longest gap is that of an owner that offered a planned
 * switch in vain. */
static uint64_t longest_dead_us(const struct world *world, size_t node, size_t router)
{
    const struct vrrp_machine *machine = &world->nodes[node].machines[router];
    uint64_t interval_us = world->interval_us[router];
    /* A priority that was raised meanwhile counts from the next advert on. */
    unsigned priority = is_settled(world, node, router) ? machine->settings.priority : 1;
    uint64_t skew_us = (256u - priority) * interval_us / 256;
    uint64_t gap_us = (VRRP_HAND_OVER_INTERVALS + 1) * interval_us + LATENCY_US;
    uint64_t gaps_us = DEAD_TIME_GAP_FACTOR * gap_us;
    if (!world->tame || gaps_us > DEAD_TIME_GAP_LIMIT_US)
        gaps_us = DEAD_TIME_GAP_LIMIT_US;
    uint64_t dead_us = later(3 * interval_us + skew_us, gaps_us);
    return (dead_us << world->nodes[node].doublings[router]) + machine->settings.tie_delay_us;
}

/* A node that begins to listen does so for a second at least, or for the standard's time. */
uint64_t rules_none_active_us(const struct world *world, size_t node, size_t router)
{
    const struct vrrp_machine *machine = &world->nodes[node].machines[router];
    uint64_t us = longest_dead_us(world, node, router);
    uint64_t listen_us =
        VRRP_LISTEN_MINIMUM_US + world->interval_us[router] + machine->settings.tie_delay_us;
    if (!is_settled(world, node, router))
        us = later(us, listen_us);
    return with_clock_error(us + world_latency_us(world, router));
}

void rules_restart(struct world *world, size_t a, size_t b, size_t router)
{
    size_t low = a < b ? a : b, high = a < b ? b : a;
    world->rivalries[router][low][high].since_us = world->now_us;
}

static bool check_rivals(struct world *world, size_t router, size_t a, size_t b)
{
    struct rivalry *rivalry = &world->rivalries[router][a][b];
    bool on = world_is_active(world, a, router) && world_is_active(world, b, router);
    bool offering = is_offering(world, a, router) || is_offering(world, b, router);
    if (!on || !rivalry->on || offering || world->cut[a][b] || world->cut[b][a]) {
        rivalry->since_us = world->now_us;
        rivalry->on = on;
    }
    uint64_t lasted_us = world->now_us - rivalry->since_us;
    world->longest_rivalry_us =
        later(world->longest_rivalry_us, lasted_us * 1000 / world->interval_us[router]);
    if (lasted_us <= rules_two_active_us(world, router))
        return true;
    snprintf(world->failure, sizeof(world->failure),
             "at %" PRIu64 " us: nodes %zu and %zu have both been active for router %zu for "
             "%" PRIu64 " us",
             world->now_us, a, b, router, lasted_us);
    return false;
}

/* NODE could have taken over since the later of two moments. */
static bool check_idle(struct world *world, size_t router, size_t node)
{
    const struct world_node *it = &world->nodes[node];
    uint64_t since_us = later(world->ownerless_since_us[router], it->disturbed_us[router]);
    if (!world_runs(world, node) || !it->can_serve || world->now_us <= since_us)
        return true;
    uint64_t lasted_us = world->now_us - since_us;
    world->longest_gap_us =
        later(world->longest_gap_us, lasted_us * 1000 / world->interval_us[router]);
    if (lasted_us <= rules_none_active_us(world, node, router))
        return true;
    snprintf(world->failure, sizeof(world->failure),
             "at %" PRIu64 " us: nobody is active for router %zu although node %zu could have "
             "been for %" PRIu64 " us",
             world->now_us, router, node, lasted_us);
    return false;
}

static bool somebody_is_active(const struct world *world, size_t router)
{
    for (size_t node = 0; node < world->node_count; node++) {
        if (world_is_active(world, node, router))
            return true;
    }
    return false;
}

bool rules_hold(struct world *world)
{
    for (size_t router = 0; router < world->router_count; router++) {
        for (size_t a = 0; a < world->node_count; a++) {
            for (size_t b = a + 1; b < world->node_count; b++) {
                if (!check_rivals(world, router, a, b))
                    return false;
            }
        }
        if (somebody_is_active(world, router)) {
            world->ownerless_since_us[router] = 0;
            continue;
        }
        if (world->ownerless_since_us[router] == 0)
            world->ownerless_since_us[router] = world->now_us;
        for (size_t node = 0; node < world->node_count; node++) {
            if (!check_idle(world, router, node))
                return false;
        }
    }
    return true;
}

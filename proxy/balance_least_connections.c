/* LEAST_CONNECTIONS: the usable member with the least (active + 1) / weight over all workers;
 * among equals the one whose turn it is. In large pools the best of eight is taken: four drawn
 * by weight and four in turn. That is nearly as even, and costs the same for any number of
 * members. */
#include "proxy/balance.h"

enum {
    FULL_SCAN_MEMBERS = 64,
    DRAWN = 4,
    IN_TURN = 4,
    MAXIMUM_LOOKS = 32 /* at members, usable or not, per sample */
};

struct best {
    uint32_t number;
    uint64_t load, weight;
};

/* True if the member is usable. */
static bool consider(const struct balance_view *view, uint32_t number, struct best *best)
{
    const struct snapshot_member *member = &view->members[number];
    if (!view->usable(view->context, member))
        return false;
    uint64_t load = 1 + (uint64_t)atomic_load_explicit(&view->runtimes[member->slot].active,
                                                       memory_order_relaxed);
    uint64_t weight = (uint64_t)member->weight * SLOW_START_STEPS;
    if (view->slow_start_ms > 0)
        weight = member->weight *
                 (uint64_t)slow_start_tenths(&view->runtimes[member->slot].slow_start,
                                             view->slow_start_ms, view->now_ms);
    if (best->number == BALANCE_NONE || load * best->weight < best->load * weight)
        *best = (struct best){number, load, weight};
    return true;
}

/* splitmix64 (Steele, Lea, Flood): consecutive turns give unrelated numbers. */
static uint64_t scramble(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

static uint32_t sample(const struct balance_view *view, uint64_t turn)
{
    struct best best = {BALANCE_NONE, 0, 1};
    uint64_t random = turn;
    unsigned found = 0;
    for (unsigned look = 0; look < MAXIMUM_LOOKS && found < DRAWN; look++) {
        random = scramble(random);
        found += consider(view, view->schedule[random % view->schedule_length], &best);
    }
    for (unsigned i = 0; i < IN_TURN; i++)
        consider(view, view->schedule[(turn * IN_TURN + i) % view->schedule_length], &best);
    return best.number != BALANCE_NONE ? best.number : balance_next_usable(view, turn);
}

uint32_t balance_least_connections(const struct balance_view *view)
{
    struct best best = {BALANCE_NONE, 0, 1};
    uint64_t turn = atomic_fetch_add_explicit(view->cursor, 1, memory_order_relaxed);
    if (view->member_count > FULL_SCAN_MEMBERS && view->schedule_length > 0)
        return sample(view, turn);
    for (uint32_t i = 0; i < view->member_count; i++)
        consider(view, (uint32_t)((turn + i) % view->member_count), &best);
    return best.number;
}

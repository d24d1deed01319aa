/* LEAST_CONNECTIONS: the usable member with the least (active + 1) / weight over all workers;
 * among equals the one whose turn it is. */
#include "proxy/balance.h"

uint32_t balance_least_connections(const struct balance_view *view)
{
    uint32_t best = BALANCE_NONE;
    uint64_t best_load = 0, best_weight = 1;
    uint64_t turn = atomic_fetch_add_explicit(view->cursor, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < view->member_count; i++) {
        uint32_t number = (uint32_t)((turn + i) % view->member_count);
        const struct snapshot_member *member = &view->members[number];
        if (!view->usable(view->context, member))
            continue;
        uint64_t load = 1 + (uint64_t)atomic_load_explicit(&view->runtimes[member->slot].active,
                                                           memory_order_relaxed);
        if (best == BALANCE_NONE || load * best_weight < best_load * member->weight) {
            best = number;
            best_load = load;
            best_weight = member->weight;
        }
    }
    return best;
}

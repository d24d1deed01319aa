/* ROUND_ROBIN: one shared cursor walks the pool's schedule, so requests alternate strictly
 * whatever thread takes them. A slot whose member is unusable is passed by moving the cursor
 * on, so that its turn does not fall to the same neighbour every time. */
#include "proxy/balance.h"

enum {
    MAXIMUM_SKIPS = 32
};

uint32_t balance_round_robin(const struct balance_view *view)
{
    uint64_t turn = 0;
    unsigned skips =
        view->schedule_length < MAXIMUM_SKIPS ? view->schedule_length : MAXIMUM_SKIPS;
    for (unsigned i = 0; i < skips; i++) {
        turn = atomic_fetch_add_explicit(view->cursor, 1, memory_order_relaxed);
        uint32_t number = view->schedule[turn % view->schedule_length];
        if (view->usable(view->context, &view->members[number]))
            return number;
    }
    return balance_next_usable(view, turn);
}

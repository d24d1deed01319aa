#include "proxy/slow_start.h"

void slow_start_see(struct slow_start *start,
                    uint32_t incarnation,
                    enum verdict_state state,
                    uint64_t now_ms)
{
    uint64_t failed = atomic_load_explicit(&start->failed, memory_order_relaxed);
    if (state == VERDICT_ERROR && failed != incarnation) {
        atomic_store_explicit(&start->failed, incarnation, memory_order_relaxed);
    } else if (state == VERDICT_ONLINE && failed != 0) {
        /* Whoever is first sets the time; a slot with another member has nothing to ramp. */
        if (atomic_compare_exchange_strong(&start->failed, &failed, 0))
            atomic_store_explicit(&start->since_ms, failed == incarnation ? now_ms : 0,
                                  memory_order_relaxed);
    }
}

unsigned
slow_start_tenths(const struct slow_start *start, uint64_t duration_ms, uint64_t now_ms)
{
    uint64_t since_ms = atomic_load_explicit(&start->since_ms, memory_order_relaxed);
    if (since_ms == 0 || now_ms >= since_ms + duration_ms)
        return SLOW_START_STEPS;
    uint64_t elapsed_ms = now_ms > since_ms ? now_ms - since_ms : 0;
    return 1 + (unsigned)(elapsed_ms * SLOW_START_STEPS / duration_ms);
}

bool slow_start_takes_turn(struct slow_start *start, uint64_t duration_ms, uint64_t now_ms)
{
    unsigned tenths = slow_start_tenths(start, duration_ms, now_ms);
    if (tenths >= SLOW_START_STEPS)
        return true;
    uint32_t turn = atomic_fetch_add_explicit(&start->turns, 1, memory_order_relaxed);
    turn %= SLOW_START_STEPS;
    return (turn + 1) * tenths / SLOW_START_STEPS > turn * tenths / SLOW_START_STEPS;
}

#include "health/probe_schedule.h"

enum {
    FIRST_SPREAD_MS = 500,
    MINIMUM_DELAY_MS = 100
};

uint64_t probe_schedule_first(uint64_t now_ms, uint32_t slot, uint32_t delay_ms)
{
    uint32_t spread = delay_ms < FIRST_SPREAD_MS ? delay_ms : FIRST_SPREAD_MS;
    uint32_t mixed = slot * 2654435761u; /* neighbouring slots far apart */
    return now_ms + (spread ? (mixed >> 16) % spread : 0);
}

uint64_t probe_schedule_next(uint64_t due_ms, uint64_t now_ms, uint32_t delay_ms)
{
    uint64_t delay = delay_ms < MINIMUM_DELAY_MS ? MINIMUM_DELAY_MS : delay_ms;
    if (now_ms < due_ms)
        return due_ms + delay;
    return due_ms + delay * ((now_ms - due_ms) / delay + 1);
}

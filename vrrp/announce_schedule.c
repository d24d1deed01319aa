#include "vrrp/announce_schedule.h"

#include "lbnode/base/bytes.h"

static const uint64_t offsets_us[] = {0, 50000, 200000, 1200000, 5000000};
static const uint64_t refresh_us = 60000000;

void announce_schedule_start(struct announce_schedule *schedule, uint64_t now_us)
{
    uint64_t earliest_us =
        schedule->last_us ? schedule->last_us + ANNOUNCE_MINIMUM_GAP_US : now_us;
    schedule->running = true;
    schedule->step = 0;
    schedule->started_us = earliest_us > now_us ? earliest_us : now_us;
    schedule->due_us = schedule->started_us;
}

void announce_schedule_stop(struct announce_schedule *schedule)
{
    schedule->running = false;
}

bool announce_schedule_take(struct announce_schedule *schedule, uint64_t now_us)
{
    if (!schedule->running || now_us < schedule->due_us)
        return false;
    schedule->last_us = now_us;
    /* Steps that were missed meanwhile are one announcement, not several. */
    while (schedule->step < ARRAY_LENGTH(offsets_us) &&
           schedule->started_us + offsets_us[schedule->step] <= now_us)
        schedule->step++;
    schedule->due_us = schedule->step < ARRAY_LENGTH(offsets_us)
                           ? schedule->started_us + offsets_us[schedule->step]
                           : now_us + refresh_us;
    return true;
}

uint64_t announce_schedule_due_us(const struct announce_schedule *schedule)
{
    return schedule->running ? schedule->due_us : UINT64_MAX;
}

/* When to probe: pure. Members of one monitor are spread over its delay, so that probes never
 * come in bursts; a new member is probed soon. All times in monotonic milliseconds. */
#ifndef HEALTH_PROBE_SCHEDULE_H
#define HEALTH_PROBE_SCHEDULE_H

#include <stdint.h>

/* Due time of the first probe: within min(delay, 500 ms), by the member's SLOT. */
uint64_t probe_schedule_first(uint64_t now_ms, uint32_t slot, uint32_t delay_ms);
/* Due time of the probe after the one that was due at DUE_MS and ended at NOW_MS: the grid of
 * DELAY_MS is kept, missed beats are left out. */
uint64_t probe_schedule_next(uint64_t due_ms, uint64_t now_ms, uint32_t delay_ms);

#endif

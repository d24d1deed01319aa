/* When which member is probed: a pure timer wheel over all members of a node. Starts are a
 * whole number of delays apart, counted from start to start, so a slow or silent member costs
 * no more probes than a quick one, and what was spread stays spread. All times are monotonic
 * ms.
 *
 * The phase of a member is one of a few that a hash of its id offers: the one with the least
 * company. A new member, or one that somebody asks for, is probed at once, in small portions
 * when there are many. A beat that was missed (the process did not run) is made up for in small
 * portions, too, or falls away when the next beat comes first. */
#ifndef HEALTH_PROBE_SCHEDULE_H
#define HEALTH_PROBE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PROBE_TICK_MS = 5,
    PROBE_LATE_MS = 2 * PROBE_TICK_MS, /* a beat that is older was missed */
    PROBE_FRESH_PER_TICK = 20,         /* members that are probed out of turn */
    PROBE_MINIMUM_DELAY_MS = 100
};

struct probe_schedule;

/* For members with a slot below CAPACITY. NULL: no memory. */
struct probe_schedule *probe_schedule_new(uint32_t capacity, uint64_t now_ms);
void probe_schedule_free(struct probe_schedule *schedule); /* NULL-safe */

/* SLOT is probed at once and then each DELAY_MS (at least PROBE_MINIMUM_DELAY_MS). One that is
 * there already goes on as it does while DELAY_MS is the same. KEY: a hash of the member's id.
 */
void probe_schedule_put(struct probe_schedule *schedule,
                        uint32_t slot,
                        uint64_t key,
                        uint32_t delay_ms,
                        uint64_t now_ms);
/* SLOT, which is there, goes on each DELAY_MS, first at FIRST_MS: the phase is the caller's.
 * False: it did already, and keeps its phase. */
bool probe_schedule_pace(struct probe_schedule *schedule,
                         uint32_t slot,
                         uint32_t delay_ms,
                         uint64_t first_ms);
void probe_schedule_remove(struct probe_schedule *schedule, uint32_t slot);
/* SLOT is probed once more, as soon as possible; its beats stay. */
void probe_schedule_hurry(struct probe_schedule *schedule, uint32_t slot);

/* The next member to probe at NOW_MS; false: none before probe_schedule_next_ms. */
bool probe_schedule_take(struct probe_schedule *schedule, uint64_t now_ms, uint32_t *out_slot);
/* When to take again; UINT64_MAX: nobody is waiting. */
uint64_t probe_schedule_next_ms(const struct probe_schedule *schedule, uint64_t now_ms);

#endif

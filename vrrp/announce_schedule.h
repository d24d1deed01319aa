/* When a new owner tells its neighbours, pure. One announcement at once, then at +50 ms, +200
 * ms, +1.2 s and +5 s (so that it survives a port that spins up, loss, and caches that ignore a
 * change within a second of the last), then every 60 s, which heals every lost update. */
#ifndef VRRP_ANNOUNCE_SCHEDULE_H
#define VRRP_ANNOUNCE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct announce_schedule {
    bool running;
    unsigned step;
    uint64_t started_us, due_us;
    uint64_t last_us; /* of the last announcement, 0 for none */
};

enum {
    /* Restarts closer than this share one first announcement: a stranger that keeps claiming
     * the address does not make us flood. */
    ANNOUNCE_MINIMUM_GAP_US = 20000,
};

void announce_schedule_start(struct announce_schedule *schedule, uint64_t now_us);
void announce_schedule_stop(struct announce_schedule *schedule);
/* True when an announcement is due now; moves on to the next one. */
bool announce_schedule_take(struct announce_schedule *schedule, uint64_t now_us);
/* UINT64_MAX when stopped. */
uint64_t announce_schedule_due_us(const struct announce_schedule *schedule);

#endif

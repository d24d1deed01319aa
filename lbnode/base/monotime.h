/* Clocks. Monotonic time for everything, with the time that the machine was suspended: who
 * wakes must see that it slept. Wall time only for display and the hybrid clock.
 * Pure cores never call these: they are handed the time. */
#ifndef LBNODE_BASE_MONOTIME_H
#define LBNODE_BASE_MONOTIME_H

#include <stdint.h>

uint64_t monotime_now_us(void);
uint64_t monotime_now_ms(void);
uint64_t walltime_now_ms(void);

enum {
    WALLTIME_TEXT_SIZE = 32
};
/* "2026-01-31T12:34:56" in UTC without zone, as Octavia writes it; "" for 0. */
void walltime_format(uint64_t wall_ms, char out[WALLTIME_TEXT_SIZE]);

#endif

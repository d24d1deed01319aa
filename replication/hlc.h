/* The hybrid logical clock (replication.md 2): 48 bits of wall milliseconds, 16 bits of
 * counter. Later events have greater stamps even when a wall clock jumps back. */
#ifndef REPLICATION_HLC_H
#define REPLICATION_HLC_H

#include <stdbool.h>
#include <stdint.h>

/* A stamp for a local event. */
uint64_t hlc_tick(uint64_t *hlc, uint64_t wall_ms);
/* Takes a remote stamp over, unless it is more than 24 h ahead of the wall clock: a broken
 * clock elsewhere must not drag everybody along. False in that case. */
bool hlc_observe(uint64_t *hlc, uint64_t remote, uint64_t wall_ms);

#endif

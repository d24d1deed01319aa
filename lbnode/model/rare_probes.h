/* How often a node probes that is neither active nor first successor (replication.md 11.1):
 * health keeps to it, and control waits accordingly. */
#ifndef LBNODE_MODEL_RARE_PROBES_H
#define LBNODE_MODEL_RARE_PROBES_H

#include <stdint.h>

enum {
    RARE_DELAYS = 6,
    RARE_MINIMUM_MS = 30000
};

/* From probe to probe, with a monitor whose delay is DELAY_MS. */
static inline uint64_t rare_delay_ms(uint64_t delay_ms)
{
    uint64_t rare_ms = RARE_DELAYS * delay_ms;
    return rare_ms > RARE_MINIMUM_MS ? rare_ms : RARE_MINIMUM_MS;
}

#endif

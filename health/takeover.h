/* The round of probes that a node makes of a pool when it becomes active (replication.md 11.4):
 * it starts with what it knows and asks all members once, spread over a short time; the first
 * result of each decides alone. If that would take more than half of the usable members down,
 * something is wrong with this node rather than with them: what was known stays, and failures
 * count as always. Pure. */
#ifndef HEALTH_TAKEOVER_H
#define HEALTH_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TAKEOVER_MINIMUM_MS = 500
};

struct takeover {
    uint64_t until_ms; /* monotonic: later results decide nothing alone; 0: no round */
    uint32_t online;   /* members that were usable when it began */
    uint32_t fallen;   /* of these, taken down by this round */
    bool panics;
};

enum takeover_answer {
    TAKEOVER_COUNTS,  /* the result counts as any other */
    TAKEOVER_DECIDES, /* alone */
    TAKEOVER_PANICS,  /* it counts as any other, and those that fell before get up again */
};

/* Over how long the probes of a pool are spread. */
uint32_t takeover_spread_ms(uint32_t delay_ms);
/* ONLINE members are usable as far as is known; results count until the spread and one more
 * delay are over. */
void takeover_begin(struct takeover *round,
                    uint32_t online,
                    uint32_t delay_ms,
                    uint64_t now_ms);
/* The first result of a member in the round. IS_FALL: it would take a usable member down. */
enum takeover_answer takeover_judge(struct takeover *round, bool is_fall, uint64_t now_ms);

#endif

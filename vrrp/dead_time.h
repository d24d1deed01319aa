/* How long a backup waits for a silent active node, pure: at least what RFC 9568 says, longer
 * where adverts have come late, longer still for a while after a takeover that turned out to be
 * wrong because the old active node was alive. Times in microseconds of one monotonic clock. */
#ifndef VRRP_DEAD_TIME_H
#define VRRP_DEAD_TIME_H

#include "lbnode/base/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DEAD_TIME_GAP_FACTOR = 4,
    DEAD_TIME_GAP_LIMIT_US = 500000, /* of what gaps may add up to, unless the RFC wants more */
    DEAD_TIME_MINUTES = 5,           /* for which gaps are remembered */
    DEAD_TIME_DOUBLINGS = 2,
    DEAD_TIME_DOUBLED_US = 600000000,
    /* An old active node that speaks so soon after its takeover has not been restarted: a node
     * that starts listens for a second at least. */
    DEAD_TIME_FALSE_US = 1000000,
};

enum dead_time_cause {
    DEAD_TIME_STANDARD,
    DEAD_TIME_GAP,
    DEAD_TIME_FALSE_TAKEOVER,
};

/* All zero: nothing is known yet. */
struct dead_time {
    uint64_t last_arrival_us;                 /* 0: the next arrival ends no gap */
    uint64_t minute_us;                       /* when the current minute began */
    uint32_t worst_gap_us[DEAD_TIME_MINUTES]; /* [0]: the current minute */
    unsigned doublings;
    uint64_t doubled_until_us;
    struct ip_address timed_out; /* the node that we took over from; family 0: none */
    uint64_t timed_out_us;
};

/* The node that we follow spoke. STANDARD_US as for dead_time_us. */
void dead_time_arrival(struct dead_time *dead_time, uint32_t standard_us, uint64_t now_us);
/* Whatever comes next is no measure of a gap: another node, a state in which we do not follow.
 */
void dead_time_interrupt(struct dead_time *dead_time);
/* We take over from SOURCE because it has been silent. */
void dead_time_expired(struct dead_time *dead_time,
                       const struct ip_address *source,
                       uint64_t now_us);
/* SOURCE speaks, whatever it says. True when that shows that the last takeover was wrong; from
 * now on the time is doubled. */
bool dead_time_heard(struct dead_time *dead_time,
                     const struct ip_address *source,
                     uint64_t now_us);

/* STANDARD_US: Active_Down_Interval of RFC 9568. */
uint32_t dead_time_us(const struct dead_time *dead_time, uint32_t standard_us);
enum dead_time_cause dead_time_cause(const struct dead_time *dead_time, uint32_t standard_us);
uint32_t dead_time_worst_gap_us(const struct dead_time *dead_time);
/* One phrase for people: why it is what it is. */
void dead_time_explain(const struct dead_time *dead_time,
                       uint32_t standard_us,
                       char *out,
                       size_t size);

#endif

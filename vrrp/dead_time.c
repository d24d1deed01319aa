#include "vrrp/dead_time.h"

#include <stdio.h>
#include <string.h>

enum {
    MINUTE_US = 60000000,
};

/* Forgets what is too old. */
static void pass_time(struct dead_time *dead_time, uint64_t now_us)
{
    for (int i = 0; i < DEAD_TIME_MINUTES && now_us - dead_time->minute_us >= MINUTE_US; i++) {
        memmove(&dead_time->worst_gap_us[1], &dead_time->worst_gap_us[0],
                (DEAD_TIME_MINUTES - 1) * sizeof(dead_time->worst_gap_us[0]));
        dead_time->worst_gap_us[0] = 0;
        dead_time->minute_us += MINUTE_US;
    }
    if (now_us - dead_time->minute_us >= MINUTE_US)
        dead_time->minute_us = now_us;
    if (now_us >= dead_time->doubled_until_us)
        dead_time->doublings = 0;
}

/* A gap longer than the dead time, after which we did not take over, means that we did not run
 * ourselves: it says nothing about the other node. */
void dead_time_arrival(struct dead_time *dead_time, uint32_t standard_us, uint64_t now_us)
{
    if (now_us < dead_time->last_arrival_us || now_us < dead_time->minute_us)
        return; /* it waited longer than what was known already */
    pass_time(dead_time, now_us);
    uint64_t gap_us = dead_time->last_arrival_us ? now_us - dead_time->last_arrival_us : 0;
    if (gap_us <= dead_time_us(dead_time, standard_us) && gap_us > dead_time->worst_gap_us[0])
        dead_time->worst_gap_us[0] = (uint32_t)gap_us;
    dead_time->last_arrival_us = now_us;
}

void dead_time_interrupt(struct dead_time *dead_time)
{
    dead_time->last_arrival_us = 0;
}

void dead_time_expired(struct dead_time *dead_time,
                       const struct ip_address *source,
                       uint64_t now_us)
{
    dead_time->timed_out = *source;
    dead_time->timed_out_us = now_us;
    dead_time_interrupt(dead_time);
}

bool dead_time_heard(struct dead_time *dead_time,
                     const struct ip_address *source,
                     uint64_t now_us)
{
    if (dead_time->timed_out.family == 0 || !ip_address_equal(&dead_time->timed_out, source))
        return false;
    dead_time->timed_out = (struct ip_address){0};
    if (now_us - dead_time->timed_out_us > DEAD_TIME_FALSE_US)
        return false;
    pass_time(dead_time, now_us);
    if (dead_time->doublings < DEAD_TIME_DOUBLINGS)
        dead_time->doublings++;
    dead_time->doubled_until_us = now_us + DEAD_TIME_DOUBLED_US;
    return true;
}

uint32_t dead_time_worst_gap_us(const struct dead_time *dead_time)
{
    uint32_t worst_us = 0;
    for (int i = 0; i < DEAD_TIME_MINUTES; i++) {
        if (dead_time->worst_gap_us[i] > worst_us)
            worst_us = dead_time->worst_gap_us[i];
    }
    return worst_us;
}

static uint32_t from_gaps_us(const struct dead_time *dead_time)
{
    uint64_t wanted_us = (uint64_t)dead_time_worst_gap_us(dead_time) * DEAD_TIME_GAP_FACTOR;
    return wanted_us < DEAD_TIME_GAP_LIMIT_US ? (uint32_t)wanted_us : DEAD_TIME_GAP_LIMIT_US;
}

uint32_t dead_time_us(const struct dead_time *dead_time, uint32_t standard_us)
{
    uint32_t gaps_us = from_gaps_us(dead_time);
    return (gaps_us > standard_us ? gaps_us : standard_us) << dead_time->doublings;
}

enum dead_time_cause dead_time_cause(const struct dead_time *dead_time, uint32_t standard_us)
{
    if (dead_time->doublings)
        return DEAD_TIME_FALSE_TAKEOVER;
    return from_gaps_us(dead_time) > standard_us ? DEAD_TIME_GAP : DEAD_TIME_STANDARD;
}

void dead_time_explain(const struct dead_time *dead_time,
                       uint32_t standard_us,
                       char *out,
                       size_t size)
{
    double worst_ms = dead_time_worst_gap_us(dead_time) / 1000.0;
    switch (dead_time_cause(dead_time, standard_us)) {
    case DEAD_TIME_STANDARD: snprintf(out, size, "three adverts and the skew"); break;
    case DEAD_TIME_GAP:
        snprintf(out, size, "%d times the longest gap of late, %.0f ms", DEAD_TIME_GAP_FACTOR,
                 worst_ms);
        break;
    case DEAD_TIME_FALSE_TAKEOVER:
        snprintf(out, size, "%u-fold for 10 minutes after a false takeover",
                 1u << dead_time->doublings);
        break;
    }
}

/* When changes are committed (replication.md 6.3). Who writes one change after the other waits
 * for nobody. Many writers at once share commits, and with them signatures of packets,
 * acknowledgements and configuration swaps: a commit waits until as many changes have come as
 * lately were under way at the same time, which is when everybody who writes waits for it, or
 * until the first of them is 5 ms old. So do records of others, which come collected: 2 ms. */
#include "replication/core_internal.h"

/* How long the number of writers is remembered without a new change. */
static const uint64_t memory_us = 50000;

void pace_arrival(struct pace *pace, uint64_t now_us, size_t under_way)
{
    if (now_us > pace->arrived_us + memory_us)
        pace->company = 0;
    if (pace->count++ == 0)
        pace->since_us = now_us;
    if (under_way > pace->company)
        pace->company = under_way;
    pace->arrived_us = now_us;
}

bool pace_is_due(const struct pace *pace, uint64_t now_us)
{
    return pace->count > 0 && (pace->count >= COLLECT_CHANGES || pace->count >= pace->company ||
                               now_us >= pace->since_us + pace->limit_us);
}

void pace_commit(struct pace *pace, uint64_t now_us)
{
    if (pace->count > 0 && now_us >= pace->since_us + pace->limit_us)
        pace->company = pace->count; /* more do not come in that time */
    pace->count = 0;
}

uint64_t pace_next_us(const struct pace *pace, uint64_t next_us)
{
    uint64_t deadline_us = pace->since_us + pace->limit_us;
    return pace->count > 0 && deadline_us < next_us ? deadline_us : next_us;
}

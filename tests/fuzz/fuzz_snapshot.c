/* A snapshot image that passes the check can be walked without looking again. */
#include "lbnode/model/snapshot.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct snapshot *s)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < s->endpoints.count; i++)
        sum += snapshot_listeners(s)[snapshot_endpoints(s)[i].listener].slot;
    for (uint32_t i = 0; i < s->listeners.count; i++) {
        const struct snapshot_listener *listener = &snapshot_listeners(s)[i];
        sum += strlen(snapshot_text(s, listener->name));
        for (uint32_t c = 0; c < listener->cidr_count; c++)
            sum += snapshot_cidrs(s)[listener->first_cidr + c].length;
        if (listener->pool != SNAPSHOT_NONE)
            sum += snapshot_pools(s)[listener->pool].slot;
    }
    for (uint32_t i = 0; i < s->pools.count; i++) {
        const struct snapshot_pool *pool = &snapshot_pools(s)[i];
        const struct snapshot_member *members = snapshot_members(s) + pool->first_member;
        for (uint32_t t = 0; t < pool->schedule_length; t++)
            sum += members[snapshot_schedule(s)[pool->schedule_offset + t]].weight;
        for (uint32_t t = 0; t < pool->backup_schedule_length; t++)
            sum += members[snapshot_schedule(s)[pool->backup_schedule_offset + t]].weight;
        for (uint32_t m = 0; m < pool->member_count; m++)
            sum += strlen(snapshot_text(s, members[m].name));
        if (pool->monitor != SNAPSHOT_NONE)
            sum += strlen(snapshot_text(s, snapshot_monitors(s)[pool->monitor].url_path));
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile size_t sum = 0;
    if (snapshot_is_valid(data, size))
        sum = walk((const struct snapshot *)(const void *)data);
    (void)sum;
    return 0;
}

#include "replication/event_limit.h"

bool event_limit_take(struct event_limit *limit, uint64_t now_us)
{
    if (limit->happened == 0)
        limit->window_start_us = now_us;
    if (limit->happened < UINT32_MAX)
        limit->happened++;
    return limit->happened <= EVENT_LIMIT_COUNT;
}

unsigned event_limit_close(struct event_limit *limit, uint64_t now_us)
{
    unsigned happened = limit->happened;
    if (happened == 0 || now_us - limit->window_start_us < EVENT_LIMIT_WINDOW_S * 1000000ull)
        return 0;
    limit->happened = 0;
    return happened > EVENT_LIMIT_COUNT ? happened - EVENT_LIMIT_COUNT : 0;
}

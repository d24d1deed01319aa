/* Keeps an event that strangers can cause at will from washing the others out of the ring: a
 * few in each window are told, the rest is counted and told once. Pure. */
#ifndef REPLICATION_EVENT_LIMIT_H
#define REPLICATION_EVENT_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    EVENT_LIMIT_COUNT = 10,
    EVENT_LIMIT_WINDOW_S = 60
};

struct event_limit { /* zero: nothing happened yet */
    uint64_t window_start_us;
    unsigned happened; /* in this window */
};

/* It happened once more; true when it is to be told. */
bool event_limit_take(struct event_limit *limit, uint64_t now_us);
/* When the window is over: begins anew and returns how many were not told; else 0. Ask before
 * each event_limit_take, and from time to time, so that the count is told after the last. */
unsigned event_limit_close(struct event_limit *limit, uint64_t now_us);

#endif

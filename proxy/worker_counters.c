/* The worker's own part of the counter board. */
#include "proxy/worker.h"

#include <string.h>

struct listener_counters *
worker_listener_counters(struct worker *worker, uint32_t slot, uint32_t incarnation)
{
    struct listener_counters *cells = &worker->counters->listeners[slot];
    return atomic_load_explicit(&cells->incarnation, memory_order_relaxed) == incarnation
               ? cells
               : &worker->no_listener;
}

struct pool_counters *
worker_pool_counters(struct worker *worker, uint32_t slot, uint32_t incarnation)
{
    struct pool_counters *cells = &worker->counters->pools[slot];
    return atomic_load_explicit(&cells->incarnation, memory_order_relaxed) == incarnation
               ? cells
               : &worker->no_pool;
}

struct member_counters *
worker_member_counters(struct worker *worker, uint32_t slot, uint32_t incarnation)
{
    struct member_counters *cells = &worker->counters->members[slot];
    return atomic_load_explicit(&cells->incarnation, memory_order_relaxed) == incarnation
               ? cells
               : &worker->no_member;
}

/* Latencies are cleared only where something else was counted: pages of slots without traffic
 * are never touched. */
static void prepare_listener(struct worker_counters *board,
                             const struct snapshot_listener *listener,
                             bool first)
{
    struct listener_counters *cells = &board->listeners[listener->slot];
    if (cells->incarnation != listener->incarnation) {
        if (cells->incarnation != 0)
            memset(&board->listener_latencies[listener->slot], 0,
                   sizeof(board->listener_latencies[0]));
        memset(cells, 0, sizeof(*cells));
        cells->incarnation = listener->incarnation;
    }
    if (first)
        cells->active_connections = 0;
}

static void
prepare_pool(struct worker_counters *board, const struct snapshot_pool *pool, bool first)
{
    struct pool_counters *cells = &board->pools[pool->slot];
    if (cells->incarnation != pool->incarnation) {
        if (cells->incarnation != 0)
            memset(&board->pool_latencies[pool->slot], 0, sizeof(board->pool_latencies[0]));
        memset(cells, 0, sizeof(*cells));
        cells->incarnation = pool->incarnation;
    }
    if (first)
        cells->queued = 0;
}

static void
prepare_member(struct worker_counters *board, const struct snapshot_member *member, bool first)
{
    struct member_counters *cells = &board->members[member->slot];
    if (cells->incarnation != member->incarnation) {
        if (cells->incarnation != 0)
            memset(&board->member_latencies[member->slot], 0,
                   sizeof(board->member_latencies[0]));
        memset(cells, 0, sizeof(*cells));
        cells->incarnation = member->incarnation;
    }
    if (first)
        cells->active = 0;
}

void worker_prepare_counters(struct worker *worker, const struct snapshot *snapshot, bool first)
{
    if (first)
        worker->counters->proxy.clients = worker->counters->proxy.kept_connections = 0;
    for (uint32_t i = 0; i < snapshot->listeners.count; i++)
        prepare_listener(worker->counters, &snapshot_listeners(snapshot)[i], first);
    for (uint32_t i = 0; i < snapshot->pools.count; i++)
        prepare_pool(worker->counters, &snapshot_pools(snapshot)[i], first);
    for (uint32_t i = 0; i < snapshot->members.count; i++)
        prepare_member(worker->counters, &snapshot_members(snapshot)[i], first);
}

/* Shared memory written by the proxy's workers, read by control: counters per worker, listener
 * and member. Single writer per cell, relaxed atomics; readers add the workers up. */
#ifndef LBNODE_MODEL_COUNTER_BOARD_H
#define LBNODE_MODEL_COUNTER_BOARD_H

#include "lbnode/model/verdict_board.h"

enum {
    LISTENER_SLOTS = 2048,
    WORKERS_MAXIMUM = 64
};

/* name, "counter" or "gauge", help; the metric is lbnode_listener_<name> */
#define LISTENER_COUNTERS(ROW)                                                                 \
    ROW(active_connections, "gauge", "Client connections open now")                            \
    ROW(total_connections, "counter", "Client connections accepted")                           \
    ROW(requests, "counter", "HTTP requests received")                                         \
    ROW(request_errors, "counter", "Bad requests from clients")                                \
    ROW(bytes_in, "counter", "Bytes received from clients")                                    \
    ROW(bytes_out, "counter", "Bytes sent to clients")                                         \
    ROW(no_member, "counter", "Requests or connections refused because no member was usable")  \
    ROW(timeouts, "counter", "Requests or connections ended by a timeout")

/* the metric is lbnode_member_<name> */
#define MEMBER_COUNTERS(ROW)                                                                   \
    ROW(active, "gauge", "Requests (HTTP) or connections (TCP) in progress")                   \
    ROW(total, "counter", "Requests (HTTP) or connections (TCP) given to the member")          \
    ROW(connects, "counter", "Connections opened to the member")                               \
    ROW(connect_failures, "counter", "Connections that could not be opened")                   \
    ROW(failures, "counter", "Requests that failed after the connection was open")             \
    ROW(bytes_in, "counter", "Bytes received from the member")                                 \
    ROW(bytes_out, "counter", "Bytes sent to the member")                                      \
    ROW(reused, "counter", "Requests sent over a kept connection")                             \
    ROW(retries, "counter", "Attempts repeated after this member failed")

struct listener_counters {
    _Atomic uint32_t incarnation; /* cells of another incarnation are stale */
    uint32_t reserved;
#define COUNTER_CELL(name, kind, help) _Atomic uint64_t name;
    LISTENER_COUNTERS(COUNTER_CELL)
};

struct member_counters {
    _Atomic uint32_t incarnation;
    uint32_t reserved;
    MEMBER_COUNTERS(COUNTER_CELL)
#undef COUNTER_CELL
};

struct worker_counters {
    struct listener_counters listeners[LISTENER_SLOTS];
    struct member_counters members[MEMBER_SLOTS];
};

struct counter_board {
    uint64_t magic;
    struct worker_counters workers[WORKERS_MAXIMUM]; /* untouched pages cost nothing */
};

/* Single writer: plain load and store, no locked instruction. */
static inline void counter_add(_Atomic uint64_t *cell, uint64_t amount)
{
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

struct counter_board *counter_board_create(void);

#endif

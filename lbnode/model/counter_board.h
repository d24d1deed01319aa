/* Shared memory written by the proxy's workers, read by control: counters and histograms of
 * latencies per worker, listener, pool and member. Single writer per cell, relaxed atomics;
 * readers add the workers up. Of fixed size (about 12 MiB for each of 64 workers); pages that
 * nobody writes to are never there, and those of latencies are written to by traffic alone. */
#ifndef LBNODE_MODEL_COUNTER_BOARD_H
#define LBNODE_MODEL_COUNTER_BOARD_H

#include "lbnode/model/suspicion.h"
#include "lbnode/model/verdict_board.h"

enum {
    LISTENER_SLOTS = 2048,
    POOL_SLOTS = 4096,
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
    ROW(timeouts, "counter", "Requests or connections ended by a timeout")                     \
    ROW(refused, "counter", "Connections refused by allowed_cidrs or source_connection_limit") \
    ROW(accept_pauses, "counter",                                                              \
        "Times that accepting stopped at connection_limit or for want of descriptors, "        \
        "places or memory")

/* Of a worker as a whole; the metric is lbnode_proxy_<name> */
#define PROXY_COUNTERS(ROW)                                                                    \
    ROW(clients, "gauge", "Client connections open now")                                       \
    ROW(kept_connections, "gauge", "Connections to members that wait for a request")           \
    ROW(buffer_bytes, "gauge", "Bytes that buffers take, of at most buffer_memory")            \
    ROW(reads_held, "counter", "Reads that had to wait for buffer memory")                     \
    ROW(kept_evicted, "counter", "Kept connections closed to free a descriptor")               \
    ROW(accept_pauses, "counter",                                                              \
        "Times that accepting stopped for want of descriptors, places or memory")              \
    ROW(turned_away, "counter", "Clients reset because no descriptor was left")

/* the metric is lbnode_pool_<name> */
#define POOL_COUNTERS(ROW)                                                                     \
    ROW(total, "counter", "Requests (HTTP) or connections (TCP) for the pool")                 \
    ROW(queued, "gauge", "Requests or connections that wait for a member with a free place")   \
    ROW(queue_full, "counter", "Refused because the queue was full")                           \
    ROW(queue_timeouts, "counter", "Refused because no place became free in time")             \
    ROW(retries, "counter", "Attempts repeated after a member failed")                         \
    ROW(fails_open, "gauge", "1: fewer members than fail_open_percent are usable: all serve")

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
    ROW(retries, "counter", "Attempts repeated after this member failed")                      \
    ROW(suspicions, "counter", "Times that traffic cast doubt on the member")

/* How a request (HTTP) or connection (TCP) ended. The metric is
 * lbnode_listener_terminations{reason="<name>"}. */
#define TERMINATIONS(ROW)                                                                      \
    ROW(COMPLETE, "complete", "the whole response went to the client")                         \
    ROW(CLIENT_CLOSED, "client_closed", "the client went away")                                \
    ROW(CLIENT_TIMEOUT, "client_timeout", "the client was silent or slow for too long")        \
    ROW(BAD_REQUEST, "bad_request", "the client sent what must not be forwarded")              \
    ROW(NO_MEMBER, "no_member", "no member was usable")                                        \
    ROW(QUEUE_FULL, "queue_full", "all members at their limit, and the queue at its own")      \
    ROW(QUEUE_TIMEOUT, "queue_timeout", "no member had a free place in time")                  \
    ROW(CONNECT_FAILED, "connect_failed", "no connection to a member came about")              \
    ROW(MEMBER_TIMEOUT, "member_timeout", "the member did not answer in time")                 \
    ROW(MEMBER_FAILED, "member_failed", "the member closed early or sent nonsense")            \
    ROW(MEMBER_DOWN, "member_down", "the member went down, and its pool's on_down ended this") \
    ROW(NO_RESOURCES, "no_resources", "memory or descriptors were used up")                    \
    ROW(STOPPED, "stopped", "the proxy ended, or the listener was deleted")

enum termination {
#define TERMINATION_NAME(name, text, help) TERMINATION_##name,
    TERMINATIONS(TERMINATION_NAME)
#undef TERMINATION_NAME
    TERMINATION_COUNT
};

const char *termination_text(enum termination termination); /* "complete", ... */
const char *termination_help(enum termination termination); /* a sentence without its end */

/* Upper bounds in microseconds, and as they are written in metrics; the last bucket has none.
 */
#define LATENCY_BOUNDS(ROW)                                                                    \
    ROW(100, "0.0001")                                                                         \
    ROW(250, "0.00025")                                                                        \
    ROW(500, "0.0005")                                                                         \
    ROW(1000, "0.001")                                                                         \
    ROW(2500, "0.0025")                                                                        \
    ROW(5000, "0.005")                                                                         \
    ROW(10000, "0.01")                                                                         \
    ROW(25000, "0.025")                                                                        \
    ROW(50000, "0.05")                                                                         \
    ROW(100000, "0.1")                                                                         \
    ROW(250000, "0.25")                                                                        \
    ROW(500000, "0.5")                                                                         \
    ROW(1000000, "1")                                                                          \
    ROW(5000000, "5")                                                                          \
    ROW(30000000, "30")

enum {
    LATENCY_BUCKETS = 16
};

struct latency_histogram {
    _Atomic uint64_t sum_us;
    _Atomic uint64_t buckets[LATENCY_BUCKETS]; /* each counts its own, not those below */
};

/* name, help; the metric is lbnode_listener_<name>_seconds */
#define LISTENER_LATENCIES(ROW)                                                                \
    ROW(client_wait, "From the first byte of a request to the end of its head")                \
    ROW(total, "From the first byte of a request, or the connection (TCP), to the end")

/* the metric is lbnode_pool_<name>_seconds */
#define POOL_LATENCIES(ROW)                                                                    \
    ROW(queue, "From the end of the head to a place at a member")                              \
    ROW(connect, "Until a fresh connection to a member was open")                              \
    ROW(first_byte, "From an open connection to the member's first byte")                      \
    ROW(total, "From the first byte of a request, or the connection (TCP), to the end")

/* the metric is lbnode_member_<name>_seconds */
#define MEMBER_LATENCIES(ROW)                                                                  \
    ROW(connect, "Until a fresh connection to the member was open")                            \
    ROW(first_byte, "From an open connection to the member's first byte")                      \
    ROW(total, "From the first byte of a request, or the connection (TCP), to the end")

struct listener_counters {
    _Atomic uint32_t incarnation; /* cells of another incarnation are stale */
    uint32_t reserved;
#define COUNTER_CELL(name, kind, help) _Atomic uint64_t name;
    LISTENER_COUNTERS(COUNTER_CELL)
    _Atomic uint64_t terminations[TERMINATION_COUNT];
};

struct proxy_counters {
    PROXY_COUNTERS(COUNTER_CELL)
    _Atomic uint64_t suspicions[SUSPICION_KIND_COUNT];
};

struct pool_counters {
    _Atomic uint32_t incarnation;
    uint32_t reserved;
    POOL_COUNTERS(COUNTER_CELL)
};

struct member_counters {
    _Atomic uint32_t incarnation;
    uint32_t reserved;
    MEMBER_COUNTERS(COUNTER_CELL)
#undef COUNTER_CELL
};

#define LATENCY_CELLS(name, help) struct latency_histogram name;
struct listener_latencies {
    LISTENER_LATENCIES(LATENCY_CELLS)
};

struct pool_latencies {
    POOL_LATENCIES(LATENCY_CELLS)
};

struct member_latencies {
    MEMBER_LATENCIES(LATENCY_CELLS)
};
#undef LATENCY_CELLS

/* The latencies of a slot are about the incarnation that its counters name. */
struct worker_counters {
    struct proxy_counters proxy;
    struct listener_counters listeners[LISTENER_SLOTS];
    struct pool_counters pools[POOL_SLOTS];
    struct member_counters members[MEMBER_SLOTS];
    struct listener_latencies listener_latencies[LISTENER_SLOTS];
    struct pool_latencies pool_latencies[POOL_SLOTS];
    struct member_latencies member_latencies[MEMBER_SLOTS];
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

/* The bucket of a duration; a few steps without a branch. */
unsigned latency_bucket(uint32_t duration_us);
/* The upper bound of BUCKET as metrics have it, in seconds; "+Inf" for the last. */
const char *latency_bound_text(unsigned bucket);
uint32_t latency_bound_us(unsigned bucket); /* UINT32_MAX for the last */

static inline void
latency_add(struct latency_histogram *histogram, unsigned bucket, uint32_t duration_us)
{
    counter_add(&histogram->buckets[bucket], 1);
    counter_add(&histogram->sum_us, duration_us);
}

struct counter_board *counter_board_create(void);

#endif

/* The balancing algorithms: each picks one member of a pool. Pure but for the shared atomics.
 * Whether a member may be picked at all is the caller's business (`usable`). */
#ifndef PROXY_BALANCE_H
#define PROXY_BALANCE_H

#include "lbnode/model/snapshot.h"
#include "proxy/slow_start.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BALANCE_NONE UINT32_MAX

/* State of a member shared by all workers, in a cache line of its own. */
struct member_runtime {
    /* Requests (HTTP) or connections (TCP) now; counted only where an algorithm or a limit asks
     * for it. */
    _Alignas(64) _Atomic uint32_t active;
    struct slow_start slow_start;
    _Atomic uint64_t suspected_ms; /* suspicion_is_due */
};

struct balance_view {
    const struct snapshot_member *members; /* of the pool */
    uint32_t member_count;
    const struct uuid *key;   /* the pool's id */
    const uint16_t *schedule; /* numbers of members; may be empty */
    uint32_t schedule_length;
    _Atomic uint64_t *cursor;              /* of the pool, shared by all workers */
    const struct member_runtime *runtimes; /* by member slot */
    uint64_t slow_start_ms;                /* 0: none; for LEAST_CONNECTIONS */
    uint64_t now_ms;                       /* for that */
    struct ip_endpoint client;
    bool (*usable)(const void *context, const struct snapshot_member *member);
    const void *context;
};

/* A function type, so that the table and the declarations name it once. The result is the
 * number of a usable member within the pool, or BALANCE_NONE. */
typedef uint32_t balance_pick(const struct balance_view *view);

balance_pick balance_round_robin;
balance_pick balance_least_connections;
balance_pick balance_source_ip;
balance_pick balance_source_ip_port;

/* ALGORITHM is an enum snapshot_algorithm; anything else is taken as ROUND_ROBIN. */
balance_pick *balance_for(uint8_t algorithm);

/* The first usable member from number TURN modulo the members on: what remains when the usable
 * ones are so few that an algorithm did not meet any. */
uint32_t balance_next_usable(const struct balance_view *view, uint64_t turn);

#endif

/* Which member gets the next request: who is usable at all, then the pool's algorithm. */
#ifndef PROXY_MEMBER_PICK_H
#define PROXY_MEMBER_PICK_H

#include "proxy/balance.h"
#include "proxy/member_standing.h"
#include "proxy/wait_queue.h"

enum {
    PICK_MAXIMUM_TRIED = 3
};

enum {
    PICK_STEPS = 2 /* primaries, then backups */
};

/* What lets a member be picked that its verdict would not. */
enum pick_leniency {
    PICK_UNKNOWN =
        1,        /* the pool has a monitor only now: who has no verdict yet goes on to serve */
    PICK_ANY = 2, /* fail_open_percent: so few are usable that verdicts do not count */
};

/* What is known about a pool from request to request; it lives as long as the pool, across
 * snapshots. */
struct pool_runtime {
    _Alignas(64) _Atomic uint64_t cursor;
    _Atomic uint64_t backup_cursor;
    /* Per step: a member that was usable, and the state of configuration and verdicts in which
     * none was. So a pool with thousands of dead members is not searched for every request. */
    _Atomic uint32_t usable_hint[PICK_STEPS];
    _Atomic uint64_t none_usable_stamp[PICK_STEPS];
    _Atomic uint32_t leniency; /* set of pick_leniency (pool_watch.c) */
    struct wait_queue *queue;  /* where members have, or had, limits; else NULL */
    _Atomic uint32_t references;
};

struct member_pick {
    const struct snapshot *snapshot;
    uint32_t pool; /* index */
    const struct verdict_board *verdicts;
    struct pool_runtime *runtime;
    struct member_runtime *members; /* by slot */
    struct ip_endpoint client;
    uint32_t tried[PICK_MAXIMUM_TRIED]; /* slots that failed for this request */
    uint32_t tried_count;
    const struct member_standing *standings; /* by slot; NULL: no member is avoided */
    uint64_t now_ms;                         /* for the standings and slow start */
};

/* There are usable members, and all have as much as they may have at a time. */
#define PICK_FULL (UINT32_MAX - 1)

/* Index of a member in the snapshot, or BALANCE_NONE, or PICK_FULL. Members must be enabled, of
 * weight > 0 and ONLINE; those without a verdict yet are what the pool's initial_state says.
 * Backups take part only when no primary is usable, not when these are only full. Members that
 * the worker avoids, and those that start slowly, are taken when there is no other of their
 * kind. */
uint32_t member_pick(const struct member_pick *pick);
/* Whether verdicts count in POOL. */
bool member_pick_is_monitored(const struct snapshot *snapshot,
                              const struct snapshot_pool *pool);
/* Whether STATE lets a member of POOL, which has a monitor, be picked; LENIENCY: that of its
 * runtime. */
bool member_pick_accepts(const struct snapshot_pool *pool,
                         uint32_t leniency,
                         enum verdict_state state);
/* Whether the primary with this number and slot may be picked at once: a place at it has just
 * become free. False also when that takes a closer look. */
bool member_pick_is_free(const struct member_pick *pick, uint32_t number, uint32_t slot);

#endif

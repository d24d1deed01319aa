/* What the files of the monitor set share. Only monitor_*.c include this.
 *   monitor_set.c     the snapshot, and which probe starts when
 *   monitor_board.c   results and peers' verdicts -> what the board says
 *   monitor_rank.c    this node's place in each vrrp group: rates, and the round at takeover */
#ifndef HEALTH_MONITOR_SET_INTERNAL_H
#define HEALTH_MONITOR_SET_INTERNAL_H

#include "health/member_probe.h"
#include "health/monitor_set.h"
#include "health/probe_schedule.h"
#include "health/takeover.h"
#include "health/verdict.h"

struct monitored {
    struct monitor_set *set;
    uint32_t slot, incarnation;
    uint32_t round; /* of the snapshot that last named it */
    uint32_t pool;  /* index in the snapshot */
    struct verdict verdict;
    uint8_t max_retries, max_retries_down;
    uint8_t imported;   /* enum verdict_state: a peer's; UNKNOWN: none */
    bool takes_traffic; /* if it is healthy: its weight is not 0 */
    bool is_counted;    /* among the usable members of its pool */
    bool confirms;      /* its next result is the first one in a round of takeover */
    bool fell;          /* in the last one */
    bool owes_beat;     /* its next probe is late, because one runs that began late */
    uint32_t delay_ms, transition_delay_ms;
    uint64_t key;                                /* its place in the schedule follows from it */
    uint64_t imported_ms, probed_ms, started_ms; /* monotonic; 0: never */
    struct monitored *before, *after;            /* of those that wait for a place */
    bool waits, holds_tls;                       /* for a place of an HTTPS probe; has one */
    struct probe_memory memory;
    struct probe_target target; /* strings point into the snapshot */
    struct member_probe probe;
};

struct monitored_pool {
    uint8_t rank; /* enum health_rank */
    bool initially_online;
    uint32_t usable; /* members that are ONLINE and take traffic */
    struct takeover round;
};

struct group_rank {
    struct uuid group;
    uint8_t rank;
};

/* One probe of a round of takeover. */
struct confirmation {
    uint64_t due_ms;
    uint32_t slot;
};

struct monitor_set {
    struct loop *loop;
    struct prober *prober;
    struct loop_timer wake;
    struct loop_timer review_timer; /* while there are verdicts of peers */
    struct loop_timer confirm_timer;
    struct probe_schedule *schedule;
    struct verdict_board *board;
    const struct snapshot *snapshot;
    struct monitored_pool *pools; /* of the snapshot */
    uint32_t round;
    struct monitored *by_slot[MEMBER_SLOTS];
    uint32_t running, most_running;
    uint32_t running_tls, most_running_tls;
    bool crowd_was_here; /* of HTTPS probes, since the heap was trimmed */
    struct loop_timer trim_timer;
    struct monitored *first_waiting, *last_waiting; /* who was due first is first */
    struct group_rank ranks[MONITOR_SET_MAXIMUM_GROUPS];
    size_t rank_count;
    struct confirmation *confirmations; /* in the order of their times */
    size_t confirmation_count, confirmed;
};

/* ---- monitor_set.c ---- */

/* Starts what is due. */
void monitor_set_go_on(struct monitor_set *set);
/* The same, but not before the caller has returned: something is due sooner than was planned.
 */
void monitor_set_wake(struct monitor_set *set);

/* ---- monitor_board.c ---- */

/* A restarted process goes on with the verdicts that its predecessor left. */
void monitor_board_adopt(struct monitored *monitored);
/* Writes what counts now, if it is something else than before. */
void monitor_board_review(struct monitored *monitored, uint64_t now_ms);
/* This node stops to probe rarely: its own verdict goes on from what counted so far. */
void monitor_board_go_on_from_peers(struct monitored *monitored, uint64_t now_ms);
void monitor_board_forget(struct monitored *monitored);
/* Counts it among the usable members of its pool if it is one. */
void monitor_board_count(struct monitored *monitored);
void monitor_board_take_result(struct monitored *monitored, const struct probe_result *result);
void monitor_board_stop(struct monitor_set *set);

/* ---- monitor_rank.c ---- */

bool monitor_rank_is_rare(const struct monitored *monitored);
uint8_t monitor_rank_of(const struct monitor_set *set, const struct uuid *group);
/* The schedule follows the rank, and whether results count towards a change. */
void monitor_rank_pace(struct monitored *monitored, uint64_t now_ms);
/* Does this result decide alone? IS_FALL: it would take a usable member down. */
bool monitor_rank_decides(struct monitored *monitored, bool is_fall, uint64_t now_ms);
void monitor_rank_stop(struct monitor_set *set);

#endif

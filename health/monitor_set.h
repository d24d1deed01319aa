/* All monitored members of the running snapshot: their verdicts, probes and due times. Writes
 * the verdict board; keeps verdicts across snapshots as long as slot and incarnation stay. */
#ifndef HEALTH_MONITOR_SET_H
#define HEALTH_MONITOR_SET_H

#include "lbnode/loop/loop.h"
#include "lbnode/model/message.h"
#include "lbnode/model/process.h"
#include "lbnode/model/snapshot.h"
#include "lbnode/model/verdict_board.h"

/* Probes running at once; what is due beyond waits for a free place. */
enum {
    MONITOR_SET_MAXIMUM_PROBES = 8192,
    /* of them HTTPS, 42 KiB each until a hello has come: 84 MiB */
    MONITOR_SET_MAXIMUM_TLS_PROBES = 2048,
    MONITOR_SET_MAXIMUM_GROUPS = 512 /* whose rank is kept */
};

struct monitor_set;

/* BOARD outlives the set; verdicts already on it are taken over (a restarted process). ICMP:
 * sockets for pings, the caller's. */
struct monitor_set *monitor_set_new(struct loop *loop,
                                    struct verdict_board *board,
                                    const struct icmp_sockets *icmp);
/* Probes what SNAPSHOT says from now on. The set keeps SNAPSHOT and closes it when replaced. */
void monitor_set_adopt(struct monitor_set *set, const struct snapshot *snapshot);
/* What the peer that knows best found; UNKNOWN: nothing any more. AGE_MS: since it was last
 * known to hold. */
void monitor_set_import(struct monitor_set *set,
                        uint32_t slot,
                        uint32_t incarnation,
                        enum verdict_state state,
                        uint32_t age_ms);
/* The node's place in a vrrp group; until it is known members are probed at the full rate. One
 * that becomes active confirms what it knows of the group's members at once. */
void monitor_set_rank(struct monitor_set *set, const struct uuid *group, enum health_rank rank);
/* Somebody wants to know now: SLOT is probed at once, and its beats stay. Nothing happens if it
 * is not monitored as INCARNATION. */
void monitor_set_probe_now(struct monitor_set *set, uint32_t slot, uint32_t incarnation);
void monitor_set_free(struct monitor_set *set); /* NULL-safe */

#endif

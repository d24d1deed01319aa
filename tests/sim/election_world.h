/* Nodes, their clocks and the network between them, in virtual time: what elections of the
 * production machine (vrrp/vrrp_machine.h) are put through. A node has one machine for each
 * virtual router, which is a VRRP group in one address family: router 2n is IPv4 of a group,
 * 2n + 1 IPv6 of the same, and the node keeps them together as vrrp/families.c does. Two times:
 * that of the world, and that of each node's clock, which has an offset and runs fast or slow.
 * Microseconds. */
#ifndef TESTS_SIM_ELECTION_WORLD_H
#define TESTS_SIM_ELECTION_WORLD_H

#include "lbnode/base/random.h"
#include "vrrp/family_bond.h"

#include <stddef.h>

enum {
    NODES_MAXIMUM = 5,
    ROUTERS_MAXIMUM = 4,
    FLIGHTS_MAXIMUM = 4096,
    LATENCY_US = 1100,       /* of an advert that is not reordered, at most */
    REORDERED_INTERVALS = 3, /* and what a reordered one has on top */
    CLOCK_ERROR_PPM = 200,   /* of the worst clock */
    HOLD_US = 1000000,       /* of a demotion */
    EVERY_ROUTER = ROUTERS_MAXIMUM,
};

/* A rule of the election that is broken on purpose, to see that the simulation notices. */
enum broken_rule {
    BROKEN_NOTHING,
    BROKEN_TIE,   /* nobody yields to an equal priority */
    BROKEN_DEAF,  /* an owner does not listen to adverts */
    BROKEN_SLOW,  /* the dead time is three times what it should be */
    BROKEN_HASTY, /* it is half an interval */
    BROKEN_BOND,  /* the families of a group go their own ways */
    BROKEN_COUNT
};

struct world_node {
    struct vrrp_machine machines[ROUTERS_MAXIMUM];
    struct family_bond bonds[ROUTERS_MAXIMUM]; /* of IPv6 */
    uint8_t priorities[ROUTERS_MAXIMUM];       /* while it is not drained */
    bool up;                                   /* the process exists */
    bool can_serve, drained;
    uint64_t paused_until_us; /* not run before */
    uint64_t clock_offset_us;
    int64_t clock_ppm;
    unsigned doublings[ROUTERS_MAXIMUM]; /* of the dead time, as the machine said */
    /* Up to when it may wait for longer than the rule. */
    uint64_t disturbed_us[ROUTERS_MAXIMUM];
};

struct flight {
    uint64_t due_us;
    uint8_t from, to, router, priority;
};

/* Two nodes of one router: since when both have been active and could have settled it. */
struct rivalry {
    bool on;
    uint64_t since_us;
};

struct world {
    struct random_sequence random;
    struct world_node nodes[NODES_MAXIMUM];
    size_t node_count, router_count;
    uint32_t interval_us[ROUTERS_MAXIMUM];
    bool cut[NODES_MAXIMUM][NODES_MAXIMUM]; /* [from][to] */
    struct flight flights[FLIGHTS_MAXIMUM];
    size_t flight_count;
    unsigned loss_percent;
    bool reorder;
    bool tame; /* no loss, no cuts, no pauses, no reordering: the rules are tighter */
    uint64_t now_us;
    struct rivalry rivalries[ROUTERS_MAXIMUM][NODES_MAXIMUM]
                            [NODES_MAXIMUM];      /* [lower][higher] */
    uint64_t ownerless_since_us[ROUTERS_MAXIMUM]; /* 0: somebody is active */
    uint64_t longest_rivalry_us, longest_gap_us;  /* seen, in intervals * 1000 */
    uint64_t trace_hash;
    bool verbose;
    enum broken_rule broken;
    char failure[200];
};

uint64_t world_below(struct world *world, uint64_t bound);
bool world_chance(struct world *world, unsigned percent);
/* A line of the history: part of its hash, printed when verbose. */
void world_trace(struct world *world, size_t node, const char *what, unsigned detail);
bool world_runs(const struct world *world, size_t node);
bool world_is_active(const struct world *world, size_t node, size_t router); /* and runs */

/* EVENT to NODE's machine of ROUTER, or to all of them (EVERY_ROUTER). */
void world_give(struct world *world,
                size_t node,
                size_t router,
                const struct vrrp_event *event);
void world_order(struct world *world, size_t node, size_t router, enum vrrp_event_kind kind);
/* The node's waiting begins anew now (plus EXTRA_US): somebody did something to it. */
void world_disturb(struct world *world, size_t node, size_t router, uint64_t extra_us);
/* The next thing that happens up to UNTIL_US, rules and all. False when nothing is left until
 * then, or a rule was broken. */
bool world_turn(struct world *world, uint64_t until_us);
/* World time at which the clock of NODE shows LOCAL_US. */
uint64_t world_time_of(const struct world *world, size_t node, uint64_t local_us);
uint64_t world_local_us(const struct world *world, size_t node);
/* Adverts between them need at most so long to arrive, if they do. */
uint64_t world_latency_us(const struct world *world, size_t router);

/* ---- rules (election_rules.c) ----------------------------------------------------------- */

/* The two bounds, as docs/architecture.md states them; computed from the standard and the
 * stated limits, not by the machine. */
uint64_t rules_two_active_us(const struct world *world, size_t router);
uint64_t rules_none_active_us(const struct world *world, size_t node, size_t router);
/* An advert between two nodes was lost, a path changed, one of them slept: what they could not
 * settle until now they may settle from now on. */
void rules_restart(struct world *world, size_t a, size_t b, size_t router);
/* Looks at the world after each thing that happened. False with world->failure set. */
bool rules_hold(struct world *world);

#endif

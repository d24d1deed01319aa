/* Verdicts about members, as peers share them: part of the core (core_internal.h). */
#ifndef REPLICATION_CORE_VERDICTS_H
#define REPLICATION_CORE_VERDICTS_H

#include "replication/core.h"

struct peer;

/* How far the table of verdicts got, in both directions. */
struct verdict_exchange {
    uint64_t sent;               /* number of the last batch that it was sent; 0: none */
    uint64_t incarnation, taken; /* of the last batch that came from it */
    bool whole;                  /* all that it sent is here */
    uint64_t confirmed_us;       /* when that was last known to hold; 0: never */
    uint64_t wanted_us;          /* when it was last asked for all; 0: never */
    uint64_t answered_us;        /* when it was last sent all; 0: never */
    unsigned differs;            /* heartbeats in a row that named another batch */
};

/* A change, to all. */
void core_publish_verdicts(struct core *core,
                           const struct core_event *event,
                           struct core_actions *actions);
/* All verdicts of this node, to one peer, in one frame. */
void core_send_all_verdicts(struct core *core,
                            const struct core_event *event,
                            struct core_actions *actions);
void core_handle_health(struct core *core,
                        struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions);
/* The peer lacks verdicts of this node. */
void core_handle_health_wanted(struct core *core,
                               struct peer *peer,
                               struct core_actions *actions);
/* A heartbeat named SENT as the last batch to this node. */
void core_compare_verdicts(struct core *core,
                           struct peer *peer,
                           uint64_t sent,
                           struct core_actions *actions);
/* Since the verdicts that came from PEER were last known to be what it holds. */
uint64_t core_verdicts_ms_ago(const struct core *core, const struct peer *peer);

#endif

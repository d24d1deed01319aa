/* Notices that one node runs twice: its disk was copied, and both copies gossip with one key.
 * A restarted node goes on with a higher incarnation and the lower one falls silent; of two
 * copies, both go on, so the two incarnations are heard in turns. Pure; one per other node. */
#ifndef REPLICATION_CLONE_WATCH_H
#define REPLICATION_CLONE_WATCH_H

#include "lbnode/base/ip_address.h"
#include "replication/packet.h"

enum {
    CLONE_TURNS = 6,   /* so many turns, */
    CLONE_SPAN_S = 2,  /* over so long: packets that a restart left under way do not do that */
    CLONE_QUIET_S = 30 /* without a turn: only one is left */
};

enum clone_rank {
    CLONE_OLDER,
    CLONE_NEWER,
    CLONE_RANKS
};

struct clone_watch { /* zero: nothing heard yet */
    struct replay_window windows[CLONE_RANKS];
    struct ip_address places[CLONE_RANKS]; /* where each was heard last */
    enum clone_rank last;
    unsigned turns;
    uint64_t first_turn_us, last_turn_us;
};

/* A verified datagram of the node came from SOURCE. Replayed ones count for nothing. */
void clone_watch_hear(struct clone_watch *watch,
                      uint64_t incarnation,
                      uint64_t counter,
                      const struct ip_address *source,
                      uint64_t now_us);
/* As above, about what is known to be no replay. */
void clone_watch_hear_fresh(struct clone_watch *watch,
                            uint64_t incarnation,
                            const struct ip_address *source,
                            uint64_t now_us);
bool clone_watch_is_cloned(const struct clone_watch *watch, uint64_t now_us);

#endif

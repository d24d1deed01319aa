/* Connections to members that wait for the next request: per worker, newest first, so that
 * surplus ones grow old. Bounded per member; closed when they are idle for too long, when the
 * member sends or closes, when its verdict is ERROR, and when it leaves the configuration. */
#ifndef PROXY_IDLE_POOL_H
#define PROXY_IDLE_POOL_H

#include <stdint.h>

struct generation;
struct member_connection;
struct worker;

enum {
    IDLE_PER_MEMBER = 64,
    IDLE_TIMEOUT_MS = 30000
};

/* The connections of one worker to a member. */
struct member_links {
    struct member_connection *first; /* idle */
    struct member_connection *open;  /* all, in use or idle (member_connection.c) */
    uint32_t count;                  /* of the idle ones */
    uint32_t down_incarnation;       /* of the member that is in ERROR; 0: it is not */
    uint32_t news;                   /* enum member_news, told last (member_down.c) */
};

struct idle_pool {
    struct member_links *by_slot; /* MEMBER_SLOTS */
    struct member_connection *oldest, *newest;
    uint32_t count; /* of all; at most the worker's share of the descriptors */
};

/* Puts CONNECTION, which is the pool's from now on; it is closed when there are enough. */
void idle_pool_put(struct worker *worker, struct member_connection *connection);
/* Takes a connection to this incarnation of the member, or NULL. */
struct member_connection *
idle_pool_take(struct worker *worker, uint32_t slot, uint32_t incarnation);
/* Closes up to LIMIT of them, the oldest first: their descriptors are wanted. How many. */
uint32_t idle_pool_evict(struct worker *worker, uint32_t limit);
/* Closes those to one member; how many. */
uint32_t idle_pool_drop(struct worker *worker, uint32_t slot);
/* Closes what GENERATION does not name any more; NULL: everything. */
void idle_pool_sweep(struct worker *worker, const struct generation *generation);

#endif

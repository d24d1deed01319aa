/* What the main thread finds about whole pools when the configuration or verdicts change, for
 * the picks of all workers: a pool that has a monitor only now serves with what it has until
 * the first verdicts, and one with too few usable members fails open. */
#ifndef PROXY_POOL_WATCH_H
#define PROXY_POOL_WATCH_H

#include "proxy/generation.h"

/* A pool began to fail open, or no longer does. */
struct pool_turn {
    const struct snapshot_pool *pool;
    bool fails_open;
    uint32_t usable, total; /* of its members that are enabled and have a weight */
};

/* Returns whether anything is different for the workers. TELL is called for each turn. */
bool pool_watch_look(struct generation *generation,
                     const struct verdict_board *verdicts,
                     void (*tell)(void *context, const struct pool_turn *turn),
                     void *context);

#endif

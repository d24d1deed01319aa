/* Signs of life of a process: a message to the supervisor each HEARTBEAT_MS, from the loop that
 * does the work, so that they stop when it hangs. */
#ifndef LBNODE_LOOP_HEARTBEAT_H
#define LBNODE_LOOP_HEARTBEAT_H

#include "lbnode/loop/channel.h"

enum {
    HEARTBEAT_MS = 250
};

struct heartbeat {
    struct loop_timer timer;
    struct loop *loop;
    struct channel *channel;
    bool (*is_well)(void *context); /* NULL: a loop that turns is well */
    void *context;
    uint64_t due_ms; /* of the next one, by the loop's clock */
};

/* The first one leaves at once. LOOP and CHANNEL must outlive it; the rest is set by the owner
 * before. */
void heartbeat_start(struct heartbeat *heartbeat, struct loop *loop, struct channel *channel);
/* For a loop that is awake anyway: the sign that is due within SLACK_MS leaves now. */
void heartbeat_advance(struct heartbeat *heartbeat, uint64_t slack_ms);
void heartbeat_stop(struct heartbeat *heartbeat); /* idempotent */

#endif

/* Changes that undo themselves unless somebody confirms them in time (`apply --confirm`). What
 * waits stands in this node's store, so it does not matter what became of whoever made the
 * change, or of this process: the next one on this node goes on. */
#ifndef LBNODE_ADMIN_PROBATION_H
#define LBNODE_ADMIN_PROBATION_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"
#include "lbnode/loop/loop.h"

enum {
    PROBATION_MAXIMUM = 16, /* changes that wait at once */
    PROBATION_LONGEST_S = 86400,
};

struct probation;

/* Tells what it did by TELL. STATE outlives it. NULL when out of memory. */
struct probation *
probation_start(struct loop *loop,
                struct node_state *state,
                void (*tell)(void *context, enum event_code code, const char *text),
                void *context);
/* A change waits since now, or does so no longer (the `unconfirmed` of replication's handler).
 * NULL-safe. */
void probation_wake(struct probation *probation);
void probation_stop(struct probation *probation); /* NULL-safe; before replication is closed */

/* confirm_api.c. What waits on this node, for people: a new array of {change, undone_at,
 * left_s, confirm}. */
struct json_value *confirmations_json(const struct node_state *state);

#endif

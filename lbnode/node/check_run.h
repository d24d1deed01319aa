/* One run of a check command: a process of its own starts it, waits for it, and ends all that
 * it left behind, whatever process groups and sessions that moved to. */
#ifndef LBNODE_NODE_CHECK_RUN_H
#define LBNODE_NODE_CHECK_RUN_H

#include "lbnode/node/supervisor.h"

enum {
    CHECK_CANNOT_RUN = 126
};

/* To be called in a new child of the supervisor. Ends as the command did, or with status
 * CHECK_CANNOT_RUN, when nothing of it runs any more. SIGTERM, or the supervisor's end, ends
 * the command before its time. */
_Noreturn void check_run(const struct supervisor_settings *settings);

#endif

/* Whether a process hangs: pure. Time is counted in the supervisor's own checks, HANG_CHECK_MS
 * apart, and not by a clock, so that a pause of the whole node is one check and accuses nobody.
 */
#ifndef LBNODE_NODE_HANG_WATCH_H
#define LBNODE_NODE_HANG_WATCH_H

#include "lbnode/model/message.h"

enum {
    HANG_CHECK_MS = 250,
    /* An election process that was silent so long has lost what it was active for: a peer took
     * over. */
    HANG_SILENT_CHECKS = 2,
};

struct hang_watch {
    bool speaks;     /* it gave a sign of life once; before that it may work on its start */
    uint32_t missed; /* checks since the last one */
};

void hang_watch_alive(struct hang_watch *watch);
/* Once per check. True: it hangs. */
bool hang_watch_check(struct hang_watch *watch, enum process_role role);
/* How many checks ROLE may miss. */
uint32_t hang_watch_limit(enum process_role role);
bool hang_watch_is_silent(const struct hang_watch *watch);

#endif

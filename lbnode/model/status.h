/* operating_status by Octavia's rules (octavia-api.md 2.2): a pure roll-up of the configuration
 * and the members' verdicts. */
#ifndef LBNODE_MODEL_STATUS_H
#define LBNODE_MODEL_STATUS_H

#include "lbnode/model/configuration.h"
#include "lbnode/model/verdict_board.h"

enum operating_status {
    OPERATING_ONLINE,
    OPERATING_DRAINING,
    OPERATING_OFFLINE,
    OPERATING_DEGRADED,
    OPERATING_ERROR,
    OPERATING_NO_MONITOR,
};

const char *operating_status_name(enum operating_status status);

struct status_source {
    /* The verdict about a member (own or imported). */
    enum verdict_state (*verdict)(void *context, const struct uuid *member_id);
    /* Is the listener bound and below its connection limit on this node? */
    bool (*listener_running)(void *context, const struct uuid *listener_id);
    bool (*listener_full)(void *context, const struct uuid *listener_id);
    void *context;
};

/* For load balancers, listeners, pools, members and health monitors. */
enum operating_status status_of(const struct configuration *configuration,
                                const struct resource *resource,
                                const struct status_source *source);

#endif

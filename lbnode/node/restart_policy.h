/* When a process that died is started again: pure. */
#ifndef LBNODE_NODE_RESTART_POLICY_H
#define LBNODE_NODE_RESTART_POLICY_H

#include "lbnode/model/message.h"

enum {
    RESTART_WINDOW_MS = 60000, /* deaths closer than this belong together */
    /* The proxy's: one that serves for a while is worth a restart without delay, since clients
     * wait for it. */
    RESTART_PROXY_WINDOW_MS = 5000,
    RESTART_FIRST_DELAY_MS = 100, /* of the second death; the first costs nothing */
    RESTART_MAXIMUM_DELAY_MS = 5000,
    RESTART_RESIGNED_DELAY_MS = 10000,
};

struct restart_policy {
    uint64_t last_death_ms;
    uint32_t deaths; /* in a row, each within the window after the one before */
};

struct restart_decision {
    uint32_t delay_ms;
    bool resign; /* vrrp only: take its addresses away first */
};

struct restart_decision
restart_policy_died(struct restart_policy *policy, enum process_role role, uint64_t now_ms);

#endif

/* What a node goes by for a member: its own verdict or a peer's (replication.md 11.2); pure.
 *
 * A node that probes a member at the monitor's rate believes itself as long as its last probe
 * is young. One that probes rarely (neither active nor first successor) believes those that do
 * not, because its own verdict would come several delays later. Then the last own verdict
 * counts, and before any verdict the pool's initial_state. */
#ifndef HEALTH_EFFECTIVE_H
#define HEALTH_EFFECTIVE_H

#include "lbnode/model/verdict_board.h"

#include <stdbool.h>

struct effective_input {
    enum verdict_state own;
    uint64_t own_probed_ms; /* monotonic, end of the last own probe; 0: none by this process */
    bool rare;              /* this node probes it rarely */
    enum verdict_state imported;
    uint64_t imported_ms; /* monotonic, when it was last known to hold; 0: there is none */
    uint32_t delay_ms;    /* of the monitor */
    bool initially_online;
    bool last_usable; /* it is the only usable member of its pool */
};

struct effective_verdict {
    enum verdict_state state;
    bool imported; /* a peer's */
    bool held;     /* a peer's ERROR that does not count, as nobody else is usable */
};

struct effective_verdict effective_choose(const struct effective_input *input, uint64_t now_ms);

#endif

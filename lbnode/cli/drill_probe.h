/* Connects to one address again and again in a thread of its own, and tells what a client would
 * have noticed. Owned by whoever started it. */
#ifndef LBNODE_CLI_DRILL_PROBE_H
#define LBNODE_CLI_DRILL_PROBE_H

#include "lbnode/base/error.h"
#include "lbnode/base/ip_address.h"

#include <stdint.h>

enum {
    DRILL_PROBE_INTERVAL_MS = 10,
    DRILL_PROBE_TIMEOUT_MS = 1000, /* a connect that takes longer has failed */
};

struct drill_probe;

/* Since the last look. */
struct drill_report {
    unsigned connects, failed;
    uint32_t gap_us;     /* longest time from one success to the next one, less the interval */
    uint32_t slowest_us; /* of the connects that succeeded */
};

struct drill_probe *drill_probe_start(const struct ip_endpoint *endpoint, struct error *error);
/* What came since the last call; a time without success that lasts still counts. */
struct drill_report drill_probe_take(struct drill_probe *probe);
void drill_probe_stop(struct drill_probe *probe); /* NULL-safe */

#endif

/* One probe of one member, whatever kind its monitor's type asks for: the one table that says
 * which. Ends by calling on_result exactly once, or never after member_probe_cancel. */
#ifndef HEALTH_MEMBER_PROBE_H
#define HEALTH_MEMBER_PROBE_H

#include "health/probe.h"
#include "health/udp_connect.h"

struct probe_kind;

struct member_probe {
    const struct probe_kind *kind; /* NULL: idle */
    void (*on_result)(struct member_probe *probe, const struct probe_result *result);
    union { /* only the one of the kind that runs */
        struct probe stream;
        struct ping ping;
        struct udp_connect datagram;
    } of;
};

/* The owner keeps TARGET until the result or cancel. */
void member_probe_start(struct prober *prober,
                        struct member_probe *probe,
                        const struct probe_target *target,
                        void (*on_result)(struct member_probe *, const struct probe_result *));
/* Ends a probe by timeout, with its result, if it has no more than SLACK_MS left. */
void member_probe_expire(struct member_probe *probe, uint32_t slack_ms);
bool member_probe_is_running(const struct member_probe *probe);
void member_probe_cancel(struct member_probe *probe); /* idempotent */

#endif

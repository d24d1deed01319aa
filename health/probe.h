/* One probe of one member, of the type that its monitor has: TCP connects, TLS-HELLO wants a
 * ServerHello, HTTP sends a request and reads the head of the answer, HTTPS does so over TLS.
 * Ends by calling on_result exactly once, or never
 * after probe_cancel. Its time counts from the start, whatever the member sends meanwhile. */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include "health/probe_exchange.h"
#include "lbnode/model/verdict_board.h"

struct probe_result {
    enum verdict_reason reason; /* NONE: success; LOCAL says nothing of the member */
    uint16_t status;            /* of the HTTP answer or the TLS alert, 0 without */
    uint32_t round_trip_us;
    bool is_void; /* the end of a resumption, not of the member: probe again, now */
};

struct probe {
    struct prober *prober;
    const struct probe_target *target; /* the owner keeps it until the result or cancel */
    void (*on_result)(struct probe *probe, const struct probe_result *result);
    struct swarm_io io;
    struct deadline deadline;
    uint64_t started_us;
    struct probe_exchange exchange; /* its socket: -1: none */
    uint8_t start_failure; /* enum verdict_reason, to be reported from the loop, or 0 */
};

void probe_start(struct prober *prober,
                 struct probe *probe,
                 const struct probe_target *target,
                 void (*on_result)(struct probe *, const struct probe_result *));
/* Ends a probe by timeout, with its result, if it has no more than SLACK_MS left. */
void probe_expire(struct probe *probe, uint32_t slack_ms);
/* The time of a probe is over, or it failed to start. */
void probe_on_deadline(struct deadline *deadline);
bool probe_is_running(const struct probe *probe);
void probe_cancel(struct probe *probe); /* idempotent */

#endif

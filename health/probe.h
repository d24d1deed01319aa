/* One probe of one member, of the type that its monitor has: TCP connects, HTTP also sends a
 * request and reads the head of the answer. Ends by calling on_result exactly once, or never
 * after probe_cancel. Its time counts from the start, whatever the member sends meanwhile. */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include "health/probe_request.h"
#include "health/prober.h"
#include "lbnode/model/snapshot.h"
#include "lbnode/model/verdict_board.h"

struct probe_result {
    enum verdict_reason reason; /* NONE: success; LOCAL says nothing of the member */
    uint16_t status;            /* of the HTTP answer, 0 without */
    uint32_t round_trip_us;
};

struct probe_target {
    struct ip_endpoint endpoint;
    uint8_t type; /* enum snapshot_monitor_type */
    const char *expected_codes;
    struct probe_request request;
    uint32_t timeout_ms;
};

enum probe_stage {
    PROBE_CONNECTS,
    PROBE_SENDS,
    PROBE_READS,
};

struct probe {
    struct prober *prober;
    const struct probe_target *target; /* the owner keeps it until the result or cancel */
    void (*on_result)(struct probe *probe, const struct probe_result *result);
    struct loop_io io;
    struct loop_timer timer;
    uint64_t started_us;
    int fd;                /* -1: none */
    uint16_t sent;         /* bytes of the request */
    uint8_t stage;         /* enum probe_stage */
    uint8_t start_failure; /* enum verdict_reason, to be reported from the loop */
    struct probe_answer answer;
};

void probe_start(struct prober *prober,
                 struct probe *probe,
                 const struct probe_target *target,
                 void (*on_result)(struct probe *, const struct probe_result *));
/* Ends a probe by timeout, with its result, if it has no more than SLACK_MS left. */
void probe_expire(struct probe *probe, uint32_t slack_ms);
bool probe_is_running(const struct probe *probe);
void probe_cancel(struct probe *probe); /* idempotent */

#endif

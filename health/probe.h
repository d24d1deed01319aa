/* One probe of one member: connects, and for HTTP sends a request and reads the answer's head.
 * Ends by calling on_result exactly once, or never after probe_cancel. */
#ifndef HEALTH_PROBE_H
#define HEALTH_PROBE_H

#include "health/probe_request.h"
#include "lbnode/http/http_head.h"
#include "lbnode/loop/loop.h"
#include "lbnode/model/snapshot.h"
#include "lbnode/model/verdict_board.h"

enum {
    PROBE_ANSWER_SIZE = 16384
}; /* a larger head is malformed for a monitor */

struct probe_result {
    enum verdict_reason reason; /* NONE: success */
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

struct probe {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer timer;
    int fd; /* -1: idle */
    bool connected;
    enum verdict_reason start_failure; /* to be reported from the loop */
    uint64_t started_us;
    const struct probe_target *target; /* the owner keeps it until the result or cancel */
    char *buffer;                      /* request, then answer; only while a probe runs */
    size_t request_size, sent, received;
    struct http_head *head;
    void (*on_result)(struct probe *probe, const struct probe_result *result);
};

void probe_start(struct loop *loop,
                 struct probe *probe,
                 const struct probe_target *target,
                 void (*on_result)(struct probe *, const struct probe_result *));
/* Ends a probe by timeout, with its result, if it has no more than SLACK_MS left. */
void probe_expire(struct probe *probe, uint32_t slack_ms);
bool probe_is_running(const struct probe *probe);
void probe_cancel(struct probe *probe); /* idempotent */

#endif

/* Echo requests to many hosts at once over one socket of each family. Of an answer, the source,
 * the sequence number (which names the ping) and a cookie of 64 bits that nobody can guess must
 * be right; whatever else comes is ignored. A ping costs no descriptor and no timer. */
#ifndef HEALTH_PING_H
#define HEALTH_PING_H

#include "lbnode/base/deadline_wheel.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/loop/loop.h"
#include "lbnode/model/process.h"
#include "lbnode/model/verdict_board.h"

enum {
    PING_MAXIMUM = MEMBER_SLOTS /* at a time */
};

struct pinger;

struct ping {
    struct pinger *pinger; /* NULL: idle */
    struct deadline deadline;
    struct ip_address address;
    uint16_t number;             /* among those that run */
    bool unsent;                 /* the socket's buffer is full */
    enum verdict_reason failure; /* when the time is over */
    uint64_t cookie, started_us;
    void (*on_result)(struct ping *ping, enum verdict_reason reason, uint32_t round_trip_us);
};

/* SOCKETS stay the caller's and open; NULL: no memory. All pings end before it is freed. */
struct pinger *pinger_new(struct loop *loop, const struct icmp_sockets *sockets);
void pinger_free(struct pinger *pinger); /* NULL-safe */

/* Asks ADDRESS once. Ends by calling on_result exactly once, from the loop, with NONE, NO_ECHO
 * or what kept the request from being sent; or never after ping_cancel. */
void ping_start(struct pinger *pinger,
                struct ping *ping,
                const struct ip_address *address,
                uint32_t timeout_ms,
                void (*on_result)(struct ping *, enum verdict_reason, uint32_t));
/* Ends a ping by timeout, with its result, if it has no more than SLACK_MS left. */
void ping_expire(struct ping *ping, uint32_t slack_ms);
/* Of a datagram that could not be sent, or that a router refused. */
enum verdict_reason ping_reason_of_errno(int error_number);
bool ping_is_running(const struct ping *ping);
void ping_cancel(struct ping *ping); /* idempotent */

#endif

/* The probe of a UDP-CONNECT monitor. UDP has no answer that every service gives, so two things
 * together make a success: the host answers a ping, and nothing says that the port is
 * unreachable, until a quiet moment after the ping's answer has passed. A datagram from the
 * port is a success by itself. Ends by calling on_result exactly once, from the loop, or never
 * after udp_connect_cancel. */
#ifndef HEALTH_UDP_CONNECT_H
#define HEALTH_UDP_CONNECT_H

#include "health/ping.h"

enum {
    UDP_CONNECT_QUIET_MS = 1000 /* or what is left of the time */
};

struct udp_connect {
    struct pinger *pinger; /* NULL: idle */
    struct loop *loop;
    struct ping ping;
    struct loop_io io;
    struct loop_timer timer; /* of the quiet moment, or of a failed start */
    int fd;                  /* -1: none */
    uint32_t timeout_ms, round_trip_us;
    uint64_t started_us;
    enum verdict_reason reason; /* when the timer expires */
    void (*on_result)(struct udp_connect *, enum verdict_reason reason, uint32_t round_trip_us);
};

void udp_connect_start(struct loop *loop,
                       struct pinger *pinger,
                       struct udp_connect *probe,
                       const struct ip_endpoint *endpoint,
                       uint32_t timeout_ms,
                       void (*on_result)(struct udp_connect *, enum verdict_reason, uint32_t));
/* Ends a probe, with its result, if it has no more than SLACK_MS left. */
void udp_connect_expire(struct udp_connect *probe, uint32_t slack_ms);
bool udp_connect_is_running(const struct udp_connect *probe);
void udp_connect_cancel(struct udp_connect *probe); /* idempotent */

#endif

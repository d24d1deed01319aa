/* What the probes of a process share, so that a probe in flight costs little: the loop, what
 * watches their sockets and their time, the place where bytes are read and written, the sockets
 * of pings, and the settings of TLS. Whoever runs probes owns one; it outlives them. */
#ifndef HEALTH_PROBER_H
#define HEALTH_PROBER_H

#include "health/ping.h"
#include "health/probe_answer.h"
#include "lbnode/loop/loop_deadlines.h"
#include "lbnode/loop/loop_swarm.h"
#include "lbnode/tls/tls_client.h"

struct prober {
    struct loop *loop;
    struct loop_swarm *swarm;
    struct loop_deadlines deadlines; /* of struct probe */
    struct pinger *pinger;
    struct tls_context *tls;      /* NULL: not needed so far */
    struct probe_scratch scratch; /* used between two events only */
};

/* ICMP stays the caller's and open. NULL when out of memory. */
struct prober *prober_new(struct loop *loop, const struct icmp_sockets *icmp);
/* The settings of TLS, made when they are needed first; NULL when out of memory. */
struct tls_context *prober_tls(struct prober *prober);
void prober_free(struct prober *prober); /* NULL-safe; no probe runs any more */

#endif

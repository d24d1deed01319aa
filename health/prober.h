/* What the probes of a process share, so that a probe in flight costs little: the loop, the
 * place where bytes are read and written, and the settings of TLS. Whoever runs probes owns
 * one; it outlives them. */
#ifndef HEALTH_PROBER_H
#define HEALTH_PROBER_H

#include "health/probe_answer.h"
#include "lbnode/loop/loop.h"

struct prober {
    struct loop *loop;
    struct probe_scratch scratch; /* used between two events only */
};

/* NULL when out of memory. */
struct prober *prober_new(struct loop *loop);
void prober_free(struct prober *prober); /* NULL-safe */

#endif

/* Many descriptors that come and go quickly: an epoll of its own inside a loop. Each is watched
 * for everything, and each change is reported once. To leave costs no system call, for what
 * leaves is closed, and nothing is kept of it. The owner embeds a swarm_io, which stays in
 * place until it leaves; all leave before the swarm is freed. */
#ifndef LBNODE_LOOP_LOOP_SWARM_H
#define LBNODE_LOOP_LOOP_SWARM_H

#include "lbnode/loop/loop.h"

struct loop_swarm;

struct swarm_io {
    /* READINESS: LOOP_READABLE, LOOP_WRITABLE; a failure is both. */
    void (*on_ready)(struct swarm_io *io, unsigned readiness);
};

/* NULL when the kernel refuses (no descriptors, no memory). */
struct loop_swarm *loop_swarm_new(struct loop *loop);
void loop_swarm_free(struct loop_swarm *swarm); /* NULL-safe */

/* 0 or -errno. FD is not shared with anybody: its one close ends the watching. */
int loop_swarm_join(struct loop_swarm *swarm,
                    struct swarm_io *io,
                    int fd,
                    void (*on_ready)(struct swarm_io *, unsigned));
/* Nothing is reported to IO any more; its descriptor is closed right after. Harmless for one
 * that never joined. */
void loop_swarm_leave(struct loop_swarm *swarm, const struct swarm_io *io);

#endif

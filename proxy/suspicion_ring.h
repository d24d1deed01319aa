/* Suspicions on their way from the workers to the main thread, which passes them on: a ring for
 * each worker, with one writer and one reader. Nothing here is touched while members answer. */
#ifndef PROXY_SUSPICION_RING_H
#define PROXY_SUSPICION_RING_H

#include "lbnode/model/suspicion.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    SUSPICION_INTERVAL_MS = 1000, /* between two of the same member */
    SUSPICIONS_PER_SECOND = 500,  /* of all members; the monitors' beats find the others */
    SUSPICION_RING_SIZE = 256
};

struct suspicion {
    uint32_t slot, incarnation; /* of the member */
    enum suspicion_kind kind;
};

/* Zero at first. */
struct suspicion_ring {
    _Atomic uint32_t put, taken; /* how many, ever */
    struct suspicion items[SUSPICION_RING_SIZE];
};

/* False when it is full: that one is lost, and will be raised again if it goes on. */
bool suspicion_ring_put(struct suspicion_ring *ring, const struct suspicion *suspicion);
bool suspicion_ring_take(struct suspicion_ring *ring, struct suspicion *out);

/* Whether a member may be suspected (again) now; if so, it was, at NOW_MS. From any thread: of
 * several at once, one may. LAST_MS: 0 at first. */
bool suspicion_is_due(_Atomic uint64_t *last_ms, uint64_t now_ms);

/* Of all members; zero at first. */
struct suspicion_allowance {
    uint64_t since_ms;
    uint32_t used;
};

/* False when there were enough in this second. */
bool suspicion_allowance_take(struct suspicion_allowance *allowance, uint64_t now_ms);

#endif

/* A member that comes back from ERROR gets a tenth of its share at first, and a tenth more with
 * each tenth of its pool's slow_start. That it comes back is noticed by those who pick: the
 * state here is shared by all workers. Pure but for the atomics. */
#ifndef PROXY_SLOW_START_H
#define PROXY_SLOW_START_H

#include "lbnode/model/verdict_board.h"

#include <stdbool.h>

enum {
    SLOW_START_STEPS = 10
};

/* Zero-initialised: nothing seen yet. */
struct slow_start {
    _Atomic uint64_t failed;   /* the incarnation that was in ERROR when looked at last, or 0 */
    _Atomic uint64_t since_ms; /* when it was seen ONLINE again; 0: it never was away */
    _Atomic uint32_t turns;    /* that came while it was slow */
};

/* Tells what the verdict is now; cheap while it does not change. */
void slow_start_see(struct slow_start *start,
                    uint32_t incarnation,
                    enum verdict_state state,
                    uint64_t now_ms);
/* Tenths of its share that the member gets, 1 to SLOW_START_STEPS. */
unsigned
slow_start_tenths(const struct slow_start *start, uint64_t duration_ms, uint64_t now_ms);
/* Whether it takes the turn that it has now: of ten as many as it gets tenths, evenly spread.
 */
bool slow_start_takes_turn(struct slow_start *start, uint64_t duration_ms, uint64_t now_ms);

#endif

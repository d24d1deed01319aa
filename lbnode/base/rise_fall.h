/* A check that may fail now and then: down after FALL failures in a row, up again after RISE
 * successes in a row. Pure; all zero is up. */
#ifndef LBNODE_BASE_RISE_FALL_H
#define LBNODE_BASE_RISE_FALL_H

#include <stdbool.h>

struct rise_fall {
    bool down;
    unsigned row; /* results in a row that speak for the other state */
};

/* True when it changed. */
static inline bool
rise_fall_note(struct rise_fall *check, bool good, unsigned fall, unsigned rise)
{
    check->row = good == check->down ? check->row + 1 : 0;
    if (check->row < (check->down ? rise : fall))
        return false;
    check->down = !check->down;
    check->row = 0;
    return true;
}

#endif

/* What a monitor thinks of a member: a pure machine over probe results (octavia-api.md 2.2, 7).
 * max_retries successes in a row bring a member up, max_retries_down failures in a row down;
 * the first result after UNKNOWN decides alone, so that a new member is judged by one probe. */
#ifndef HEALTH_VERDICT_H
#define HEALTH_VERDICT_H

#include "lbnode/model/verdict_board.h"

#include <stdbool.h>

struct verdict {
    enum verdict_state state;
    uint8_t successes, failures; /* in a row, towards the next change */
    uint64_t history;            /* one bit per probe, newest lowest, 1 = success */
};

/* Feeds one result; true when the state changed. */
bool verdict_step(struct verdict *verdict,
                  bool success,
                  unsigned max_retries,
                  unsigned max_retries_down);
/* Results in a row count towards a change, and are not enough yet. */
bool verdict_is_in_transition(const struct verdict *verdict);
/* Goes on from STATE, which others found; the history stays what it is. True when the state
 * changed. */
bool verdict_assume(struct verdict *verdict, enum verdict_state state);

#endif

/* Whom a node that should not be active asks to take a group: every fit node once, one after
 * the other, then nobody for a while, for each group and family; pure. */
#ifndef LBNODE_NODE_OFFER_ROUND_H
#define LBNODE_NODE_OFFER_ROUND_H

#include "lbnode/base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    OFFER_ROUND_PAUSE_MS = 5000 /* from the last offer of a round to the first of the next */
};

/* All zero: nobody was asked yet. */
struct offer_round {
    struct uuid last; /* zero: a round begins */
    uint64_t last_ms;
    bool repeats; /* all were asked before, and told of */
};

/* The node to ask now, one of FIT (in any order), or NULL: nobody is left in this round, or the
 * last one still has time to answer, ANSWER_MS after it was asked. Who becomes fit meanwhile is
 * asked in this round or the next. */
const struct uuid *offer_round_next(struct offer_round *round,
                                    const struct uuid *fit,
                                    size_t fit_count,
                                    uint32_t answer_ms,
                                    uint64_t now_ms);

#endif

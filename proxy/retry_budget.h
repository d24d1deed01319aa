/* How many repetitions a pool may be burdened with: a fifth of its requests of the last ten
 * seconds, and ten more, on each worker. Failing members are thus never flooded with repeated
 * requests as well. Pure. */
#ifndef PROXY_RETRY_BUDGET_H
#define PROXY_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RETRY_BUDGET_PERCENT = 20,
    RETRY_BUDGET_RESERVE = 10,
    RETRY_BUDGET_HALF_MS = 5000 /* the window is this half and the one before */
};

struct retry_half {
    uint32_t requests, retries;
};

/* Zero-initialised is full. */
struct retry_budget {
    uint64_t half; /* number of the current one */
    struct retry_half current, previous;
};

void retry_budget_count_request(struct retry_budget *budget, uint64_t now_ms);
/* Takes one repetition; false: none is left. */
bool retry_budget_take(struct retry_budget *budget, uint64_t now_ms);

#endif

#include "proxy/retry_budget.h"

static void move_on(struct retry_budget *budget, uint64_t now_ms)
{
    uint64_t half = now_ms / RETRY_BUDGET_HALF_MS;
    if (half == budget->half)
        return;
    budget->previous = half == budget->half + 1 ? budget->current : (struct retry_half){0};
    budget->current = (struct retry_half){0};
    budget->half = half;
}

void retry_budget_count_request(struct retry_budget *budget, uint64_t now_ms)
{
    move_on(budget, now_ms);
    budget->current.requests++;
}

bool retry_budget_take(struct retry_budget *budget, uint64_t now_ms)
{
    move_on(budget, now_ms);
    uint64_t requests = (uint64_t)budget->current.requests + budget->previous.requests;
    uint64_t retries = (uint64_t)budget->current.retries + budget->previous.retries;
    if (retries >= requests * RETRY_BUDGET_PERCENT / 100 + RETRY_BUDGET_RESERVE)
        return false;
    budget->current.retries++;
    return true;
}

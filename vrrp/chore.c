#include "vrrp/chore.h"

bool chore_take(uint64_t *due_us, uint64_t period_us, uint64_t now_us)
{
    bool nearly = *due_us <= now_us + CHORE_SLACK_US;
    bool punctual = nearly && now_us <= *due_us + CHORE_SLACK_US;
    if (nearly)
        *due_us = (punctual ? *due_us : now_us) + period_us;
    return nearly;
}

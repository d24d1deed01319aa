#include "lbnode/node/restart_policy.h"

struct restart_decision
restart_policy_died(struct restart_policy *policy, enum process_role role, uint64_t now_ms)
{
    uint64_t window_ms = role == PROCESS_PROXY ? RESTART_PROXY_WINDOW_MS : RESTART_WINDOW_MS;
    bool again = policy->deaths > 0 && now_ms - policy->last_death_ms <= window_ms;
    policy->deaths = again ? policy->deaths + 1 : 1;
    policy->last_death_ms = now_ms;
    if (policy->deaths == 1)
        return (struct restart_decision){.delay_ms = 0};
    if (role == PROCESS_VRRP)
        return (struct restart_decision){RESTART_RESIGNED_DELAY_MS, true};
    uint64_t delay = RESTART_FIRST_DELAY_MS;
    for (uint32_t i = 2; i < policy->deaths && delay < RESTART_MAXIMUM_DELAY_MS; i++)
        delay *= 2;
    if (delay > RESTART_MAXIMUM_DELAY_MS)
        delay = RESTART_MAXIMUM_DELAY_MS;
    return (struct restart_decision){.delay_ms = (uint32_t)delay};
}

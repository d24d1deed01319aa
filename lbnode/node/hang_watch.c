#include "lbnode/node/hang_watch.h"

#include <stddef.h>

/* Busy cores delay an ordinary process by fractions of a second. The election has real-time
 * priority, and a lone node's addresses last for 2 s; clients wait for the proxy; health and
 * control work on large configurations now and then, and nobody waits for them. */
static const uint32_t limits_ms[PROCESS_ROLE_COUNT] = {
    [PROCESS_VRRP] = 1500,
    [PROCESS_PROXY] = 3000,
    [PROCESS_HEALTH] = 10000,
    [PROCESS_CONTROL] = 30000,
};

uint32_t hang_watch_limit(enum process_role role)
{
    return limits_ms[role] / HANG_CHECK_MS;
}

void hang_watch_alive(struct hang_watch *watch)
{
    *watch = (struct hang_watch){.speaks = true};
}

bool hang_watch_check(struct hang_watch *watch, enum process_role role)
{
    if (!watch->speaks)
        return false;
    return ++watch->missed >= hang_watch_limit(role);
}

bool hang_watch_is_silent(const struct hang_watch *watch)
{
    return watch->speaks && watch->missed > HANG_SILENT_CHECKS;
}

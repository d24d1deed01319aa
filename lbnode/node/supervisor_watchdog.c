/* Kills what hangs without dying; the rest is as with any death. */
#include "lbnode/node/supervisor_internal.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"
#include "lbnode/node/service_notify.h"

#include <signal.h>

enum {
    WAKING_US = 200000 /* what came while we slept is handled by then */
};

static bool is_late(const struct supervisor *supervisor, uint64_t now_us)
{
    return now_us >
           supervisor->watchdog_due_us + supervisor->settings->hang_check_ms * UINT64_C(1000);
}

bool watchdog_slept(const struct supervisor *supervisor)
{
    uint64_t now_us = monotime_now_us();
    bool woke = supervisor->woke_us && now_us - supervisor->woke_us < WAKING_US;
    return woke || is_late(supervisor, now_us);
}

static void check(struct loop_timer *timer)
{
    struct supervisor *supervisor = CONTAINER_OF(timer, struct supervisor, watchdog_timer);
    uint64_t now_us = monotime_now_us();
    if (is_late(supervisor, now_us))
        supervisor->woke_us = now_us;
    for (int role = 0; role < PROCESS_ROLE_COUNT; role++) {
        struct child *child = &supervisor->children[role];
        if (child->pid <= 0 || !hang_watch_check(&child->hang, child->role))
            continue;
        supervisor_event(supervisor, EVENT_PROCESS_HUNG,
                         "%s (process %d) gave no sign of life for %.1f s and is killed",
                         process_role_name(child->role), (int)child->pid,
                         hang_watch_limit(child->role) * supervisor->settings->hang_check_ms /
                             1000.0);
        kill(child->pid, SIGKILL);
    }
    service_notify("WATCHDOG=1"); /* the service manager looks after the supervisor */
    watchdog_start(supervisor);
}

void watchdog_start(struct supervisor *supervisor)
{
    supervisor->watchdog_due_us =
        monotime_now_us() + supervisor->settings->hang_check_ms * UINT64_C(1000);
    if (!supervisor->stopping)
        loop_timer_start(supervisor->loop, &supervisor->watchdog_timer,
                         supervisor->settings->hang_check_ms, check);
}

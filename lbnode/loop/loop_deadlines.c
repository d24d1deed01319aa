#include "lbnode/loop/loop_deadlines.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"

static void on_timer(struct loop_timer *timer);

static void wake_at(struct loop_deadlines *deadlines, uint64_t due_ms)
{
    uint64_t now_ms = monotime_now_ms();
    deadlines->timer_ms = due_ms;
    loop_timer_start(deadlines->loop, &deadlines->timer, due_ms > now_ms ? due_ms - now_ms : 0,
                     on_timer);
}

static void report(void *context, struct deadline *deadline)
{
    const struct loop_deadlines *deadlines = context;
    deadlines->on_expired(deadline);
}

static void advance(struct loop_deadlines *deadlines)
{
    deadline_wheel_advance(&deadlines->wheel, monotime_now_ms(), report, deadlines);
}

static void on_timer(struct loop_timer *timer)
{
    struct loop_deadlines *deadlines = CONTAINER_OF(timer, struct loop_deadlines, timer);
    deadlines->timer_ms = UINT64_MAX;
    advance(deadlines);
    uint64_t next_ms = deadline_wheel_next_ms(&deadlines->wheel);
    if (next_ms < deadlines->timer_ms)
        wake_at(deadlines, next_ms);
}

void loop_deadlines_init(struct loop_deadlines *deadlines,
                         struct loop *loop,
                         void (*on_expired)(struct deadline *))
{
    deadlines->loop = loop;
    deadlines->timer = (struct loop_timer){.active = false};
    deadlines->timer_ms = UINT64_MAX;
    deadlines->on_expired = on_expired;
    deadline_wheel_init(&deadlines->wheel, monotime_now_ms());
}

void loop_deadlines_set(struct loop_deadlines *deadlines,
                        struct deadline *deadline,
                        uint64_t when_ms)
{
    if (deadlines->wheel.count == 0) /* it may have stood still for long */
        advance(deadlines);
    deadline_set(&deadlines->wheel, deadline, when_ms);
    uint64_t due_ms = (when_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS * WHEEL_TICK_MS;
    if (due_ms < deadlines->timer_ms)
        wake_at(deadlines, due_ms);
}

void loop_deadlines_clear(struct loop_deadlines *deadlines, struct deadline *deadline)
{
    deadline_clear(&deadlines->wheel, deadline);
}

void loop_deadlines_stop(struct loop_deadlines *deadlines)
{
    loop_timer_stop(&deadlines->timer);
}

#include "lbnode/loop/heartbeat.h"

#include "lbnode/base/bytes.h"

static void beat(struct loop_timer *timer)
{
    struct heartbeat *heartbeat = CONTAINER_OF(timer, struct heartbeat, timer);
    struct message_alive alive = MESSAGE_OF(ALIVE, struct message_alive);
    if (!heartbeat->is_well || heartbeat->is_well(heartbeat->context))
        channel_send(heartbeat->channel, &alive.header, NULL, 0);
    heartbeat->due_ms = loop_now_ms(heartbeat->loop) + HEARTBEAT_MS;
    loop_timer_start(heartbeat->loop, timer, HEARTBEAT_MS, beat);
}

void heartbeat_start(struct heartbeat *heartbeat, struct loop *loop, struct channel *channel)
{
    heartbeat->loop = loop;
    heartbeat->channel = channel;
    beat(&heartbeat->timer);
}

void heartbeat_advance(struct heartbeat *heartbeat, uint64_t slack_ms)
{
    if (heartbeat->timer.active && loop_now_ms(heartbeat->loop) + slack_ms >= heartbeat->due_ms)
        beat(&heartbeat->timer);
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
    loop_timer_stop(&heartbeat->timer);
}

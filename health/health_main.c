/* The process around the monitor set: takes snapshots and imported verdicts from the channel.
 */
#include "health/confinement.h"
#include "health/health.h"
#include "health/monitor_set.h"
#include "lbnode/base/log.h"
#include "lbnode/loop/heartbeat.h"
#include "lbnode/model/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct health {
    struct loop *loop;
    struct channel *channel;
    struct monitor_set *monitors;
    struct heartbeat heartbeat;
};

static void report(struct health *health, enum event_code code, const char *text)
{
    struct message_event event = MESSAGE_OF(EVENT, struct message_event);
    event.code = code;
    snprintf(event.text, sizeof(event.text), "%s", text);
    channel_send(health->channel, &event.header, NULL, 0);
}

static void adopt(struct health *health, int fd)
{
    struct error error = {0};
    const struct snapshot *snapshot = snapshot_open(fd, &error);
    if (snapshot)
        monitor_set_adopt(health->monitors, snapshot);
    else
        report(health, EVENT_SNAPSHOT_REJECTED, error.text);
}

static void import(struct health *health, const struct message_imported_verdicts *message)
{
    for (uint32_t i = 0; i < message->count && i < IMPORTED_VERDICTS; i++) {
        const struct imported_verdict *verdict = &message->verdicts[i];
        if (verdict->state <= VERDICT_ERROR)
            monitor_set_import(health->monitors, verdict->member_slot, verdict->incarnation,
                               verdict->state, verdict->age_ms);
    }
}

static void
on_message(void *context, const struct message *message, const int *fds, size_t fd_count)
{
    struct health *health = context;
    const union message_buffer *any = (const union message_buffer *)(const void *)message;
    if (message->type == MESSAGE_SNAPSHOT && fd_count == 1)
        adopt(health, fds[0]);
    else if (message->type == MESSAGE_IMPORTED_VERDICTS)
        import(health, &any->member_IMPORTED_VERDICTS);
    else if (message->type == MESSAGE_HEALTH_RANK &&
             any->member_HEALTH_RANK.rank <= HEALTH_RANK_OTHER)
        monitor_set_rank(health->monitors, &any->member_HEALTH_RANK.group_id,
                         any->member_HEALTH_RANK.rank);
    else if (message->type == MESSAGE_SUSPICION)
        monitor_set_probe_now(health->monitors, any->member_SUSPICION.member_slot,
                              any->member_SUSPICION.incarnation);
    else if (message->type == MESSAGE_PROBE_NOW)
        monitor_set_probe_now(health->monitors, any->member_PROBE_NOW.member_slot,
                              any->member_PROBE_NOW.incarnation);
    else if (message->type == MESSAGE_STOP)
        loop_stop(health->loop);
    for (size_t i = 0; i < fd_count; i++)
        close(fds[i]);
}

static void on_closed(void *context)
{
    struct health *health = context;
    loop_stop(health->loop);
}

int health_main(const struct process_context *context)
{
    if (!confinement_enter())
        log_warning("the kernel does not confine this process: %s", strerror(errno));
    struct health health = {.loop = loop_new()};
    struct channel_handler handler = {on_message, on_closed, &health};
    if (health.loop) {
        health.channel = channel_new(health.loop, context->channel_fd, &handler);
        health.monitors = monitor_set_new(health.loop, context->verdicts, &context->icmp);
    }
    bool ready = health.channel && health.monitors;
    if (ready) {
        heartbeat_start(&health.heartbeat, health.loop, health.channel);
        loop_run(health.loop);
    } else {
        log_error("cannot start: out of memory or descriptors");
    }
    heartbeat_stop(&health.heartbeat);
    monitor_set_free(health.monitors);
    channel_free(health.channel);
    loop_free(health.loop);
    return ready ? 0 : 1;
}

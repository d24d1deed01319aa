#include "health/member_probe.h"

#include "lbnode/base/bytes.h"

#include <string.h>

struct probe_kind {
    void (*start)(struct prober *, struct member_probe *, const struct probe_target *);
    void (*expire)(struct member_probe *, uint32_t slack_ms);
    void (*cancel)(struct member_probe *);
};

static void finish(struct member_probe *probe, const struct probe_result *result)
{
    probe->kind = NULL;
    probe->on_result(probe, result);
}

/* ---- connections: TCP, HTTP and what runs over them ---------------------------------------
 */

static void on_stream(struct probe *stream, const struct probe_result *result)
{
    finish(CONTAINER_OF(stream, struct member_probe, of.stream), result);
}

static void stream_start(struct prober *prober,
                         struct member_probe *probe,
                         const struct probe_target *target)
{
    probe_start(prober, &probe->of.stream, target, on_stream);
}

static void stream_expire(struct member_probe *probe, uint32_t slack_ms)
{
    probe_expire(&probe->of.stream, slack_ms);
}

static void stream_cancel(struct member_probe *probe)
{
    probe_cancel(&probe->of.stream);
}

static const struct probe_kind stream_kind = {stream_start, stream_expire, stream_cancel};

/* ---- PING ---------------------------------------------------------------------------------
 */

static void on_echo(struct ping *ping, enum verdict_reason reason, uint32_t round_trip_us)
{
    struct probe_result result = {.reason = reason, .round_trip_us = round_trip_us};
    finish(CONTAINER_OF(ping, struct member_probe, of.ping), &result);
}

static void
echo_start(struct prober *prober, struct member_probe *probe, const struct probe_target *target)
{
    ping_start(prober->pinger, &probe->of.ping, &target->endpoint.address, target->timeout_ms,
               on_echo);
}

static void echo_expire(struct member_probe *probe, uint32_t slack_ms)
{
    ping_expire(&probe->of.ping, slack_ms);
}

static void echo_cancel(struct member_probe *probe)
{
    ping_cancel(&probe->of.ping);
}

static const struct probe_kind echo_kind = {echo_start, echo_expire, echo_cancel};

/* ---- UDP-CONNECT --------------------------------------------------------------------------
 */

static void
on_datagram(struct udp_connect *datagram, enum verdict_reason reason, uint32_t round_trip_us)
{
    struct probe_result result = {.reason = reason, .round_trip_us = round_trip_us};
    finish(CONTAINER_OF(datagram, struct member_probe, of.datagram), &result);
}

static void datagram_start(struct prober *prober,
                           struct member_probe *probe,
                           const struct probe_target *target)
{
    udp_connect_start(prober->loop, prober->pinger, &probe->of.datagram, &target->endpoint,
                      target->timeout_ms, on_datagram);
}

static void datagram_expire(struct member_probe *probe, uint32_t slack_ms)
{
    udp_connect_expire(&probe->of.datagram, slack_ms);
}

static void datagram_cancel(struct member_probe *probe)
{
    udp_connect_cancel(&probe->of.datagram);
}

static const struct probe_kind datagram_kind = {datagram_start, datagram_expire,
                                                datagram_cancel};

/* ---- the table ----------------------------------------------------------------------------
 */

/* By enum snapshot_monitor_type; all others are connections. */
static const struct probe_kind *const kinds[] = {
    [SNAPSHOT_MONITOR_HTTP] = &stream_kind,  [SNAPSHOT_MONITOR_TCP] = &stream_kind,
    [SNAPSHOT_MONITOR_HTTPS] = &stream_kind, [SNAPSHOT_MONITOR_TLS_HELLO] = &stream_kind,
    [SNAPSHOT_MONITOR_PING] = &echo_kind,    [SNAPSHOT_MONITOR_UDP_CONNECT] = &datagram_kind,
};

void member_probe_start(struct prober *prober,
                        struct member_probe *probe,
                        const struct probe_target *target,
                        void (*on_result)(struct member_probe *, const struct probe_result *))
{
    const struct probe_kind *kind =
        target->type < ARRAY_LENGTH(kinds) ? kinds[target->type] : NULL;
    memset(probe, 0, sizeof(*probe)); /* it may have been of another kind */
    probe->kind = kind ? kind : &stream_kind;
    probe->on_result = on_result;
    probe->kind->start(prober, probe, target);
}

void member_probe_expire(struct member_probe *probe, uint32_t slack_ms)
{
    if (probe->kind)
        probe->kind->expire(probe, slack_ms);
}

bool member_probe_is_running(const struct member_probe *probe)
{
    return probe->kind != NULL;
}

void member_probe_cancel(struct member_probe *probe)
{
    if (!probe->kind)
        return;
    probe->kind->cancel(probe);
    probe->kind = NULL;
}

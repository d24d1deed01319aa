#include "health/probe.h"

#include "lbnode/base/monotime.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(sizeof(struct probe) <= 608, "a probe in flight is to cost 0.6 KiB at most");

/* ---- the end -------------------------------------------------------------------------------
 */

/* By reset: the member forgets the connection at once, and neither side keeps a TIME_WAIT. */
static void close_connection(int fd)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(fd);
}

static void release(struct probe *probe)
{
    struct prober *prober = probe->prober;
    loop_swarm_leave(prober->swarm, &probe->io);
    loop_deadlines_clear(&prober->deadlines, &probe->deadline);
    probe_exchange_end(&probe->exchange, probe->target);
    if (probe->exchange.fd >= 0)
        close_connection(probe->exchange.fd);
    probe->exchange.fd = -1;
    probe->target = NULL;
}

static void finish(struct probe *probe, enum verdict_reason reason, uint16_t status)
{
    struct probe_result result = {
        .reason = reason,
        .status = status,
        .round_trip_us = (uint32_t)(monotime_now_us() - probe->started_us),
        .is_void = probe_exchange_failed_to_resume(&probe->exchange, probe->target, reason),
    };
    if (probe->target->memory)
        probe_memory_end(probe->target->memory, probe->exchange.tls,
                         reason == VERDICT_REASON_NONE, probe->started_us / 1000);
    release(probe);
    probe->on_result(probe, &result);
}

/* Events come once for each change: whatever can be done is done before the next one. */
static void on_ready(struct swarm_io *io, unsigned readiness)
{
    struct probe *probe = CONTAINER_OF(io, struct probe, io);
    struct probe_judgement judgement;
    if (probe->exchange.stage == PROBE_CONNECTS && !(readiness & LOOP_WRITABLE))
        return;
    if (probe_exchange_go_on(&probe->exchange, probe->prober, probe->target,
                             readiness & LOOP_READABLE, &judgement))
        finish(probe, judgement.reason, judgement.status);
}

static void end_late(struct probe *probe)
{
    finish(probe, probe_exchange_lateness(&probe->exchange, probe->target), 0);
}

void probe_on_deadline(struct deadline *deadline)
{
    struct probe *probe = CONTAINER_OF(deadline, struct probe, deadline);
    if (probe->start_failure)
        finish(probe, (enum verdict_reason)probe->start_failure, 0);
    else
        end_late(probe);
}

/* ---- the start -----------------------------------------------------------------------------
 */

static void end_in(struct probe *probe, uint32_t delay_ms)
{
    loop_deadlines_set(&probe->prober->deadlines, &probe->deadline,
                       probe->started_us / 1000 + delay_ms);
}

/* What is wrong is reported from the loop, never from inside probe_start. */
static void fail_soon(struct probe *probe, enum verdict_reason reason)
{
    probe->start_failure = (uint8_t)reason;
    end_in(probe, 0);
}

/* A socket whose first acknowledgement waits for what is to be sent: that saves a packet, and a
 * member whose connection is reset at once never has to accept it. */
static int open_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), no = 0;
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &no, sizeof(no));
    return fd;
}

void probe_start(struct prober *prober,
                 struct probe *probe,
                 const struct probe_target *target,
                 void (*on_result)(struct probe *, const struct probe_result *))
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&target->endpoint, &address);
    probe->prober = prober;
    probe->target = target;
    probe->on_result = on_result;
    probe->started_us = monotime_now_us();
    if (target->memory)
        probe_memory_begin(target->memory, probe->started_us / 1000);
    probe->start_failure = VERDICT_REASON_NONE;
    probe->deadline = (struct deadline){0};
    int fd = open_socket(address.ss_family);
    probe_exchange_init(&probe->exchange, fd, (uint32_t)probe->started_us);
    if (fd < 0) {
        fail_soon(probe, probe_connect_reason(errno));
        return;
    }
    if (connect(fd, (const struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS) {
        fail_soon(probe, probe_connect_reason(errno));
        return;
    }
    if (loop_swarm_join(prober->swarm, &probe->io, fd, on_ready) != 0) {
        fail_soon(probe, VERDICT_REASON_LOCAL);
        return;
    }
    end_in(probe, target->timeout_ms);
}

void probe_expire(struct probe *probe, uint32_t slack_ms)
{
    uint64_t ran_ms = (monotime_now_us() - probe->started_us) / 1000;
    if (ran_ms + slack_ms >= probe->target->timeout_ms)
        end_late(probe);
}

bool probe_is_running(const struct probe *probe)
{
    return probe->target != NULL;
}

void probe_cancel(struct probe *probe)
{
    if (probe_is_running(probe))
        release(probe);
}

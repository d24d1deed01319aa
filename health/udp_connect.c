#include "health/udp_connect.h"

#include "lbnode/base/bytes.h"
#include "lbnode/base/monotime.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a service gets that waits for more: as little as Octavia's check sends. */
static const char payload[] = {'X'};

static void release(struct udp_connect *probe)
{
    ping_cancel(&probe->ping);
    loop_io_stop(&probe->io);
    loop_timer_stop(&probe->timer);
    if (probe->fd >= 0)
        close(probe->fd);
    probe->fd = -1;
    probe->pinger = NULL;
}

static void
finish(struct udp_connect *probe, enum verdict_reason reason, uint64_t round_trip_us)
{
    release(probe);
    probe->on_result(probe, reason, (uint32_t)round_trip_us);
}

static uint64_t elapsed_us(const struct udp_connect *probe)
{
    return monotime_now_us() - probe->started_us;
}

static enum verdict_reason reason_of_errno(int error_number)
{
    return error_number == ECONNREFUSED ? VERDICT_REASON_PORT_UNREACHABLE
                                        : ping_reason_of_errno(error_number);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct udp_connect *probe = CONTAINER_OF(io, struct udp_connect, io);
    char received;
    ssize_t size = recv(probe->fd, &received, sizeof(received), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    finish(probe, size < 0 ? reason_of_errno(errno) : VERDICT_REASON_NONE, elapsed_us(probe));
}

static void on_timer(struct loop_timer *timer)
{
    struct udp_connect *probe = CONTAINER_OF(timer, struct udp_connect, timer);
    finish(probe, probe->reason, probe->round_trip_us);
}

static void on_echo(struct ping *ping, enum verdict_reason reason, uint32_t round_trip_us)
{
    struct udp_connect *probe = CONTAINER_OF(ping, struct udp_connect, ping);
    if (reason != VERDICT_REASON_NONE) {
        finish(probe, reason, round_trip_us);
        return;
    }
    uint64_t elapsed_ms = elapsed_us(probe) / 1000;
    uint64_t left_ms = elapsed_ms < probe->timeout_ms ? probe->timeout_ms - elapsed_ms : 0;
    probe->reason = VERDICT_REASON_NONE;
    probe->round_trip_us = round_trip_us;
    loop_timer_start(probe->loop, &probe->timer,
                     left_ms < UDP_CONNECT_QUIET_MS ? left_ms : UDP_CONNECT_QUIET_MS, on_timer);
}

/* A router's word that the host is unreachable counts, too; without the option it would not be
 * passed on. */
static void hear_all_errors(int fd, int family)
{
    int on = 1;
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
    else
        setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
}

/* 0 or -errno. */
static int send_datagram(struct udp_connect *probe, const struct ip_endpoint *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    probe->fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0)
        return -errno;
    hear_all_errors(probe->fd, address.ss_family);
    if (connect(probe->fd, (const struct sockaddr *)&address, size) != 0 ||
        send(probe->fd, payload, sizeof(payload), MSG_NOSIGNAL) < 0)
        return -errno;
    return loop_io_start(probe->loop, &probe->io, probe->fd, LOOP_READABLE, on_ready);
}

void udp_connect_start(struct loop *loop,
                       struct pinger *pinger,
                       struct udp_connect *probe,
                       const struct ip_endpoint *endpoint,
                       uint32_t timeout_ms,
                       void (*on_result)(struct udp_connect *, enum verdict_reason, uint32_t))
{
    *probe = (struct udp_connect){.loop = loop,
                                  .pinger = pinger,
                                  .fd = -1,
                                  .timeout_ms = timeout_ms,
                                  .started_us = monotime_now_us(),
                                  .on_result = on_result};
    int rv = send_datagram(probe, endpoint);
    if (rv == 0) {
        ping_start(pinger, &probe->ping, &endpoint->address, timeout_ms, on_echo);
        return;
    }
    probe->reason = reason_of_errno(-rv);
    loop_timer_start(loop, &probe->timer, 0, on_timer);
}

void udp_connect_expire(struct udp_connect *probe, uint32_t slack_ms)
{
    if (ping_is_running(&probe->ping))
        ping_expire(&probe->ping, slack_ms);
    else if (elapsed_us(probe) / 1000 + slack_ms >= probe->timeout_ms)
        on_timer(&probe->timer);
}

bool udp_connect_is_running(const struct udp_connect *probe)
{
    return probe->pinger != NULL;
}

void udp_connect_cancel(struct udp_connect *probe)
{
    if (udp_connect_is_running(probe))
        release(probe);
}

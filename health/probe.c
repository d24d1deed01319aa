#include "health/probe.h"

#include "lbnode/base/monotime.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
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
    loop_io_stop(&probe->io);
    loop_timer_stop(&probe->timer);
    if (probe->fd >= 0)
        close_connection(probe->fd);
    probe->fd = -1;
    probe_answer_reset(&probe->answer);
    probe->target = NULL;
}

static void finish(struct probe *probe, enum verdict_reason reason, uint16_t status)
{
    struct probe_result result = {reason, status,
                                  (uint32_t)(monotime_now_us() - probe->started_us)};
    release(probe);
    probe->on_result(probe, &result);
}

/* Whether this node or the member is the cause: a connection that could not be made. */
static enum verdict_reason reason_of_connect(int error_number)
{
    switch (error_number) {
    case ECONNREFUSED: return VERDICT_REASON_CONNECT_REFUSED;
    case ETIMEDOUT: return VERDICT_REASON_CONNECT_TIMEOUT;
    case ECONNRESET:
    case EPIPE: return VERDICT_REASON_RESET;
    case ENETUNREACH: return VERDICT_REASON_NO_ROUTE;
    case EACCES:
    case EPERM: return VERDICT_REASON_FORBIDDEN;
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return VERDICT_REASON_LOCAL;
    default: return VERDICT_REASON_UNREACHABLE;
    }
}

/* A connection that was there and failed. */
static enum verdict_reason reason_of_failure(const struct probe *probe, int error_number)
{
    if (probe->stage == PROBE_CONNECTS)
        return reason_of_connect(error_number);
    if (error_number == ECONNRESET || error_number == EPIPE)
        return probe->answer.begun ? VERDICT_REASON_RESET_IN_ANSWER : VERDICT_REASON_RESET;
    if (error_number == ETIMEDOUT) /* nothing is acknowledged any more */
        return probe->answer.begun ? VERDICT_REASON_ANSWER_SLOW : VERDICT_REASON_TIMEOUT;
    return reason_of_connect(error_number);
}

static bool is_request_taken(const struct probe *probe)
{
    int unacknowledged = 0;
    return probe->stage == PROBE_READS &&
           (ioctl(probe->fd, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0);
}

static enum verdict_reason reason_of_timeout(const struct probe *probe)
{
    if (probe->stage == PROBE_CONNECTS)
        return VERDICT_REASON_CONNECT_TIMEOUT;
    if (probe->answer.begun)
        return VERDICT_REASON_ANSWER_SLOW;
    return is_request_taken(probe) ? VERDICT_REASON_TIMEOUT : VERDICT_REASON_REQUEST_NOT_READ;
}

/* ---- from event to event -------------------------------------------------------------------
 */

/* 0 when the connection stands, else the errno of connect. */
static int connect_error(const struct probe *probe)
{
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
        return errno;
    return error_number;
}

/* Sends what is left of the request, which is made anew each time: it goes out whole at once,
 * unless it is longer than what the member's window takes. False: wait, or the probe ended. */
static bool send_request(struct probe *probe)
{
    char *request = probe->prober->scratch.bytes;
    size_t size = probe_request_write(&probe->target->request, request);
    if (size == 0) {
        finish(probe, VERDICT_REASON_LOCAL, 0);
        return false;
    }
    while (probe->sent < size) {
        ssize_t n = send(probe->fd, request + probe->sent, size - probe->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                finish(probe, reason_of_failure(probe, errno), 0);
            return false;
        }
        probe->stage = PROBE_SENDS;
        probe->sent = (uint16_t)(probe->sent + n);
    }
    probe->stage = PROBE_READS;
    return true;
}

static void read_answer(struct probe *probe)
{
    const struct probe_target *target = probe->target;
    struct probe_scratch *scratch = &probe->prober->scratch;
    struct probe_judgement judgement;
    for (;;) {
        size_t room;
        char *at = probe_answer_room(&probe->answer, scratch, &room);
        ssize_t n = recv(probe->fd, at, room, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            if (errno != EAGAIN)
                finish(probe, reason_of_failure(probe, errno), 0);
            return;
        }
        if (n == 0) {
            finish(probe,
                   probe->answer.begun ? VERDICT_REASON_CLOSED_IN_ANSWER
                                       : VERDICT_REASON_CLOSED,
                   0);
            return;
        }
        if (probe_answer_take(&probe->answer, scratch, (size_t)n, target->request.http_method,
                              target->expected_codes, &judgement)) {
            finish(probe, judgement.reason, judgement.status);
            return;
        }
    }
}

/* A refused connection is readable, too. */
static void judge_connection(struct probe *probe, unsigned readiness)
{
    int error_number = readiness & LOOP_READABLE ? connect_error(probe) : 0;
    finish(probe, error_number ? reason_of_connect(error_number) : VERDICT_REASON_NONE, 0);
}

/* Events come once for each change: whatever can be done is done before the next one. */
static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct probe *probe = CONTAINER_OF(io, struct probe, io);
    if (probe->stage == PROBE_CONNECTS && !(readiness & LOOP_WRITABLE))
        return;
    if (probe->target->type == SNAPSHOT_MONITOR_TCP)
        judge_connection(probe, readiness);
    else if (probe->stage == PROBE_READS || send_request(probe))
        read_answer(probe);
}

static void on_timeout(struct loop_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    finish(probe, reason_of_timeout(probe), 0);
}

/* ---- the start -----------------------------------------------------------------------------
 */

/* What is wrong is reported from the loop, never from inside probe_start. */
static void on_failed_start(struct loop_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    finish(probe, (enum verdict_reason)probe->start_failure, 0);
}

static void fail_soon(struct probe *probe, enum verdict_reason reason)
{
    probe->start_failure = (uint8_t)reason;
    loop_timer_start(probe->prober->loop, &probe->timer, 0, on_failed_start);
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
    unsigned events = LOOP_WRITABLE | LOOP_READABLE | LOOP_EDGE;
    probe->prober = prober;
    probe->target = target;
    probe->on_result = on_result;
    probe->stage = PROBE_CONNECTS;
    probe->sent = 0;
    probe->answer = (struct probe_answer){0};
    probe->started_us = monotime_now_us();
    probe->fd = open_socket(address.ss_family);
    if (probe->fd < 0) {
        fail_soon(probe, reason_of_connect(errno));
        return;
    }
    if (connect(probe->fd, (const struct sockaddr *)&address, size) != 0 &&
        errno != EINPROGRESS) {
        fail_soon(probe, reason_of_connect(errno));
        return;
    }
    if (loop_io_start(prober->loop, &probe->io, probe->fd, events, on_ready) != 0) {
        fail_soon(probe, VERDICT_REASON_LOCAL);
        return;
    }
    loop_timer_start(prober->loop, &probe->timer, target->timeout_ms, on_timeout);
}

void probe_expire(struct probe *probe, uint32_t slack_ms)
{
    uint64_t ran_ms = (monotime_now_us() - probe->started_us) / 1000;
    if (ran_ms + slack_ms >= probe->target->timeout_ms)
        on_timeout(&probe->timer);
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

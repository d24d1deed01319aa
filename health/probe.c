#include "health/probe.h"

#include "health/expected_codes.h"
#include "lbnode/base/monotime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void release(struct probe *probe)
{
    loop_io_stop(&probe->io);
    loop_timer_stop(&probe->timer);
    if (probe->fd >= 0)
        close(probe->fd);
    probe->fd = -1;
    free(probe->buffer);
    free(probe->head);
    probe->buffer = NULL;
    probe->head = NULL;
    probe->target = NULL;
}

static void finish(struct probe *probe, enum verdict_reason reason, uint16_t status)
{
    struct probe_result result = {reason, status,
                                  (uint32_t)(monotime_now_us() - probe->started_us)};
    release(probe);
    probe->on_result(probe, &result);
}

static enum verdict_reason reason_of_errno(int error_number)
{
    switch (error_number) {
    case ECONNREFUSED: return VERDICT_REASON_CONNECT_REFUSED;
    case ETIMEDOUT: return VERDICT_REASON_CONNECT_TIMEOUT;
    case ECONNRESET:
    case EPIPE: return VERDICT_REASON_RESET;
    default: return VERDICT_REASON_UNREACHABLE;
    }
}

/* 0 when the connection stands, else the errno of connect. */
static int connect_error(const struct probe *probe)
{
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
        return errno;
    return error_number;
}

/* Sends the rest of the request; false when the probe ended. */
static bool send_request(struct probe *probe)
{
    while (probe->sent < probe->request_size) {
        ssize_t n = send(probe->fd, probe->buffer + probe->sent,
                         probe->request_size - probe->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0) {
            finish(probe, reason_of_errno(errno), 0);
            return false;
        }
        probe->sent += (size_t)n;
    }
    loop_io_change(probe->loop, &probe->io, LOOP_READABLE);
    return true;
}

static void judge_answer(struct probe *probe)
{
    const char *method = probe->target->request.http_method;
    struct bytes method_bytes = {(const uint8_t *)method, strlen(method)};
    for (;;) {
        switch (
            http_response_parse(probe->head, probe->buffer, probe->received, method_bytes)) {
        case HTTP_NEED_MORE:
            if (probe->received == PROBE_ANSWER_SIZE)
                finish(probe, VERDICT_REASON_MALFORMED, 0);
            return;
        case HTTP_BAD: finish(probe, VERDICT_REASON_MALFORMED, 0); return;
        case HTTP_COMPLETE: break;
        }
        if (probe->head->status >= 200)
            break;
        probe->received -= probe->head->size; /* an interim answer: the final one follows */
        memmove(probe->buffer, probe->buffer + probe->head->size, probe->received);
        http_head_init(probe->head);
    }
    uint16_t status = probe->head->status;
    bool expected = expected_codes_match(probe->target->expected_codes, status);
    finish(probe, expected ? VERDICT_REASON_NONE : VERDICT_REASON_STATUS, status);
}

static void read_answer(struct probe *probe)
{
    ssize_t n = recv(probe->fd, probe->buffer + probe->received,
                     PROBE_ANSWER_SIZE - probe->received, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        finish(probe, reason_of_errno(errno), 0);
        return;
    }
    if (n == 0) {
        finish(probe, probe->received ? VERDICT_REASON_MALFORMED : VERDICT_REASON_RESET, 0);
        return;
    }
    probe->received += (size_t)n;
    judge_answer(probe);
}

static void on_connected(struct probe *probe)
{
    int error_number = connect_error(probe);
    if (error_number) {
        finish(probe, reason_of_errno(error_number), 0);
        return;
    }
    probe->connected = true;
    if (probe->target->type == SNAPSHOT_MONITOR_TCP)
        finish(probe, VERDICT_REASON_NONE, 0);
    else
        send_request(probe);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct probe *probe = CONTAINER_OF(io, struct probe, io);
    if (!probe->connected)
        on_connected(probe);
    else if (probe->sent < probe->request_size)
        send_request(probe);
    else
        read_answer(probe);
}

static void on_timeout(struct loop_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    finish(probe, probe->connected ? VERDICT_REASON_TIMEOUT : VERDICT_REASON_CONNECT_TIMEOUT,
           0);
}

/* What is wrong is reported from the loop, never from inside probe_start. */
static void on_failed_start(struct loop_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    finish(probe, probe->start_failure, 0);
}

static void fail_soon(struct probe *probe, enum verdict_reason reason)
{
    probe->start_failure = reason;
    loop_timer_start(probe->loop, &probe->timer, 0, on_failed_start);
}

static bool prepare_request(struct probe *probe)
{
    if (probe->target->type == SNAPSHOT_MONITOR_TCP)
        return true;
    probe->buffer = malloc(PROBE_ANSWER_SIZE);
    probe->head = malloc(sizeof(*probe->head));
    if (!probe->buffer || !probe->head)
        return false;
    http_head_init(probe->head);
    probe->request_size = probe_request_write(&probe->target->request, probe->buffer);
    return probe->request_size > 0;
}

void probe_start(struct loop *loop,
                 struct probe *probe,
                 const struct probe_target *target,
                 void (*on_result)(struct probe *, const struct probe_result *))
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(&target->endpoint, &address);
    probe->loop = loop;
    probe->target = target;
    probe->on_result = on_result;
    probe->connected = false;
    probe->request_size = probe->sent = probe->received = 0;
    probe->started_us = monotime_now_us();
    probe->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0 || !prepare_request(probe)) {
        fail_soon(probe, VERDICT_REASON_UNREACHABLE);
        return;
    }
    if (connect(probe->fd, (const struct sockaddr *)&address, size) != 0 &&
        errno != EINPROGRESS) {
        fail_soon(probe, reason_of_errno(errno));
        return;
    }
    if (loop_io_start(loop, &probe->io, probe->fd, LOOP_WRITABLE, on_ready) != 0) {
        fail_soon(probe, VERDICT_REASON_UNREACHABLE);
        return;
    }
    loop_timer_start(loop, &probe->timer, target->timeout_ms, on_timeout);
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

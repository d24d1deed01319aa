#include "health/probe_exchange.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum transfer {
    TRANSFER_DONE,
    TRANSFER_LATER,
    TRANSFER_END, /* the judgement says why */
};

static bool decide(struct probe_judgement *out, enum verdict_reason reason, uint16_t status)
{
    *out = (struct probe_judgement){reason, status};
    return true;
}

static enum transfer end(struct probe_judgement *out, enum verdict_reason reason)
{
    decide(out, reason, 0);
    return TRANSFER_END;
}

/* ---- reasons -------------------------------------------------------------------------------
 */

enum verdict_reason probe_connect_reason(int error_number)
{
    switch (error_number) {
    case 0: return VERDICT_REASON_NONE;
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

static bool is_handshake(const struct probe_exchange *exchange,
                         const struct probe_target *target)
{
    return exchange->stage == PROBE_SHAKES_HANDS || target->type == SNAPSHOT_MONITOR_TLS_HELLO;
}

static bool is_request_taken(const struct probe_exchange *exchange)
{
    int unacknowledged = 0;
    return exchange->stage == PROBE_READS &&
           (ioctl(exchange->fd, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0);
}

enum verdict_reason probe_exchange_lateness(const struct probe_exchange *exchange,
                                            const struct probe_target *target)
{
    if (exchange->stage == PROBE_CONNECTS)
        return VERDICT_REASON_CONNECT_TIMEOUT;
    if (is_handshake(exchange, target))
        return VERDICT_REASON_TLS_SLOW;
    if (exchange->is_answered)
        return VERDICT_REASON_ANSWER_SLOW;
    return is_request_taken(exchange) ? VERDICT_REASON_TIMEOUT
                                      : VERDICT_REASON_REQUEST_NOT_READ;
}

static enum verdict_reason reason_of_close(const struct probe_exchange *exchange,
                                           const struct probe_target *target)
{
    if (is_handshake(exchange, target))
        return VERDICT_REASON_TLS_CLOSED;
    return exchange->is_answered ? VERDICT_REASON_CLOSED_IN_ANSWER : VERDICT_REASON_CLOSED;
}

/* A connection that was there and failed. */
static enum verdict_reason reason_of_errno(const struct probe_exchange *exchange,
                                           const struct probe_target *target,
                                           int error_number)
{
    if (exchange->stage == PROBE_CONNECTS)
        return probe_connect_reason(error_number);
    if (error_number == ETIMEDOUT) /* nothing is acknowledged any more */
        return probe_exchange_lateness(exchange, target);
    if (error_number == EPIPE) /* it had closed its side before */
        return reason_of_close(exchange, target);
    if (error_number != ECONNRESET)
        return probe_connect_reason(error_number);
    if (is_handshake(exchange, target))
        return VERDICT_REASON_TLS_RESET;
    return exchange->is_answered ? VERDICT_REASON_RESET_IN_ANSWER : VERDICT_REASON_RESET;
}

static enum transfer end_tls(const struct probe_exchange *exchange,
                             const struct probe_target *target,
                             enum tls_result result,
                             struct probe_judgement *out)
{
    uint8_t first[TLS_FIRST_BYTES];
    bool shakes_hands = exchange->stage == PROBE_SHAKES_HANDS;
    switch (result) {
    case TLS_CLOSED: return end(out, reason_of_close(exchange, target));
    case TLS_ERRNO:
        return end(out, reason_of_errno(exchange, target, tls_client_errno(exchange->tls)));
    case TLS_ALERT:
        decide(out, VERDICT_REASON_TLS_ALERT, tls_client_alert(exchange->tls));
        return TRANSFER_END;
    case TLS_NO_TLS:
        return end(out,
                   tls_hello_diagnosis(first, tls_client_first_bytes(exchange->tls, first)));
    case TLS_NO_MEMORY: return end(out, VERDICT_REASON_LOCAL);
    case TLS_BROKEN:
    default:
        return end(out, shakes_hands ? VERDICT_REASON_TLS_FAILED : VERDICT_REASON_TLS_BROKEN);
    }
}

/* ---- bytes ---------------------------------------------------------------------------------
 */

static enum transfer send_bytes(struct probe_exchange *exchange,
                                const struct probe_target *target,
                                const char *data,
                                size_t size,
                                size_t *out_size,
                                struct probe_judgement *out)
{
    ssize_t n;
    if (exchange->tls) {
        enum tls_result result = tls_client_send(exchange->tls, data, size, out_size);
        if (result == TLS_DONE || result == TLS_AGAIN)
            return result == TLS_DONE ? TRANSFER_DONE : TRANSFER_LATER;
        return end_tls(exchange, target, result, out);
    }
    do
        n = send(exchange->fd, data, size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    *out_size = n > 0 ? (size_t)n : 0;
    if (n >= 0 || errno == EAGAIN)
        return n >= 0 ? TRANSFER_DONE : TRANSFER_LATER;
    return end(out, reason_of_errno(exchange, target, errno));
}

static enum transfer receive_bytes(struct probe_exchange *exchange,
                                   const struct probe_target *target,
                                   char *data,
                                   size_t size,
                                   size_t *out_size,
                                   struct probe_judgement *out)
{
    ssize_t n;
    if (exchange->tls) {
        enum tls_result result = tls_client_receive(exchange->tls, data, size, out_size);
        if (result == TLS_DONE || result == TLS_AGAIN)
            return result == TLS_DONE ? TRANSFER_DONE : TRANSFER_LATER;
        return end_tls(exchange, target, result, out);
    }
    do
        n = recv(exchange->fd, data, size, 0);
    while (n < 0 && errno == EINTR);
    *out_size = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return TRANSFER_DONE;
    if (n < 0 && errno == EAGAIN)
        return TRANSFER_LATER;
    return end(out, n == 0 ? reason_of_close(exchange, target)
                           : reason_of_errno(exchange, target, errno));
}

/* ---- from stage to stage: true when it ended -----------------------------------------------
 */

/* 0 when the connection stands, else the errno of connect. */
static int connect_error(const struct probe_exchange *exchange, bool is_readable)
{
    int error_number = 0;
    socklen_t size = sizeof(error_number);
    if (is_readable &&
        getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0)
        return errno;
    return error_number;
}

static size_t make_request(const struct probe_exchange *exchange,
                           const struct probe_target *target,
                           char *out)
{
    if (target->type == SNAPSHOT_MONITOR_TLS_HELLO)
        return tls_hello_write(exchange->seed, target->request.domain_name, (uint8_t *)out);
    return probe_request_write(&target->request, out);
}

static bool read_answer(struct probe_exchange *exchange,
                        struct prober *prober,
                        const struct probe_target *target,
                        struct probe_judgement *out)
{
    for (;;) {
        size_t room, size;
        char *at = probe_answer_room(&exchange->answer, &prober->scratch, &room);
        enum transfer transfer = receive_bytes(exchange, target, at, room, &size, out);
        if (transfer != TRANSFER_DONE)
            return transfer == TRANSFER_END;
        exchange->is_answered = true;
        if (probe_answer_take(&exchange->answer, &prober->scratch, size,
                              target->request.http_method, target->expected_codes, out))
            return true;
    }
}

static bool read_hello(struct probe_exchange *exchange,
                       struct prober *prober,
                       const struct probe_target *target,
                       struct probe_judgement *out)
{
    const uint8_t *data = (const uint8_t *)prober->scratch.bytes;
    for (;;) {
        size_t size;
        enum verdict_reason reason = VERDICT_REASON_NONE;
        uint8_t alert = 0;
        enum transfer transfer = receive_bytes(exchange, target, prober->scratch.bytes,
                                               PROBE_ANSWER_SIZE, &size, out);
        if (transfer != TRANSFER_DONE)
            return transfer == TRANSFER_END;
        exchange->is_answered = true;
        if (tls_hello_read(&exchange->hello, data, size, &reason, &alert))
            return decide(out, reason, reason == VERDICT_REASON_TLS_ALERT ? alert : 0);
    }
}

static bool read_reply(struct probe_exchange *exchange,
                       struct prober *prober,
                       const struct probe_target *target,
                       struct probe_judgement *out)
{
    return target->type == SNAPSHOT_MONITOR_TLS_HELLO
               ? read_hello(exchange, prober, target, out)
               : read_answer(exchange, prober, target, out);
}

static bool is_end_of_connection(enum verdict_reason reason)
{
    return reason == VERDICT_REASON_RESET || reason == VERDICT_REASON_CLOSED ||
           reason == VERDICT_REASON_TLS_RESET || reason == VERDICT_REASON_TLS_CLOSED;
}

/* The connection ended before the request was sent. What the member said before that, an early
 * answer or an alert, says more. */
static bool judge_parting(struct probe_exchange *exchange,
                          struct prober *prober,
                          const struct probe_target *target,
                          struct probe_judgement *out)
{
    struct probe_judgement parting;
    if (!is_end_of_connection(out->reason))
        return true;
    exchange->stage = PROBE_READS;
    if (read_reply(exchange, prober, target, &parting) && !is_end_of_connection(parting.reason))
        *out = parting;
    return true;
}

/* Sends what is left of the request, which is made anew each time: it goes out whole at once,
 * unless it is longer than what the member's window takes. */
static bool send_request(struct probe_exchange *exchange,
                         struct prober *prober,
                         const struct probe_target *target,
                         struct probe_judgement *out)
{
    char *request = prober->scratch.bytes;
    size_t size = make_request(exchange, target, request), n;
    if (size == 0)
        return decide(out, VERDICT_REASON_LOCAL, 0);
    while (exchange->sent < size) {
        enum transfer transfer = send_bytes(exchange, target, request + exchange->sent,
                                            size - exchange->sent, &n, out);
        if (transfer == TRANSFER_END)
            return judge_parting(exchange, prober, target, out);
        if (transfer == TRANSFER_LATER)
            return false;
        exchange->stage = PROBE_SENDS;
        exchange->sent = (uint16_t)(exchange->sent + n);
    }
    exchange->stage = PROBE_READS;
    return false;
}

static const struct tls_session *kept_session(const struct probe_target *target)
{
    return target->memory ? target->memory->session : NULL;
}

/* HTTPS: true when it ended. */
static bool shake_hands(struct probe_exchange *exchange,
                        struct prober *prober,
                        const struct probe_target *target,
                        bool is_readable,
                        struct probe_judgement *out)
{
    if (exchange->stage == PROBE_CONNECTS) {
        int error_number = connect_error(exchange, is_readable);
        struct tls_context *context = error_number ? NULL : prober_tls(prober);
        if (error_number)
            return decide(out, probe_connect_reason(error_number), 0);
        exchange->tls = context
                            ? tls_client_new(context, exchange->fd, target->request.domain_name,
                                             kept_session(target))
                            : NULL;
        if (!exchange->tls)
            return decide(out, VERDICT_REASON_LOCAL, 0);
        exchange->stage = PROBE_SHAKES_HANDS;
    }
    enum tls_result result = tls_client_handshake(exchange->tls);
    if (result == TLS_DONE)
        exchange->stage = PROBE_SENDS;
    else if (result != TLS_AGAIN)
        return end_tls(exchange, target, result, out) == TRANSFER_END;
    return false;
}

bool probe_exchange_go_on(struct probe_exchange *exchange,
                          struct prober *prober,
                          const struct probe_target *target,
                          bool is_readable,
                          struct probe_judgement *out)
{
    if (target->type == SNAPSHOT_MONITOR_TCP)
        return decide(out, probe_connect_reason(connect_error(exchange, is_readable)), 0);
    if (target->type == SNAPSHOT_MONITOR_HTTPS && exchange->stage <= PROBE_SHAKES_HANDS &&
        shake_hands(exchange, prober, target, is_readable, out))
        return true;
    if (exchange->stage == PROBE_SHAKES_HANDS)
        return false;
    if (exchange->stage != PROBE_READS && send_request(exchange, prober, target, out))
        return true;
    if (exchange->stage != PROBE_READS)
        return false;
    return read_reply(exchange, prober, target, out);
}

void probe_exchange_init(struct probe_exchange *exchange, int fd, uint32_t seed)
{
    *exchange = (struct probe_exchange){.fd = fd, .seed = seed};
}

bool probe_exchange_failed_to_resume(const struct probe_exchange *exchange,
                                     const struct probe_target *target,
                                     enum verdict_reason reason)
{
    return exchange->tls && exchange->stage == PROBE_SHAKES_HANDS && kept_session(target) &&
           reason != VERDICT_REASON_TLS_SLOW && reason != VERDICT_REASON_LOCAL;
}

void probe_exchange_end(struct probe_exchange *exchange, const struct probe_target *target)
{
    tls_client_free(exchange->tls);
    exchange->tls = NULL;
    if (target->type == SNAPSHOT_MONITOR_HTTP || target->type == SNAPSHOT_MONITOR_HTTPS)
        probe_answer_reset(&exchange->answer);
}

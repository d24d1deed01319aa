#include "health/ping.h"

#include "health/icmp_echo.h"
#include "lbnode/base/monotime.h"
#include "lbnode/base/random.h"
#include "lbnode/base/siphash.h"
#include "lbnode/loop/loop_deadlines.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    BATCH = 32, /* answers read by one call */
    BATCHES_PER_TURN = 8
};

struct echo_socket {
    struct pinger *pinger;
    struct loop_io io;
    int fd; /* -1: none */
    enum icmp_framing framing;
    bool is_full;           /* requests wait until it is writable */
    uint32_t first_waiting; /* where the next look at them begins */
};

struct pinger {
    struct loop *loop;
    struct echo_socket sockets[2]; /* IPv4, IPv6 */
    struct loop_deadlines deadlines;
    uint16_t identifier;
    uint8_t cookie_key[SIPHASH_KEY_SIZE];
    uint64_t started;    /* pings so far */
    uint32_t free_count; /* of free_numbers */
    uint16_t free_numbers[PING_MAXIMUM];
    struct ping *running[PING_MAXIMUM]; /* by number */
};

static struct echo_socket *socket_of(struct pinger *pinger, const struct ping *ping)
{
    return &pinger->sockets[ping->address.family == 6];
}

/* ---- the end of a ping --------------------------------------------------------------------
 */

static void release(struct ping *ping)
{
    struct pinger *pinger = ping->pinger;
    loop_deadlines_clear(&pinger->deadlines, &ping->deadline);
    pinger->running[ping->number] = NULL;
    pinger->free_numbers[pinger->free_count++] = ping->number;
    ping->pinger = NULL;
}

static void finish(struct ping *ping, enum verdict_reason reason, uint64_t now_us)
{
    release(ping);
    ping->on_result(ping, reason, (uint32_t)(now_us - ping->started_us));
}

/* ---- answers ------------------------------------------------------------------------------
 */

static void take_answer(struct echo_socket *self,
                        const struct sockaddr_storage *source,
                        struct bytes received,
                        uint64_t now_us)
{
    struct pinger *pinger = self->pinger;
    struct icmp_echo echo;
    struct ip_endpoint from;
    if (!icmp_echo_read(received, self->framing, &echo) ||
        echo.identifier != pinger->identifier || echo.sequence >= PING_MAXIMUM ||
        !ip_endpoint_from_sockaddr((const struct sockaddr *)source, &from))
        return;
    struct ping *ping = pinger->running[echo.sequence];
    if (!ping || ping->cookie != echo.cookie || ping->unsent ||
        !ip_address_equal(&ping->address, &from.address))
        return;
    finish(ping, VERDICT_REASON_NONE, now_us);
}

/* False: there may be no more. */
static bool read_batch(struct echo_socket *self)
{
    uint8_t received[BATCH][ICMP_DATAGRAM_MAXIMUM];
    struct sockaddr_storage sources[BATCH];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){received[i], sizeof(received[i])};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &sources[i],
                                                   .msg_namelen = sizeof(sources[i]),
                                                   .msg_iov = &pieces[i],
                                                   .msg_iovlen = 1}};
    }
    int count = recvmmsg(self->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    uint64_t now_us = monotime_now_us();
    for (int i = 0; i < count; i++) {
        struct bytes bytes = {received[i], messages[i].msg_len};
        if (!(messages[i].msg_hdr.msg_flags & MSG_TRUNC))
            take_answer(self, &sources[i], bytes, now_us);
    }
    return count == BATCH;
}

static void read_answers(struct echo_socket *self, unsigned batches)
{
    while (self->fd >= 0 && batches > 0 && read_batch(self))
        batches--;
}

/* ---- deadlines ----------------------------------------------------------------------------
 */

/* Answers that are there count, also when this process looks late: they are read first. */
static void end(struct ping *ping)
{
    read_answers(socket_of(ping->pinger, ping), PING_MAXIMUM / BATCH);
    if (ping_is_running(ping))
        finish(ping, ping->failure, monotime_now_us());
}

static void on_expired(struct deadline *deadline)
{
    end(CONTAINER_OF(deadline, struct ping, deadline));
}

static void set_deadline(struct ping *ping, uint64_t when_ms)
{
    loop_deadlines_set(&ping->pinger->deadlines, &ping->deadline, when_ms);
}

/* ---- requests -----------------------------------------------------------------------------
 */

/* 0 or -errno. */
static int send_request(const struct echo_socket *self, const struct ping *ping)
{
    struct icmp_echo echo = {self->pinger->identifier, ping->number, ping->cookie};
    struct ip_endpoint to = {.address = ping->address};
    struct sockaddr_storage address;
    uint8_t message[ICMP_ECHO_SIZE];
    socklen_t size = ip_endpoint_to_sockaddr(&to, &address);
    icmp_echo_write(&echo, self->framing, message);
    ssize_t sent = sendto(self->fd, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, size);
    return sent < 0 ? -errno : 0;
}

enum verdict_reason ping_reason_of_errno(int error_number)
{
    switch (error_number) {
    case ENETUNREACH:
    case ENETDOWN: return VERDICT_REASON_NO_ROUTE;
    case EPERM:
    case EACCES: return VERDICT_REASON_FORBIDDEN;
    case EADDRNOTAVAIL:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return VERDICT_REASON_LOCAL;
    default: return VERDICT_REASON_UNREACHABLE;
    }
}

/* False: the socket's buffer is full. Otherwise PING's failure says why it was not sent. */
static bool try_to_send(struct echo_socket *self, struct ping *ping)
{
    int rv = send_request(self, ping);
    ping->unsent = rv == -EAGAIN || rv == -ENOBUFS; /* an echo socket's word, a raw one's */
    ping->failure = rv == 0 ? VERDICT_REASON_NO_ECHO : ping_reason_of_errno(-rv);
    return !ping->unsent;
}

static void on_ready(struct loop_io *io, unsigned readiness);

static void set_full(struct echo_socket *self, bool is_full)
{
    if (self->is_full == is_full)
        return;
    self->is_full = is_full;
    loop_io_change(self->pinger->loop, &self->io,
                   is_full ? LOOP_READABLE | LOOP_WRITABLE : LOOP_READABLE);
}

/* The socket has room. Rare, so all are looked at, and in turn; one that is not sent although
 * there is room fails, so that it is not tried again and again. */
static void send_waiting(struct echo_socket *self)
{
    struct pinger *pinger = self->pinger;
    bool has_room = true;
    for (uint32_t i = 0; i < PING_MAXIMUM; i++) {
        uint32_t number = (self->first_waiting + i) % PING_MAXIMUM;
        struct ping *ping = pinger->running[number];
        if (!ping || !ping->unsent || socket_of(pinger, ping) != self)
            continue;
        bool tried = try_to_send(self, ping);
        if (!tried && !has_room) {
            self->first_waiting = number;
            return;
        }
        has_room = false; /* perhaps */
        ping->unsent = false;
        ping->started_us = monotime_now_us();
        if (ping->failure != VERDICT_REASON_NO_ECHO)
            set_deadline(ping, monotime_now_ms());
        if (!tried)
            return;
    }
    set_full(self, false);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct echo_socket *self = CONTAINER_OF(io, struct echo_socket, io);
    if (readiness & LOOP_READABLE)
        read_answers(self, BATCHES_PER_TURN);
    if (readiness & LOOP_WRITABLE)
        send_waiting(self);
}

/* ---- start --------------------------------------------------------------------------------
 */

static bool begin(struct pinger *pinger, struct ping *ping)
{
    struct echo_socket *self = socket_of(pinger, ping);
    if (self->fd < 0) {
        ping->failure = VERDICT_REASON_NO_ICMP_SOCKET;
        return false;
    }
    if (self->is_full) {
        ping->unsent = true;
        ping->failure = VERDICT_REASON_LOCAL;
        return true;
    }
    if (!try_to_send(self, ping))
        set_full(self, true);
    return ping->unsent || ping->failure == VERDICT_REASON_NO_ECHO;
}

void ping_start(struct pinger *pinger,
                struct ping *ping,
                const struct ip_address *address,
                uint32_t timeout_ms,
                void (*on_result)(struct ping *, enum verdict_reason, uint32_t))
{
    uint64_t now_us = monotime_now_us();
    assert(pinger->free_count > 0);
    *ping = (struct ping){.pinger = pinger,
                          .address = *address,
                          .number = pinger->free_numbers[--pinger->free_count],
                          .started_us = now_us,
                          .on_result = on_result};
    pinger->started++;
    ping->cookie = siphash(pinger->cookie_key, &pinger->started, sizeof(pinger->started));
    pinger->running[ping->number] = ping;
    set_deadline(ping, now_us / 1000 + (begin(pinger, ping) ? timeout_ms : 0));
}

void ping_expire(struct ping *ping, uint32_t slack_ms)
{
    if (monotime_now_ms() + slack_ms >= ping->deadline.when_ms)
        end(ping);
}

bool ping_is_running(const struct ping *ping)
{
    return ping->pinger != NULL;
}

void ping_cancel(struct ping *ping)
{
    if (ping_is_running(ping))
        release(ping);
}

/* ---- the pinger ---------------------------------------------------------------------------
 */

static void watch(struct pinger *pinger, struct echo_socket *self, int fd, bool is_v6)
{
    int type = 0;
    socklen_t size = sizeof(type);
    self->pinger = pinger;
    self->fd = -1;
    if (fd <= 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        loop_io_start(pinger->loop, &self->io, fd, LOOP_READABLE, on_ready) != 0)
        return;
    self->fd = fd;
    if (is_v6)
        self->framing = ICMP_V6_MESSAGE;
    else
        self->framing = type == SOCK_RAW ? ICMP_V4_DATAGRAM : ICMP_V4_MESSAGE;
}

struct pinger *pinger_new(struct loop *loop, const struct icmp_sockets *sockets)
{
    struct pinger *pinger = calloc(1, sizeof(*pinger));
    if (!pinger)
        return NULL;
    loop_deadlines_init(&pinger->deadlines, loop, on_expired);
    pinger->loop = loop;
    pinger->identifier = sockets->identifier;
    random_bytes(pinger->cookie_key, sizeof(pinger->cookie_key));
    while (pinger->free_count < PING_MAXIMUM) {
        pinger->free_numbers[pinger->free_count] =
            (uint16_t)(PING_MAXIMUM - 1 - pinger->free_count);
        pinger->free_count++;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pinger->sockets); i++)
        watch(pinger, &pinger->sockets[i], sockets->fds[i], i == 1);
    return pinger;
}

void pinger_free(struct pinger *pinger)
{
    if (!pinger)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(pinger->sockets); i++)
        loop_io_stop(&pinger->sockets[i].io);
    loop_deadlines_stop(&pinger->deadlines);
    free(pinger);
}

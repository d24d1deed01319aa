#include "replication/connection.h"

#include "lbnode/base/text.h"
#include "replication/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LENGTH_SIZE = 4,
    READ_SIZE = 16 << 10, /* what is in it is handled in one turn of the loop: not too much */
    OUT_LIMIT = CONNECTION_OUT_MAXIMUM + (1 << 20), /* with what sealing adds */
    KEPT_CAPACITY = 64 << 10
};

struct connection {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer silence;
    const struct connection_handler *handler;
    void *context;
    size_t message_maximum;
    uint64_t silence_ms;
    struct text in, out;
    bool connecting, finishing, is_stranger;
    enum connection_fate fate;
    struct stream_session *session;
    struct text sealed;     /* came in and is not open yet */
    struct text waiting;    /* goes out when the session is there */
    size_t session_maximum; /* limits from then on */
    uint64_t session_silence_ms;
    bool *freed; /* set when freed inside a callback */
};

static void on_ready(struct loop_io *io, unsigned readiness);

static void closed(struct connection *connection, enum connection_fate fate, const char *why)
{
    connection->fate = fate;
    if (connection->finishing)
        connection_free(connection);
    else
        connection->handler->on_closed(connection, connection->context, why);
}

static void on_silence(struct loop_timer *timer)
{
    closed(CONTAINER_OF(timer, struct connection, silence), CONNECTION_SILENT,
           "no answer in time");
}

static void restart_silence(struct connection *connection)
{
    loop_timer_start(connection->loop, &connection->silence, connection->silence_ms,
                     on_silence);
}

static struct connection *make(struct loop *loop,
                               int fd,
                               const struct connection_handler *handler,
                               void *context,
                               bool connecting)
{
    const int on = 1;
    struct connection *connection = memory_new(sizeof(*connection));
    connection->loop = loop;
    connection->handler = handler;
    connection->context = context;
    connection->connecting = connecting;
    connection->message_maximum = CONNECTION_STRANGER_MAXIMUM;
    connection->silence_ms = CONNECTION_STRANGER_MS;
    connection->out.limit = connection->waiting.limit = OUT_LIMIT;
    connection->is_stranger = !connecting;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    unsigned readiness = connecting ? LOOP_READABLE | LOOP_WRITABLE : LOOP_READABLE;
    if (loop_io_start(loop, &connection->io, fd, readiness, on_ready) != 0) {
        close(fd);
        free(connection);
        return NULL;
    }
    restart_silence(connection);
    return connection;
}

struct connection *connection_accept(struct loop *loop,
                                     int fd,
                                     size_t first_maximum,
                                     const struct connection_handler *handler,
                                     void *context)
{
    struct connection *connection = make(loop, fd, handler, context, false);
    if (connection)
        connection->message_maximum = first_maximum;
    return connection;
}

struct connection *connection_open(struct loop *loop,
                                   const struct ip_endpoint *endpoint,
                                   const struct connection_handler *handler,
                                   void *context)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return NULL;
    if (connect(fd, (struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS) {
        int reason = errno;
        close(fd);
        errno = reason;
        return NULL;
    }
    return make(loop, fd, handler, context, true);
}

void connection_set_handler(struct connection *connection,
                            const struct connection_handler *handler,
                            void *context)
{
    connection->handler = handler;
    connection->context = context;
}

void connection_set_limits(struct connection *connection,
                           size_t message_maximum,
                           uint64_t silence_ms)
{
    connection->message_maximum = message_maximum;
    connection->silence_ms = silence_ms;
    connection->is_stranger = false;
    restart_silence(connection);
}

bool connection_is_stranger(const struct connection *connection)
{
    return connection->is_stranger;
}

enum connection_fate connection_fate(const struct connection *connection)
{
    return connection->fate;
}

/* A connection that has something to send is told when it can: no callback from inside a send.
 */
static void queued(struct connection *connection)
{
    if (connection->out.length > 0 && !connection->connecting)
        loop_io_change(connection->loop, &connection->io, LOOP_READABLE | LOOP_WRITABLE);
}

/* ---- sessions -----------------------------------------------------------------------------
 */

void connection_begin_session(struct connection *connection,
                              struct stream_session *session,
                              struct bytes init,
                              uint64_t silence_ms)
{
    connection_set_limits(connection, CONNECTION_STRANGER_MAXIMUM, CONNECTION_HANDSHAKE_MS);
    connection->session = session;
    connection->session_maximum = CONNECTION_STRANGER_MAXIMUM;
    connection->session_silence_ms = silence_ms;
    text_append(&connection->out, (const char *)init.data, init.size);
    queued(connection);
}

void connection_answer_session(struct connection *connection,
                               struct stream_session *session,
                               struct bytes response,
                               size_t message_maximum,
                               uint64_t silence_ms)
{
    connection->session = session;
    connection->session_maximum = message_maximum;
    connection->session_silence_ms = silence_ms;
    text_append(&connection->out, (const char *)response.data, response.size);
    queued(connection);
}

static void end_session(struct connection *connection)
{
    uint8_t end[STREAM_OVERHEAD];
    if (connection->session)
        text_append(&connection->out, (const char *)end,
                    stream_session_end(connection->session, end));
}

/* Seals what waits, if the session is there. */
static void seal_waiting(struct connection *connection)
{
    uint8_t sealed[STREAM_FRAME_MAXIMUM + STREAM_SEAL_MORE];
    struct text *waiting = &connection->waiting;
    if (!stream_session_is_open(connection->session))
        return;
    for (size_t at = 0, part; at < waiting->length; at += part) {
        size_t left = waiting->length - at;
        part = left < STREAM_DATA_MAXIMUM ? left : STREAM_DATA_MAXIMUM;
        struct bytes plain = {(const uint8_t *)waiting->data + at, part};
        size_t size = stream_session_seal(connection->session, loop_now_us(connection->loop),
                                          plain, sealed);
        text_append(&connection->out, (const char *)sealed, size);
    }
    if (waiting->capacity > KEPT_CAPACITY)
        text_free(waiting);
    else
        text_clear(waiting);
    if (connection->finishing)
        end_session(connection);
    queued(connection);
}

/* False when the connection is gone. */
static bool tell_room(struct connection *connection)
{
    bool freed = false;
    connection->freed = &freed;
    connection->handler->on_room(connection, connection->context);
    if (!freed)
        connection->freed = NULL;
    return !freed;
}

/* False when the connection is gone. */
static bool flush(struct connection *connection)
{
    while (connection->out.length > 0 && !connection->connecting) {
        ssize_t sent =
            send(connection->io.fd, connection->out.data, connection->out.length, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0) {
            closed(connection, CONNECTION_CUT, strerror(errno));
            return false;
        }
        text_consume(&connection->out, (size_t)sent);
        if (!connection->is_stranger)
            restart_silence(connection);
    }
    if (connection->finishing && connection_queued(connection) == 0) {
        connection_free(connection);
        return false;
    }
    if (connection->handler->on_room && !connection->connecting && !connection->finishing &&
        connection_queued(connection) < CONNECTION_OUT_LOW && !tell_room(connection))
        return false;
    bool wait = connection->connecting || connection->out.length > 0;
    loop_io_change(connection->loop, &connection->io,
                   wait ? LOOP_READABLE | LOOP_WRITABLE : LOOP_READABLE);
    return true;
}

bool connection_send(struct connection *connection, struct bytes message)
{
    uint8_t length[LENGTH_SIZE];
    struct text *to = connection->session ? &connection->waiting : &connection->out;
    if (connection_queued(connection) + message.size + LENGTH_SIZE > CONNECTION_OUT_MAXIMUM)
        return false;
    store_be32(length, (uint32_t)message.size);
    text_append(to, (const char *)length, sizeof(length));
    text_append(to, (const char *)message.data, message.size);
    if (connection->session)
        seal_waiting(connection);
    else
        queued(connection);
    return true;
}

size_t connection_queued(const struct connection *connection)
{
    return connection->out.length + connection->waiting.length;
}

/* ---- what comes in ------------------------------------------------------------------------
 */

/* What a stranger begins with may be the first frame of a session: its length has two bytes,
 * and those of messages, which are short here, begin with two zeros. */
static bool begins_session(const struct connection *connection)
{
    return connection->is_stranger && connection->handler->on_init && !connection->session &&
           connection->in.length >= STREAM_LENGTH_SIZE &&
           load_be16((const uint8_t *)connection->in.data) != 0;
}

/* False when the connection is gone. */
static bool take_init(struct connection *connection)
{
    struct bytes frame = {(const uint8_t *)connection->in.data, connection->in.length};
    size_t size = STREAM_LENGTH_SIZE + load_be16(frame.data);
    bool freed = false;
    if (size > STREAM_HANDSHAKE_MAXIMUM || size < frame.size) {
        closed(connection, CONNECTION_MALFORMED, "a message was too large");
        return false;
    }
    if (size > frame.size)
        return true;
    connection->freed = &freed;
    connection->handler->on_init(connection, connection->context, frame);
    if (freed)
        return false;
    connection->freed = NULL;
    text_clear(&connection->in);
    return true;
}

/* The whole messages of IN, which is not the connection's while this runs: a callback may free
 * the connection, and what it reads then must stay. How many bytes they were; -1 when the
 * connection is gone, -2 when the next one is too large. */
static ssize_t deliver_from(struct connection *connection, const struct text *in)
{
    bool freed = false;
    size_t at = 0;
    connection->freed = &freed;
    while (in->length - at >= LENGTH_SIZE) {
        const uint8_t *start = (const uint8_t *)in->data + at;
        size_t size = load_be32(start);
        if (size > connection->message_maximum) {
            connection->freed = NULL;
            return -2;
        }
        if (in->length - at - LENGTH_SIZE < size)
            break;
        if (!connection->finishing)
            connection->handler->on_message(connection, connection->context,
                                            (struct bytes){start + LENGTH_SIZE, size});
        if (freed)
            return -1;
        at += LENGTH_SIZE + size;
    }
    connection->freed = NULL;
    return (ssize_t)at;
}

/* False when the connection is gone. */
static bool deliver(struct connection *connection)
{
    struct text in = connection->in;
    connection->in = (struct text){0};
    ssize_t used = deliver_from(connection, &in);
    if (used < 0) {
        text_free(&in);
        if (used == -2)
            closed(connection, CONNECTION_MALFORMED, "a message was too large");
        return false;
    }
    text_consume(&in, (size_t)used);
    connection->in = in;
    return true;
}

/* ESTABLISHED or PROVED: what waited may go. */
static void session_is_there(struct connection *connection,
                             const struct stream_received *received)
{
    text_append(&connection->out, (const char *)received->reply, received->reply_size);
    connection_set_limits(connection, connection->session_maximum,
                          connection->session_silence_ms);
    seal_waiting(connection);
    queued(connection);
}

static void refused(struct connection *connection, enum stream_verdict verdict)
{
    switch (verdict) {
    case STREAM_INCOMPATIBLE:
        closed(connection, CONNECTION_INCOMPATIBLE, "it speaks no protocol that this one does");
        break;
    case STREAM_MALFORMED:
        closed(connection, CONNECTION_MALFORMED, "it broke the framing");
        break;
    default: closed(connection, CONNECTION_FORGED, "what it sent is not genuine"); break;
    }
}

/* False when the connection is gone. */
static bool open_sealed(struct connection *connection)
{
    uint8_t room[STREAM_PLAIN_MAXIMUM];
    struct text *sealed = &connection->sealed;
    struct stream_received received = {.verdict = STREAM_OPENED};
    size_t at = 0;
    while (received.verdict != STREAM_PARTIAL && received.verdict != STREAM_ENDED) {
        stream_session_receive(
            connection->session,
            (struct bytes){(const uint8_t *)sealed->data + at, sealed->length - at}, room,
            &received);
        if (received.verdict < STREAM_PARTIAL) {
            refused(connection, received.verdict);
            return false;
        }
        at += received.used;
        if (received.verdict == STREAM_ESTABLISHED || received.verdict == STREAM_PROVED)
            session_is_there(connection, &received);
        text_append(&connection->in, (const char *)received.plain.data, received.plain.size);
    }
    text_consume(sealed, at);
    if (!deliver(connection))
        return false;
    if (received.verdict != STREAM_ENDED)
        return true;
    closed(connection, CONNECTION_CLOSED, "the other end closed it");
    return false;
}

/* How much is read at once. Of who has to prove something yet only what that takes. */
static size_t read_size(const struct connection *connection)
{
    const struct text *sealed = &connection->sealed;
    if (connection->session && !stream_session_is_open(connection->session))
        return stream_session_wants(
                   connection->session,
                   (struct bytes){(const uint8_t *)sealed->data, sealed->length}) -
               sealed->length;
    return connection->is_stranger
               ? LENGTH_SIZE + connection->message_maximum - connection->in.length
               : READ_SIZE;
}

static void end_of_input(struct connection *connection, ssize_t result)
{
    bool is_cut =
        result < 0 || (connection->session && !stream_session_has_ended(connection->session));
    closed(connection, is_cut ? CONNECTION_CUT : CONNECTION_CLOSED,
           result < 0 ? strerror(errno)
           : is_cut   ? "it was cut off"
                      : "the other end closed it");
}

static void read_some(struct connection *connection)
{
    char buffer[READ_SIZE];
    size_t most = read_size(connection);
    ssize_t size = recv(connection->io.fd, buffer, most < READ_SIZE ? most : READ_SIZE, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        end_of_input(connection, size);
        return;
    }
    if (!connection->is_stranger)
        restart_silence(connection);
    text_append(connection->session ? &connection->sealed : &connection->in, buffer,
                (size_t)size);
    if (connection->session)
        open_sealed(connection);
    else if (begins_session(connection))
        take_init(connection);
    else
        deliver(connection);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct connection *connection = CONTAINER_OF(io, struct connection, io);
    if (connection->connecting && readiness & LOOP_WRITABLE) {
        int reason = 0;
        socklen_t size = sizeof(reason);
        getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &reason, &size);
        if (reason) {
            closed(connection, CONNECTION_CLOSED, strerror(reason));
            return;
        }
        connection->connecting = false;
    }
    if (readiness & LOOP_WRITABLE && !flush(connection))
        return;
    if (readiness & LOOP_READABLE)
        read_some(connection);
}

bool connection_is_open(const struct connection *connection)
{
    return !connection->connecting;
}

void connection_finish(struct connection *connection)
{
    connection->finishing = true;
    if (connection_queued(connection) == 0) {
        connection_free(connection);
        return;
    }
    end_session(connection);
}

/* Where nothing is left half written there is room for these few bytes. */
static void say_end(struct connection *connection)
{
    if (connection->out.length > 0 || connection->connecting)
        return;
    end_session(connection);
    if (connection->out.length > 0)
        (void)send(connection->io.fd, connection->out.data, connection->out.length,
                   MSG_NOSIGNAL | MSG_DONTWAIT);
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->freed)
        *connection->freed = true;
    say_end(connection);
    loop_timer_stop(&connection->silence);
    loop_io_stop(&connection->io);
    close(connection->io.fd);
    text_free(&connection->in);
    text_free(&connection->out);
    text_free(&connection->sealed);
    text_free(&connection->waiting);
    stream_session_free(connection->session);
    free(connection);
}

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
    READ_SIZE = 16 << 10 /* what is in it is handled in one turn of the loop: not too much */
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
    bool connecting, finishing;
    bool *freed; /* set when freed inside a callback */
};

static void on_ready(struct loop_io *io, unsigned readiness);

static void closed(struct connection *connection, const char *why)
{
    if (connection->finishing)
        connection_free(connection);
    else
        connection->handler->on_closed(connection, connection->context, why);
}

static void on_silence(struct loop_timer *timer)
{
    closed(CONTAINER_OF(timer, struct connection, silence), "no answer in time");
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
    connection->silence_ms = 3000;
    connection->out.limit = CONNECTION_OUT_MAXIMUM;
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
                                     const struct connection_handler *handler,
                                     void *context)
{
    return make(loop, fd, handler, context, false);
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
    restart_silence(connection);
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
            closed(connection, strerror(errno));
            return false;
        }
        text_consume(&connection->out, (size_t)sent);
        restart_silence(connection);
    }
    if (connection->finishing && connection->out.length == 0) {
        connection_free(connection);
        return false;
    }
    if (connection->handler->on_room && !connection->connecting && !connection->finishing &&
        connection->out.length < CONNECTION_OUT_LOW)
        connection->handler->on_room(connection, connection->context);
    bool wait = connection->connecting || connection->out.length > 0;
    loop_io_change(connection->loop, &connection->io,
                   wait ? LOOP_READABLE | LOOP_WRITABLE : LOOP_READABLE);
    return true;
}

bool connection_send(struct connection *connection, struct bytes message)
{
    uint8_t length[LENGTH_SIZE];
    if (connection->out.length + message.size + LENGTH_SIZE > CONNECTION_OUT_MAXIMUM)
        return false;
    bool idle = connection->out.length == 0 && !connection->connecting;
    store_be32(length, (uint32_t)message.size);
    text_append(&connection->out, (const char *)length, sizeof(length));
    text_append(&connection->out, (const char *)message.data, message.size);
    if (idle) /* written when the loop says so: no callback from inside a send */
        loop_io_change(connection->loop, &connection->io, LOOP_READABLE | LOOP_WRITABLE);
    return true;
}

size_t connection_queued(const struct connection *connection)
{
    return connection->out.length;
}

/* False when the connection is gone. */
static bool deliver(struct connection *connection)
{
    size_t at = 0;
    bool freed = false;
    connection->freed = &freed;
    while (connection->in.length - at >= LENGTH_SIZE) {
        const uint8_t *start = (const uint8_t *)connection->in.data + at;
        size_t size = load_be32(start);
        if (size > connection->message_maximum) {
            connection->freed = NULL;
            closed(connection, "a message was too large");
            return false;
        }
        if (connection->in.length - at - LENGTH_SIZE < size)
            break;
        if (!connection->finishing)
            connection->handler->on_message(connection, connection->context,
                                            (struct bytes){start + LENGTH_SIZE, size});
        if (freed)
            return false;
        at += LENGTH_SIZE + size;
    }
    connection->freed = NULL;
    text_consume(&connection->in, at);
    return true;
}

static void read_some(struct connection *connection)
{
    char buffer[READ_SIZE];
    ssize_t size = recv(connection->io.fd, buffer, sizeof(buffer), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        closed(connection, size < 0 ? strerror(errno) : "the other end closed it");
        return;
    }
    restart_silence(connection);
    text_append(&connection->in, buffer, (size_t)size);
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
            closed(connection, strerror(reason));
            return;
        }
        connection->connecting = false;
    }
    if (readiness & LOOP_WRITABLE && !flush(connection))
        return;
    if (readiness & LOOP_READABLE)
        read_some(connection);
}

void connection_finish(struct connection *connection)
{
    connection->finishing = true;
    if (connection->out.length == 0)
        connection_free(connection);
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    if (connection->freed)
        *connection->freed = true;
    loop_timer_stop(&connection->silence);
    loop_io_stop(&connection->io);
    close(connection->io.fd);
    text_free(&connection->in);
    text_free(&connection->out);
    free(connection);
}

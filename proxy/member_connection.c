#include "proxy/member_connection.h"

#include "lbnode/base/bytes.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void finish_connecting(struct member_connection *connection)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (!connection->stream.writable)
        return;
    connection->connecting = false;
    getsockopt(connection->stream.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    connection->connect_error = error;
}

static void on_stream_event(struct stream *stream)
{
    struct member_connection *connection =
        CONTAINER_OF(stream, struct member_connection, stream);
    if (connection->connecting)
        finish_connecting(connection);
    connection->on_event(connection);
}

static int open_socket(const struct ip_endpoint *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    int on = 1, off = 0;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* The handshake's last packet waits for the first bytes and goes with them. */
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
    if (connect(fd, (struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void link_open(struct member_connection *connection)
{
    struct member_links *links = &connection->worker->idle.by_slot[connection->slot];
    connection->open_next = links->open;
    connection->open_link = &links->open;
    if (links->open)
        links->open->open_link = &connection->open_next;
    links->open = connection;
}

static void unlink_open(struct member_connection *connection)
{
    *connection->open_link = connection->open_next;
    if (connection->open_next)
        connection->open_next->open_link = connection->open_link;
}

struct member_connection *member_connection_open(struct worker *worker,
                                                 const struct ip_endpoint *endpoint,
                                                 uint32_t slot,
                                                 uint32_t incarnation)
{
    int fd = open_socket(endpoint);
    if (fd < 0)
        return NULL;
    struct member_connection *connection = object_get(&worker->connection_pool);
    if (!connection) {
        close(fd);
        errno = ENOMEM;
        return NULL;
    }
    memset(connection, 0, sizeof(*connection));
    int rv = stream_open(worker->loop, &connection->stream, fd, on_stream_event);
    if (rv != 0) {
        close(fd);
        object_put(&worker->connection_pool, connection);
        errno = -rv;
        return NULL;
    }
    connection->worker = worker;
    connection->slot = slot;
    connection->incarnation = incarnation;
    connection->connecting = true;
    link_open(connection);
    return connection;
}

static void retire(struct member_connection *connection)
{
    struct worker *worker = connection->worker;
    worker_clear_deadline(worker, &connection->timed);
    buffer_put(&worker->buffers, &connection->in);
    unlink_open(connection);
    connection->closed = true;
    object_bury(&worker->connection_pool, connection);
}

void member_connection_close(struct member_connection *connection)
{
    if (!connection || connection->closed)
        return;
    stream_close(&connection->stream);
    retire(connection);
}

void member_connection_abort(struct member_connection *connection)
{
    if (!connection || connection->closed)
        return;
    stream_abort(&connection->stream);
    retire(connection);
}

#include "proxy/stream.h"

#include "lbnode/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's recv and send are points where a thread may be cancelled; telling so takes
 * two atomic operations for each call. */
static ssize_t receive(int fd, void *data, size_t size)
{
    return syscall(SYS_recvfrom, fd, data, size, 0, NULL, NULL);
}

static ssize_t transmit(int fd, const void *data, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, data, size, flags | MSG_NOSIGNAL, NULL, 0);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct stream *stream = CONTAINER_OF(io, struct stream, io);
    if (readiness & LOOP_CLOSED)
        stream->closing = true;
    if (readiness & (LOOP_READABLE | LOOP_CLOSED))
        stream->readable = true;
    if (readiness & LOOP_WRITABLE)
        stream->writable = true;
    stream->on_event(stream);
}

int stream_open(struct loop *loop,
                struct stream *stream,
                int fd,
                void (*on_event)(struct stream *stream))
{
    *stream = (struct stream){.fd = fd, .on_event = on_event};
    return loop_io_start(loop, &stream->io, fd,
                         LOOP_READABLE | LOOP_WRITABLE | LOOP_CLOSED | LOOP_EDGE, on_ready);
}

void stream_close(struct stream *stream)
{
    if (stream->fd < 0)
        return;
    loop_io_stop(&stream->io);
    close(stream->fd);
    stream->fd = -1;
    stream->readable = stream->writable = false;
}

void stream_abort(struct stream *stream)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (stream->fd >= 0)
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    stream_close(stream);
}

bool stream_is_quiet(struct stream *stream)
{
    char byte;
    ssize_t size;
    if (stream->closing || stream->ended)
        return false;
    if (!stream->readable)
        return true;
    do {
        size = recv(stream->fd, &byte, 1, MSG_PEEK);
    } while (size < 0 && errno == EINTR);
    if (size >= 0 || errno != EAGAIN)
        return false;
    stream->readable = false;
    return true;
}

bool stream_is_gone(const struct stream *stream)
{
    char byte;
    if (stream->ended || !stream->closing)
        return stream->ended;
    ssize_t size = recv(stream->fd, &byte, 1, MSG_PEEK);
    return size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
}

size_t stream_read(struct stream *stream, struct buffer *buffer)
{
    return stream_read_some(stream, buffer, SIZE_MAX);
}

size_t stream_read_some(struct stream *stream, struct buffer *buffer, size_t limit)
{
    size_t room = buffer_room(buffer) < limit ? buffer_room(buffer) : limit;
    if (!stream->readable || stream->ended || room == 0)
        return 0;
    ssize_t size;
    do {
        size = receive(stream->fd, buffer->data + buffer->end, room);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        buffer->end += (uint32_t)size;
        if ((size_t)size < room && !stream->closing)
            stream->readable = false;
        return (size_t)size;
    }
    stream->readable = false;
    if (size < 0 && errno == EAGAIN)
        return 0;
    stream->ended = true;
    stream->write_failed |= size < 0;
    return 0;
}

static size_t
write_some(struct stream *stream, const struct buffer *buffer, uint32_t *sent, int flags)
{
    size_t size = buffer->end - *sent;
    if (!stream->writable || stream->write_failed || size == 0)
        return 0;
    ssize_t written;
    do {
        written = transmit(stream->fd, buffer->data + *sent, size, flags);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        stream->writable = false;
        stream->write_failed = errno != EAGAIN;
        return 0;
    }
    if ((size_t)written < size)
        stream->writable = false;
    *sent += (uint32_t)written;
    return (size_t)written;
}

size_t stream_write_kept(struct stream *stream, const struct buffer *buffer, uint32_t *sent)
{
    return write_some(stream, buffer, sent, 0);
}

size_t stream_write(struct stream *stream, struct buffer *buffer, bool end_follows)
{
    uint32_t sent = buffer->start;
    size_t written = write_some(stream, buffer, &sent, end_follows ? MSG_MORE : 0);
    buffer_consume(buffer, written);
    return written;
}

void stream_acknowledge_at_once(struct stream *stream)
{
    int on = 1;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

size_t stream_fill_pipe(struct stream *stream, struct pipe *pipe, size_t limit)
{
    if (!stream->readable || stream->ended)
        return 0;
    ssize_t size;
    do {
        size = splice(stream->fd, NULL, pipe->write_fd, NULL, limit,
                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (size < 0 && errno == EINTR);
    if (size > 0) { /* less than asked for may mean that the pipe is full: look again */
        pipe->size += (size_t)size;
        return (size_t)size;
    }
    stream->readable = false;
    if (size < 0 && errno == EAGAIN)
        return 0;
    stream->ended = true;
    stream->write_failed |= size < 0;
    return 0;
}

size_t stream_drain_pipe(struct stream *stream, struct pipe *pipe)
{
    if (!stream->writable || stream->write_failed || pipe->size == 0)
        return 0;
    ssize_t size;
    do {
        size = splice(pipe->read_fd, NULL, stream->fd, NULL, pipe->size,
                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
        stream->writable = false;
        stream->write_failed = size == 0 || errno != EAGAIN;
        return 0;
    }
    pipe->size -= (size_t)size;
    return (size_t)size;
}

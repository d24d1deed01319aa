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

/* Input goes on to gather without waking us. The limit lies where the kernel's buffer is about
 * full, so that it does not grow because of it. The end of the stream is told as always. */
static void hush(struct stream *stream)
{
    int room = 0;
    socklen_t size = sizeof(room);
    if (getsockopt(stream->fd, SOL_SOCKET, SO_RCVBUF, &room, &size) != 0)
        return;
    room /= 2;
    stream->hushed =
        room > 0 && setsockopt(stream->fd, SOL_SOCKET, SO_RCVLOWAT, &room, sizeof(room)) == 0;
}

/* All has been read: the next byte is news. The kernel looks for it at once. */
static void found_empty(struct stream *stream)
{
    int least = 1;
    stream->readable = false;
    if (stream->hushed)
        setsockopt(stream->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
    stream->hushed = false;
}

static void note_input(struct stream *stream)
{
    if (stream->readable && !stream->closing && !stream->hushed &&
        ++stream->unread_news >= STREAM_UNREAD_NEWS)
        hush(stream);
    stream->readable = true;
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct stream *stream = CONTAINER_OF(io, struct stream, io);
    if (readiness & LOOP_CLOSED)
        stream->closing = true;
    if (readiness & (LOOP_READABLE | LOOP_CLOSED))
        note_input(stream);
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
    found_empty(stream);
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

bool stream_is_taken_from(const struct stream *stream, uint64_t within_ms)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    return stream->fd >= 0 && !stream->write_failed &&
           getsockopt(stream->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_last_data_sent < within_ms && info.tcpi_retransmits == 0;
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
    bool had_news = stream->unread_news > 0; /* a reset may be behind what there is to read */
    stream->unread_news = 0;
    do {
        size = receive(stream->fd, buffer->data + buffer->end, room);
    } while (size < 0 && errno == EINTR);
    if (size > 0) {
        buffer->end += (uint32_t)size;
        if ((size_t)size < room && !stream->closing && !had_news)
            found_empty(stream);
        return (size_t)size;
    }
    if (size < 0 && errno == EAGAIN) {
        found_empty(stream);
        return 0;
    }
    stream->readable = false;
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

size_t stream_write(struct stream *stream, struct buffer *buffer, bool more_follows)
{
    uint32_t sent = buffer->start;
    size_t written = write_some(stream, buffer, &sent, more_follows ? MSG_MORE : 0);
    buffer_consume(buffer, written);
    return written;
}

void stream_acknowledge_at_once(struct stream *stream)
{
    int on = 1;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

void stream_probe_when_idle(struct stream *stream)
{
    int on = 1, idle_s = 60, interval_s = 10, probes = 3;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Bulk wakes us less often when more of it may wait in the kernel, and of a long queue one
 * timer of the kernel's sends much where the system paces (bbr); of a short one, a packet. How
 * much it really is follows the speed of the peer (tcp_wmem). */
static void make_bulk_room(struct stream *stream)
{
    int unsent = STREAM_UNSENT_BULK;
    if (!stream->has_bulk_room)
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    stream->has_bulk_room = true;
}

size_t stream_fill_pipe(struct stream *stream, struct pipe *pipe, size_t limit)
{
    if (!stream->readable || stream->ended)
        return 0;
    ssize_t size;
    stream->unread_news = 0;
    do {
        size = splice(stream->fd, NULL, pipe->write_fd, NULL, limit,
                      SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (size < 0 && errno == EINTR);
    if (size > 0) { /* less than asked for may mean that the pipe is full: look again */
        pipe->size += (size_t)size;
        return (size_t)size;
    }
    if (size < 0 && errno == EAGAIN) {
        found_empty(stream);
        return 0;
    }
    stream->readable = false;
    stream->ended = true;
    stream->write_failed |= size < 0;
    return 0;
}

size_t stream_drain_pipe(struct stream *stream, struct pipe *pipe)
{
    if (!stream->writable || stream->write_failed || pipe->size == 0)
        return 0;
    if (pipe->size >= STREAM_BULK)
        make_bulk_room(stream);
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

#include "lbnode/loop/channel.h"

#include "lbnode/base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct queued {
    struct queued *next;
    size_t fd_count;
    int fds[CHANNEL_MAXIMUM_FDS];
    size_t size;
    union message_buffer buffer;
};

struct channel {
    struct loop *loop;
    struct loop_io io;
    struct channel_handler handler;
    struct queued *first, **last;
    size_t queued_count;
    bool closed;
    bool in_handler;
    bool free_later;
};

int channel_pair(int out_fds[2])
{
    int size = 1 << 20;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out_fds) != 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        setsockopt(out_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return 0;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void mark_closed(struct channel *channel)
{
    if (channel->closed)
        return;
    channel->closed = true;
    loop_io_stop(&channel->io);
    if (channel->handler.on_closed)
        channel->handler.on_closed(channel->handler.context);
}

/* Bytes received, 0 at the end, -errno; OUT_FDS are the caller's. */
static ssize_t receive(int fd, union message_buffer *buffer, int *out_fds, size_t *out_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_MAXIMUM_FDS)];
    } control;
    struct iovec iov = {buffer, sizeof(*buffer)};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    *out_count = 0;
    ssize_t size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
    if (size < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            *out_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(out_fds, CMSG_DATA(c), *out_count * sizeof(int));
        }
    }
    return header.msg_flags & MSG_TRUNC ? -EMSGSIZE : size;
}

/* True when there may be more. */
static bool read_messages(struct channel *channel)
{
    enum {
        PER_TURN = 64
    };
    for (int i = 0; i < PER_TURN && !channel->closed && !channel->free_later; i++) {
        union message_buffer buffer;
        int fds[CHANNEL_MAXIMUM_FDS];
        size_t count;
        ssize_t size = receive(channel->io.fd, &buffer, fds, &count);
        if (size == -EAGAIN || size == -EINTR)
            return false;
        if (size <= 0 || !message_is_valid(&buffer.header, (size_t)size)) {
            close_all(fds, count);
            mark_closed(channel);
            return false;
        }
        channel->handler.on_message(channel->handler.context, &buffer.header, fds, count);
    }
    return !channel->closed && !channel->free_later;
}

static int transmit(int fd, const void *data, size_t size, const int *fds, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_MAXIMUM_FDS)];
    } control;
    struct iovec iov = {(void *)(uintptr_t)data, size};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    }
    return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void drop_first(struct channel *channel)
{
    struct queued *first = channel->first;
    close_all(first->fds, first->fd_count);
    channel->first = first->next;
    channel->queued_count--;
    if (!channel->first)
        channel->last = &channel->first;
    free(first);
}

static void flush(struct channel *channel)
{
    while (channel->first) {
        struct queued *first = channel->first;
        int rv =
            transmit(channel->io.fd, &first->buffer, first->size, first->fds, first->fd_count);
        if (rv == -EAGAIN || rv == -ENOBUFS)
            return;
        drop_first(channel);
        if (rv != 0) {
            mark_closed(channel);
            return;
        }
    }
    if (!channel->closed)
        loop_io_change(channel->loop, &channel->io, LOOP_READABLE);
}

static void destroy(struct channel *channel)
{
    loop_io_stop(&channel->io);
    while (channel->first)
        drop_first(channel);
    close(channel->io.fd);
    free(channel);
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct channel *channel = CONTAINER_OF(io, struct channel, io);
    channel->in_handler = true;
    if (readiness & LOOP_WRITABLE)
        flush(channel);
    if (readiness & LOOP_READABLE)
        read_messages(channel);
    channel->in_handler = false;
    if (channel->free_later)
        destroy(channel);
}

struct channel *channel_new(struct loop *loop, int fd, const struct channel_handler *handler)
{
    struct channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        return NULL;
    channel->loop = loop;
    channel->handler = *handler;
    channel->last = &channel->first;
    if (loop_io_start(loop, &channel->io, fd, LOOP_READABLE, on_ready) != 0) {
        free(channel);
        return NULL;
    }
    return channel;
}

static int
enqueue(struct channel *channel, const struct message *message, const int *fds, size_t fd_count)
{
    struct queued *item =
        channel->queued_count < CHANNEL_QUEUE_MESSAGES ? calloc(1, sizeof(*item)) : NULL;
    if (!item)
        return -ENOBUFS;
    for (size_t i = 0; i < fd_count; i++) {
        item->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (item->fds[i] < 0) {
            close_all(item->fds, i);
            free(item);
            return -ENOBUFS;
        }
        item->fd_count++;
    }
    item->size = message->size;
    memcpy(&item->buffer, message, message->size);
    *channel->last = item;
    channel->last = &item->next;
    if (channel->queued_count++ == 0)
        loop_io_change(channel->loop, &channel->io, LOOP_READABLE | LOOP_WRITABLE);
    return 0;
}

int channel_send(struct channel *channel,
                 const struct message *message,
                 const int *fds,
                 size_t fd_count)
{
    if (channel->closed)
        return -EPIPE;
    if (!channel->first) {
        int rv = transmit(channel->io.fd, message, message->size, fds, fd_count);
        if (rv != -EAGAIN && rv != -ENOBUFS)
            return rv == 0 ? 0 : -EPIPE;
    }
    return enqueue(channel, message, fds, fd_count);
}

void channel_drain(struct channel *channel)
{
    channel->in_handler = true;
    while (!channel->closed && read_messages(channel))
        continue;
    channel->in_handler = false;
    if (channel->free_later)
        destroy(channel);
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    channel->handler.on_closed = NULL;
    if (channel->in_handler) {
        channel->free_later = true;
        loop_io_stop(&channel->io);
        channel->closed = true;
    } else {
        destroy(channel);
    }
}

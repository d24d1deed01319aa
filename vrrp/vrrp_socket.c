#include "vrrp/vrrp_socket.h"

#include "lbnode/base/monotime.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CLASS_INTERNETWORK_CONTROL = 0xc0, /* CS6 */
    PRIORITY_INTERACTIVE = 6,
    RECEIVE_PER_TURN = 256,
};

union control_buffer {
    struct cmsghdr align;
    char bytes[256];
};

struct ip_address vrrp_multicast_address(uint8_t family)
{
    if (family == 4)
        return (struct ip_address){4, {224, 0, 0, 18}};
    return (struct ip_address){6, {0xff, 0x02, [15] = 0x12}};
}

static bool set_number(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* It listens to the group even where adverts go by unicast: a stranger on our VRID is told. */
static bool set_up_ipv4(int fd, unsigned interface_index)
{
    struct ip_address group = vrrp_multicast_address(4);
    struct ip_mreqn membership = {.imr_ifindex = (int)interface_index};
    memcpy(&membership.imr_multiaddr, group.bytes, 4);
    if (interface_index &&
        (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &membership, sizeof(membership)) != 0 ||
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &membership, sizeof(membership)) != 0))
        return false;
    return set_number(fd, IPPROTO_IP, IP_MULTICAST_TTL, VRRP_HOP_LIMIT) &&
           set_number(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) &&
           set_number(fd, IPPROTO_IP, IP_TTL, VRRP_HOP_LIMIT) &&
           set_number(fd, IPPROTO_IP, IP_TOS, CLASS_INTERNETWORK_CONTROL) &&
           set_number(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
}

static bool set_up_ipv6(int fd, unsigned interface_index)
{
    struct ip_address group = vrrp_multicast_address(6);
    struct ipv6_mreq membership = {.ipv6mr_interface = interface_index};
    memcpy(&membership.ipv6mr_multiaddr, group.bytes, 16);
    set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0); /* since Linux 4.20 */
    return set_number(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, VRRP_HOP_LIMIT) &&
           set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, VRRP_HOP_LIMIT) &&
           set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
           set_number(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)interface_index) &&
           set_number(fd, IPPROTO_IPV6, IPV6_TCLASS, CLASS_INTERNETWORK_CONTROL) &&
           set_number(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) &&
           set_number(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) &&
           setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &membership, sizeof(membership)) == 0;
}

/* The kernel stamps by the wall clock; what counts is how long ago that was. */
static uint64_t arrival_us(struct msghdr *header)
{
    const uint64_t longest_us = 1000000; /* more is a step of that clock */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        struct timespec stamp, wall;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
        clock_gettime(CLOCK_REALTIME, &wall);
        int64_t age_us = (int64_t)(wall.tv_sec - stamp.tv_sec) * 1000000 +
                         (wall.tv_nsec - stamp.tv_nsec) / 1000;
        return age_us >= 0 && (uint64_t)age_us < longest_us
                   ? monotime_now_us() - (uint64_t)age_us
                   : 0;
    }
    return 0;
}

/* The header is delivered along. */
static void
receive_ipv4(struct vrrp_socket *socket, struct msghdr *header, struct bytes datagram)
{
    struct vrrp_envelope envelope;
    struct bytes message;
    if (!vrrp_packet_open_ipv4(datagram, &envelope, &message))
        return;
    envelope.arrived_us = arrival_us(header);
    socket->handler.on_message(socket->handler.context, socket, &envelope, message);
}

/* The kernel strips the header and passes what was in it beside the message. */
static void
receive_ipv6(struct vrrp_socket *socket, struct msghdr *header, struct bytes message)
{
    const struct sockaddr_in6 *source = header->msg_name;
    struct vrrp_envelope envelope = {.source = {.family = 6}, .destination = {.family = 6}};
    memcpy(envelope.source.bytes, &source->sin6_addr, 16);
    envelope.arrived_us = arrival_us(header);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        int limit;
        if (c->cmsg_level != IPPROTO_IPV6)
            continue;
        if (c->cmsg_type == IPV6_PKTINFO)
            memcpy(envelope.destination.bytes, CMSG_DATA(c), 16);
        if (c->cmsg_type == IPV6_HOPLIMIT) {
            memcpy(&limit, CMSG_DATA(c), sizeof(limit));
            envelope.hop_limit = (uint8_t)limit;
        }
    }
    socket->handler.on_message(socket->handler.context, socket, &envelope, message);
}

/* False when nothing is left. */
static bool receive(struct vrrp_socket *socket, int fd)
{
    uint8_t buffer[VRRP_PACKET_MAXIMUM_SIZE + 128];
    union control_buffer control;
    struct sockaddr_storage source;
    struct iovec iov = {buffer, sizeof(buffer)};
    struct msghdr header = {.msg_name = &source,
                            .msg_namelen = sizeof(source),
                            .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t size = recvmsg(fd, &header, 0);
    if (size < 0)
        return errno == EINTR;
    struct bytes data = {buffer, (size_t)size};
    if (socket->family == 4)
        receive_ipv4(socket, &header, data);
    else
        receive_ipv6(socket, &header, data);
    return true;
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct vrrp_socket *socket = CONTAINER_OF(io, struct vrrp_socket, io);
    for (int i = 0; i < RECEIVE_PER_TURN && receive(socket, io->fd); i++)
        continue;
}

static void on_authenticated(struct loop_io *io, unsigned readiness)
{
    struct vrrp_socket *socket = CONTAINER_OF(io, struct vrrp_socket, authenticated);
    for (int i = 0; i < RECEIVE_PER_TURN && receive(socket, io->fd); i++)
        continue;
}

/* The descriptor or -errno. */
static int
make_socket(const char *interface_name, unsigned interface_index, uint8_t family, int protocol)
{
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    protocol);
    if (fd < 0)
        return -errno;
    set_number(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_INTERACTIVE);
    set_number(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    bool bound = !interface_name || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface_name,
                                               (socklen_t)strlen(interface_name) + 1) == 0;
    if (bound &&
        (family == 4 ? set_up_ipv4(fd, interface_index) : set_up_ipv6(fd, interface_index)))
        return fd;
    int rv = errno ? -errno : -EINVAL;
    close(fd);
    return rv;
}

/* Only to name whoever speaks so; without it everything else works. */
static void
listen_authenticated(struct loop *loop, const char *interface_name, struct vrrp_socket *socket)
{
    int fd = socket->family == 4 ? make_socket(interface_name, socket->interface_index, 4,
                                               VRRP_AUTHENTICATION_PROTOCOL)
                                 : -1;
    if (fd < 0)
        return;
    socket->authenticated.fd = fd;
    if (loop_io_start(loop, &socket->authenticated, fd, LOOP_READABLE, on_authenticated) != 0) {
        close(fd);
        socket->authenticated.fd = -1;
    }
}

int vrrp_socket_open(struct loop *loop,
                     const char *interface_name,
                     unsigned interface_index,
                     uint8_t family,
                     const struct vrrp_socket_handler *handler,
                     struct vrrp_socket **out)
{
    int fd = make_socket(interface_name, interface_index, family, VRRP_PROTOCOL);
    if (fd < 0)
        return fd;
    struct vrrp_socket *socket = calloc(1, sizeof(*socket));
    int rv = -ENOMEM;
    if (socket) {
        socket->io.fd = fd;
        socket->authenticated.fd = -1;
        socket->interface_index = interface_index;
        socket->family = family;
        rv = 0;
    }
    if (rv == 0 && loop) {
        socket->handler = *handler;
        rv = loop_io_start(loop, &socket->io, fd, LOOP_READABLE, on_ready);
    }
    if (rv != 0) {
        free(socket);
        close(fd);
        return rv;
    }
    if (loop)
        listen_authenticated(loop, interface_name, socket);
    *out = socket;
    return 0;
}

void vrrp_socket_close(struct vrrp_socket *socket)
{
    if (!socket)
        return;
    loop_io_stop(&socket->io);
    close(socket->io.fd);
    if (socket->authenticated.fd >= 0) {
        loop_io_stop(&socket->authenticated);
        close(socket->authenticated.fd);
    }
    free(socket);
}

static void
add_control(struct msghdr *header, int level, int type, const void *data, size_t size)
{
    header->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(c), data, size);
}

int vrrp_socket_send(struct vrrp_socket *socket,
                     const struct vrrp_envelope *envelope,
                     struct bytes message)
{
    union control_buffer control = {0};
    struct ip_endpoint to = {.address = envelope->destination};
    struct sockaddr_storage native = {0};
    struct iovec iov = {(void *)(uintptr_t)message.data, message.size};
    struct msghdr header = {.msg_name = &native,
                            .msg_namelen = ip_endpoint_to_sockaddr(&to, &native),
                            .msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    if (socket->family == 4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)socket->interface_index};
        memcpy(&info.ipi_spec_dst, envelope->source.bytes, 4);
        add_control(&header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else {
        struct in6_pktinfo info = {.ipi6_ifindex = socket->interface_index};
        memcpy(&info.ipi6_addr, envelope->source.bytes, 16);
        add_control(&header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
        struct sockaddr_in6 *destination = (struct sockaddr_in6 *)(void *)&native;
        if (ip_address_is_link_local(&envelope->destination) ||
            envelope->destination.bytes[0] == 0xff)
            destination->sin6_scope_id = socket->interface_index;
    }
    return sendmsg(socket->io.fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int frame_socket_open(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

int frame_send(int fd, unsigned interface_index, const void *frame, size_t size)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_ifindex = (int)interface_index, .sll_halen = ETH_ALEN};
    memcpy(to.sll_addr, frame, ETH_ALEN);
    memcpy(&to.sll_protocol, (const uint8_t *)frame + 12, 2);
    return sendto(fd, frame, size, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

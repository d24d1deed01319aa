#include "vrrp/switch_guard.h"

#include "vrrp/flow_set.h"
#include "vrrp/guard_program.h"
#include "vrrp/netlink_address.h"
#include "vrrp/reset_filter.h"
#include "vrrp/slow_close.h"
#include "vrrp/vrrp_packet.h"
#include "vrrp/vrrp_socket.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FRAME_MAXIMUM = 9216, /* longer ones come from offloading and cannot be sent as they are */
    FRAMES_PER_TURN = 64,
    RECEIVE_BUFFER = 1 << 20,
    TCP = 6,
    TCP_CHECKSUM = 16,
};

struct switch_guard {
    struct loop_io io;
    unsigned interface_index;
    uint8_t family;
    bool filtered;
    uint8_t mac[MAC_SIZE], old_mac[MAC_SIZE];
    struct flow_set flows;
};

/* ---- the old owner's link address -------------------------------------------------------- */

static bool find_link_address(unsigned interface_index,
                              const struct ip_address *address,
                              uint8_t out[MAC_SIZE])
{
    struct nl_sock *socket = nl_socket_alloc();
    struct nl_addr *wanted = netlink_address_to(address);
    struct nl_cache *cache = NULL;
    struct rtnl_neigh *found = NULL;
    if (socket && wanted && nl_connect(socket, NETLINK_ROUTE) == 0 &&
        rtnl_neigh_alloc_cache(socket, &cache) == 0)
        found = rtnl_neigh_get(cache, (int)interface_index, wanted);
    struct nl_addr *link = found ? rtnl_neigh_get_lladdr(found) : NULL;
    bool good = link && nl_addr_get_len(link) == MAC_SIZE;
    if (good)
        memcpy(out, nl_addr_get_binary_addr(link), MAC_SIZE);
    rtnl_neigh_put(found);
    nl_cache_free(cache);
    nl_addr_put(wanted);
    nl_socket_free(socket);
    return good;
}

/* ---- handing on -------------------------------------------------------------------------- */

/* A frame from a virtual interface of this machine may come without its checksum. */
static void complete_checksum(uint8_t *frame, size_t size)
{
    uint8_t *ip = frame + ETH_HLEN;
    bool sixth = load_be16(frame + 12) == ETH_P_IPV6;
    size_t header = sixth ? 40 : 4 * (size_t)(ip[0] & 15);
    size_t total = sixth ? 40u + load_be16(ip + 4) : load_be16(ip + 2);
    if (ETH_HLEN + total > size || total < header + 20)
        return;
    struct ip_address source = {.family = sixth ? 6 : 4}, destination = source;
    memcpy(source.bytes, ip + (sixth ? 8 : 12), ip_address_size(&source));
    memcpy(destination.bytes, ip + (sixth ? 24 : 16), ip_address_size(&source));
    store_be16(ip + header + TCP_CHECKSUM, 0);
    uint32_t sum = vrrp_checksum_pseudo(&source, &destination, TCP, (uint32_t)(total - header));
    sum = vrrp_checksum_add(sum, ip + header, total - header);
    store_be16(ip + header + TCP_CHECKSUM, vrrp_checksum_finish(sum));
}

static bool lacks_checksum(struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        struct tpacket_auxdata data;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&data, CMSG_DATA(c), sizeof(data));
        return data.tp_status & TP_STATUS_CSUMNOTREADY;
    }
    return false;
}

/* False when nothing is left. */
static bool take_frame(struct switch_guard *guard)
{
    uint8_t frame[FRAME_MAXIMUM];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct iovec iov = {frame, sizeof(frame)};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    ssize_t size = recvmsg(guard->io.fd, &header, 0);
    if (size < 0)
        return errno == EINTR;
    bool whole = size > ETH_HLEN && !(header.msg_flags & MSG_TRUNC);
    if (!whole ||
        flow_set_judge(&guard->flows, (struct bytes){frame, (size_t)size}) == FLOW_OURS)
        return true;
    if (lacks_checksum(&header))
        complete_checksum(frame, (size_t)size);
    memcpy(frame, guard->old_mac, MAC_SIZE);
    memcpy(frame + MAC_SIZE, guard->mac, MAC_SIZE);
    frame_send(guard->io.fd, guard->interface_index, frame, (size_t)size);
    return true;
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct switch_guard *guard = CONTAINER_OF(io, struct switch_guard, io);
    for (int i = 0; i < FRAMES_PER_TURN && take_frame(guard); i++)
        continue;
}

/* ---- life -------------------------------------------------------------------------------- */

/* The filter is there before the first frame can be. The descriptor or -errno. */
static int open_socket(const struct switch_guard_settings *settings)
{
    static const int on = 1, buffer = RECEIVE_BUFFER;
    struct sock_filter program[GUARD_PROGRAM_MAXIMUM];
    struct sock_fprog filter = {.filter = program};
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)settings->interface_index,
        .sll_protocol = htons(settings->family == 4 ? ETH_P_IP : ETH_P_IPV6),
    };
    filter.len = (unsigned short)guard_program_build(GUARD_PROGRAM_SEGMENTS, settings->family,
                                                     settings->addresses,
                                                     settings->address_count, program);
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 &&
        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) == 0 &&
        bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    int rv = -errno;
    close(fd);
    return rv;
}

static int add_reset_filter(const struct switch_guard_settings *settings)
{
    struct sock_filter program[GUARD_PROGRAM_MAXIMUM];
    size_t length = guard_program_build(GUARD_PROGRAM_RESETS, settings->family,
                                        settings->addresses, settings->address_count, program);
    return reset_filter_add(settings->interface_index, settings->family, program, length);
}

int switch_guard_open(const struct switch_guard_settings *settings, struct switch_guard **out)
{
    struct switch_guard *guard = calloc(1, sizeof(*guard));
    if (!guard)
        return -ENOMEM;
    guard->io.fd = -1;
    guard->interface_index = settings->interface_index;
    guard->family = settings->family;
    memcpy(guard->mac, settings->mac, MAC_SIZE);
    int rv = add_reset_filter(settings);
    guard->filtered = rv == 0;
    if (rv == 0 &&
        find_link_address(settings->interface_index, &settings->old_owner, guard->old_mac)) {
        int fd = open_socket(settings);
        rv = fd < 0 ? fd
                    : loop_io_start(settings->loop, &guard->io, fd, LOOP_READABLE, on_ready);
        if (rv != 0 && fd >= 0)
            close(fd);
        guard->io.fd = rv == 0 ? fd : -1;
    }
    if (rv != 0) {
        switch_guard_close(guard);
        return rv;
    }
    *out = guard;
    return 0;
}

void switch_guard_pause(struct switch_guard *guard)
{
    if (guard && guard->io.fd >= 0)
        loop_io_stop(&guard->io);
}

void switch_guard_close(struct switch_guard *guard)
{
    if (!guard)
        return;
    if (guard->io.fd >= 0) {
        loop_io_stop(&guard->io);
        slow_close(guard->io.fd);
    }
    if (guard->filtered)
        reset_filter_remove(guard->interface_index, guard->family);
    free(guard);
}

#include "vrrp/vip_address.h"

#include "vrrp/netlink_address.h"
#include "vrrp/vrrp.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BATCH = 64,
    MESSAGE_ROOM = 256,
    ANSWER_ROOM = BATCH * 512,
};

struct vip_netlink {
    struct nl_sock *socket;
    uint32_t next_sequence;
    _Alignas(struct nlmsghdr) uint8_t request[BATCH * MESSAGE_ROOM];
    _Alignas(struct nlmsghdr) uint8_t answer[ANSWER_ROOM];
};

uint8_t vip_prefix_length(const struct ip_address *address)
{
    return (uint8_t)(8 * ip_address_size(address));
}

int vip_netlink_open(struct vip_netlink **out)
{
    static const struct timeval patience = {.tv_usec = 200000};
    struct vip_netlink *netlink = calloc(1, sizeof(*netlink));
    if (!netlink)
        return -ENOMEM;
    netlink->socket = nl_socket_alloc();
    if (!netlink->socket || nl_connect(netlink->socket, NETLINK_ROUTE) != 0) {
        vip_netlink_close(netlink);
        return -EIO;
    }
    setsockopt(nl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof(patience));
    *out = netlink;
    return 0;
}

void vip_netlink_close(struct vip_netlink *netlink)
{
    if (!netlink)
        return;
    nl_socket_free(netlink->socket);
    free(netlink);
}

/* ---- requests: built by hand, hundreds of them twice a second ------------------------------
 */

static void put(struct nlmsghdr *header, uint16_t type, const void *data, size_t size)
{
    struct nlattr attribute = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
    uint8_t *at = (uint8_t *)header + header->nlmsg_len;
    memcpy(at, &attribute, sizeof(attribute));
    memcpy(at + NLA_HDRLEN, data, size);
    memset(at + NLA_HDRLEN + size, 0, NLA_ALIGN(size) - size);
    header->nlmsg_len += (uint32_t)(NLA_HDRLEN + NLA_ALIGN(size));
}

static void put_life(struct nlmsghdr *header, const struct ip_address *address)
{
    const uint8_t protocol = VIP_PROTOCOL;
    /* Deprecated at once: never a source address of this host's own IPv6 connections. */
    const struct ifa_cacheinfo life = {
        .ifa_prefered = address->family == 6 ? 0 : VIP_LIFETIME_S, .ifa_valid = VIP_LIFETIME_S};
    /* Duplicate detection would keep the address unusable for a second, and a take-over from
     * a node that is not quite dead would fail it for good. */
    const uint32_t flags = IFA_F_NODAD;
    put(header, IFA_CACHEINFO, &life, sizeof(life));
    put(header, IFA_PROTO, &protocol, sizeof(protocol));
    if (address->family == 6)
        put(header, IFA_FLAGS, &flags, sizeof(flags));
}

/* Writes the request for CHANGE to ROOM, which has MESSAGE_ROOM bytes; returns its size. */
static size_t build(const struct vip_change *change, uint32_t sequence, bool last, void *room)
{
    const struct ip_address *address = &change->address;
    const struct ifaddrmsg target = {
        .ifa_family = address->family == 6 ? AF_INET6 : AF_INET,
        .ifa_prefixlen = vip_prefix_length(address),
        .ifa_index = change->interface_index,
    };
    struct nlmsghdr *header = room;
    *header = (struct nlmsghdr){
        .nlmsg_len = NLMSG_LENGTH(sizeof(target)),
        .nlmsg_type = change->present ? RTM_NEWADDR : RTM_DELADDR,
        .nlmsg_flags = NLM_F_REQUEST,
        .nlmsg_seq = sequence,
    };
    if (change->present)
        header->nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
    if (last)
        header->nlmsg_flags |= NLM_F_ACK;
    memcpy(NLMSG_DATA(header), &target, sizeof(target));
    put(header, IFA_LOCAL, address->bytes, ip_address_size(address));
    put(header, IFA_ADDRESS, address->bytes, ip_address_size(address));
    if (change->present)
        put_life(header, address);
    return NLMSG_ALIGN(header->nlmsg_len);
}

/* ---- answers --------------------------------------------------------------------------------
 */

/* True when the answer to the last request was among what was received. The kernel answers in
 * order: what failed at once, what went well only for the last. */
static bool read_answers(const struct vip_netlink *netlink,
                         size_t size,
                         struct vip_change *changes,
                         size_t count,
                         uint32_t first_sequence)
{
    bool complete = false;
    int rest = (int)size;
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)netlink->answer;
    for (; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest)) {
        uint32_t offset = header->nlmsg_seq - first_sequence;
        if (header->nlmsg_type != NLMSG_ERROR || offset >= count ||
            header->nlmsg_len < NLMSG_LENGTH(sizeof(int)))
            continue;
        int result;
        memcpy(&result, nlmsg_data(header), sizeof(result));
        changes[offset].result =
            !changes[offset].present && result == -EADDRNOTAVAIL ? 0 : result;
        complete = complete || offset == count - 1;
    }
    return complete;
}

static void apply_batch(struct vip_netlink *netlink, struct vip_change *changes, size_t count)
{
    uint32_t first_sequence = netlink->next_sequence;
    size_t used = 0;
    bool complete = false;
    netlink->next_sequence += (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        used += build(&changes[i], first_sequence + (uint32_t)i, i == count - 1,
                      netlink->request + used);
        changes[i].result = -ETIMEDOUT;
    }
    if (nl_sendto(netlink->socket, netlink->request, used) < 0)
        return;
    while (!complete) {
        ssize_t size = recv(nl_socket_get_fd(netlink->socket), netlink->answer,
                            sizeof(netlink->answer), 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return;
        complete = read_answers(netlink, (size_t)size, changes, count, first_sequence);
    }
    for (size_t i = 0; i < count; i++) {
        if (changes[i].result == -ETIMEDOUT) /* nothing was said against it */
            changes[i].result = 0;
    }
}

void vip_netlink_apply(struct vip_netlink *netlink, struct vip_change *changes, size_t count)
{
    for (size_t done = 0; done < count; done += BATCH)
        apply_batch(netlink, changes + done, count - done < BATCH ? count - done : BATCH);
}

bool vip_address_is_local(const struct ip_address *address)
{
    struct nl_sock *socket = nl_socket_alloc();
    struct nl_addr *native = netlink_address_to(address);
    struct rtnl_route *route = NULL;
    bool local = true;
    if (socket && native && nl_connect(socket, NETLINK_ROUTE) == 0 &&
        rtnl_route_lookup(socket, native, &route) == 0)
        local = rtnl_route_get_type(route) == RTN_LOCAL;
    if (route)
        rtnl_route_put(route);
    nl_addr_put(native);
    nl_socket_free(socket);
    return local;
}

int vip_address_remove(const struct message_vrrp_owned *owned)
{
    struct vip_netlink *netlink;
    struct vip_change change = {.address = owned->address,
                                .interface_index = owned->interface_index};
    int rv = vip_netlink_open(&netlink);
    if (rv != 0)
        return rv;
    vip_netlink_apply(netlink, &change, 1);
    vip_netlink_close(netlink);
    return change.result;
}

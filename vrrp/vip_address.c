#include "vrrp/vip_address.h"

#include "vrrp/netlink_address.h"
#include "vrrp/vrrp.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
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

static void set_lifetime(struct rtnl_addr *native, const struct ip_address *address)
{
    rtnl_addr_set_valid_lifetime(native, VIP_LIFETIME_S);
    /* Deprecated at once: never a source address of this host's own IPv6 connections. */
    rtnl_addr_set_preferred_lifetime(native, address->family == 6 ? 0 : VIP_LIFETIME_S);
    /* Duplicate detection would keep the address unusable for a second, and a take-over from
     * a node that is not quite dead would fail it for good. */
    if (address->family == 6)
        rtnl_addr_set_flags(native, IFA_F_NODAD);
}

/* NULL when out of memory. */
static struct nl_msg *build(const struct vip_change *change)
{
    struct rtnl_addr *native = rtnl_addr_alloc();
    struct nl_addr *local = netlink_address_to(&change->address);
    struct nl_msg *message = NULL;
    if (native && local && rtnl_addr_set_local(native, local) == 0) {
        rtnl_addr_set_ifindex(native, (int)change->interface_index);
        if (change->present) {
            set_lifetime(native, &change->address);
            rtnl_addr_build_add_request(native, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK,
                                        &message);
            if (message) /* libnl has no name for it; without room the mark is missing */
                nla_put_u8(message, IFA_PROTO, VIP_PROTOCOL);
        } else {
            rtnl_addr_build_delete_request(native, NLM_F_ACK, &message);
        }
    }
    nl_addr_put(local);
    rtnl_addr_put(native);
    return message;
}

/* Appends the request for CHANGE with sequence number SEQUENCE; returns the new size. */
static size_t
append(struct vip_netlink *netlink, size_t used, struct vip_change *change, uint32_t sequence)
{
    struct nl_msg *message = build(change);
    change->result = message ? -ETIMEDOUT : -ENOMEM;
    if (!message)
        return used;
    nl_complete_msg(netlink->socket, message);
    struct nlmsghdr *header = nlmsg_hdr(message);
    header->nlmsg_seq = sequence;
    header->nlmsg_flags |= NLM_F_ACK;
    size_t size = NLMSG_ALIGN(header->nlmsg_len);
    if (size <= MESSAGE_ROOM) {
        memcpy(netlink->request + used, header, header->nlmsg_len);
        used += size;
    } else {
        change->result = -EMSGSIZE;
    }
    nlmsg_free(message);
    return used;
}

/* Number of answers to the batch in what was received. */
static size_t read_answers(const struct vip_netlink *netlink,
                           size_t size,
                           struct vip_change *changes,
                           size_t count,
                           uint32_t first_sequence)
{
    size_t answers = 0;
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
        answers++;
    }
    return answers;
}

static void apply_batch(struct vip_netlink *netlink, struct vip_change *changes, size_t count)
{
    uint32_t first_sequence = netlink->next_sequence;
    size_t used = 0, expected = 0;
    netlink->next_sequence += (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        used = append(netlink, used, &changes[i], first_sequence + (uint32_t)i);
        expected += changes[i].result == -ETIMEDOUT;
    }
    if (expected == 0 || nl_sendto(netlink->socket, netlink->request, used) < 0)
        return;
    while (expected > 0) {
        ssize_t size = recv(nl_socket_get_fd(netlink->socket), netlink->answer,
                            sizeof(netlink->answer), 0);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return;
        size_t answers = read_answers(netlink, (size_t)size, changes, count, first_sequence);
        expected = answers < expected ? expected - answers : 0;
    }
}

void vip_netlink_apply(struct vip_netlink *netlink, struct vip_change *changes, size_t count)
{
    for (size_t done = 0; done < count; done += BATCH)
        apply_batch(netlink, changes + done, count - done < BATCH ? count - done : BATCH);
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

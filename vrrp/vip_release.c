/* Finds the virtual addresses that lbnode put on interfaces, whoever did it and however that
 * process ended, and removes them. Owns nothing beyond the call. */
#include "vrrp/vip_address.h"
#include "vrrp/vrrp.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    RELEASE_MAXIMUM = 4096,
};

struct found {
    struct vip_change *changes;
    size_t count;
};

/* By the mark alone: a short life and a full prefix others have too. */
static bool is_ours(struct nlattr *attributes[])
{
    return attributes[IFA_PROTO] && nla_len(attributes[IFA_PROTO]) == 1 &&
           nla_get_u8(attributes[IFA_PROTO]) == VIP_PROTOCOL;
}

static int look(struct nl_msg *message, void *context)
{
    struct found *found = context;
    struct nlattr *attributes[IFA_PROTO + 1];
    struct nlmsghdr *header = nlmsg_hdr(message);
    if (header->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse(header, sizeof(struct ifaddrmsg), attributes, IFA_PROTO, NULL) < 0)
        return NL_OK;
    const struct ifaddrmsg *head = nlmsg_data(header);
    struct nlattr *local =
        attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    struct vip_change change = {.interface_index = head->ifa_index};
    change.address.family = head->ifa_family == AF_INET6 ? 6 : 4;
    size_t size = ip_address_size(&change.address);
    if (!local || nla_len(local) != (int)size || !is_ours(attributes) ||
        found->count == RELEASE_MAXIMUM)
        return NL_OK;
    memcpy(change.address.bytes, nla_data(local), size);
    found->changes[found->count++] = change;
    return NL_OK;
}

static int find_ours(struct found *found)
{
    struct rtgenmsg any = {.rtgen_family = AF_UNSPEC};
    struct nl_sock *socket = nl_socket_alloc();
    int rv = socket ? -EIO : -ENOMEM;
    if (socket && nl_connect(socket, NETLINK_ROUTE) == 0 &&
        nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, look, found) == 0 &&
        nl_send_simple(socket, RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any)) >= 0 &&
        nl_recvmsgs_default(socket) >= 0)
        rv = 0;
    nl_socket_free(socket);
    return rv;
}

int vip_release(vip_released *released, void *context)
{
    struct found found = {.changes = calloc(RELEASE_MAXIMUM, sizeof(*found.changes))};
    struct vip_netlink *netlink = NULL;
    int rv = found.changes ? find_ours(&found) : -ENOMEM;
    if (rv == 0 && found.count > 0)
        rv = vip_netlink_open(&netlink);
    if (netlink)
        vip_netlink_apply(netlink, found.changes, found.count);
    for (size_t i = 0; netlink && i < found.count; i++)
        released(context, &found.changes[i].address, found.changes[i].interface_index,
                 found.changes[i].result);
    vip_netlink_close(netlink);
    free(found.changes);
    return rv;
}

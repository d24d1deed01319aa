#include "vrrp/reset_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

enum {
    /* Unlikely to be anybody else's, and so the name of ours. */
    FILTER_PRIORITY = 0x6c62,
    MESSAGE_SIZE = 32768,
};

/* Takes MESSAGE over. 0 or -errno. */
static int transact(struct nl_msg *message)
{
    struct nl_sock *socket = nl_socket_alloc();
    int rv = socket && message ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;
    if (rv == 0)
        rv = nl_send_auto(socket, message);
    if (rv >= 0)
        rv = nl_wait_for_ack(socket);
    nlmsg_free(message);
    nl_socket_free(socket);
    switch (-rv) {
    case 0: return 0;
    case NLE_EXIST: return -EEXIST;
    case NLE_OBJ_NOTFOUND: return -ENOENT;
    case NLE_PERM: return -EPERM;
    case NLE_OPNOTSUPP: return -EOPNOTSUPP;
    default: return -EIO;
    }
}

static struct nl_msg *begin(int type, int flags, const struct tcmsg *header, const char *kind)
{
    struct nl_msg *message = nlmsg_alloc_size(MESSAGE_SIZE);
    struct nlmsghdr *head = message
                                ? nlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, type,
                                            sizeof(*header), NLM_F_REQUEST | NLM_F_ACK | flags)
                                : NULL;
    if (!head) {
        nlmsg_free(message);
        return NULL;
    }
    *(struct tcmsg *)nlmsg_data(head) = *header;
    nla_put_string(message, TCA_KIND, kind);
    return message;
}

static struct tcmsg filter_header(unsigned interface_index, unsigned char family)
{
    uint32_t protocol = htons(family == 4 ? ETH_P_IP : ETH_P_IPV6);
    return (struct tcmsg){
        .tcm_family = AF_UNSPEC,
        .tcm_ifindex = (int)interface_index,
        .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS),
        .tcm_info = TC_H_MAKE((uint32_t)(FILTER_PRIORITY + (family == 6)) << 16, protocol),
    };
}

int reset_filter_add(unsigned interface_index,
                     unsigned char family,
                     const struct sock_filter *program,
                     size_t length)
{
    struct tcmsg hook = {.tcm_ifindex = (int)interface_index,
                         .tcm_parent = TC_H_CLSACT,
                         .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0)};
    struct tcmsg header = filter_header(interface_index, family);
    int rv = transact(begin(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &hook, "clsact"));
    if (rv != 0 && rv != -EEXIST)
        return rv;
    reset_filter_remove(interface_index, family);
    struct nl_msg *message = begin(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, &header, "bpf");
    struct nlattr *options = message ? nla_nest_start(message, TCA_OPTIONS) : NULL;
    if (!options || nla_put_u16(message, TCA_BPF_OPS_LEN, (uint16_t)length) != 0 ||
        nla_put(message, TCA_BPF_OPS, (int)(length * sizeof(*program)), program) != 0 ||
        nla_put_u32(message, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT) != 0) {
        nlmsg_free(message);
        return -ENOMEM;
    }
    nla_nest_end(message, options);
    return transact(message);
}

int reset_filter_remove(unsigned interface_index, unsigned char family)
{
    struct tcmsg header = filter_header(interface_index, family);
    return transact(begin(RTM_DELTFILTER, 0, &header, "bpf"));
}

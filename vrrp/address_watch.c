#include "vrrp/address_watch.h"

#include "lbnode/base/bytes.h"
#include "vrrp/netlink_address.h"
#include "vrrp/vip_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <stdlib.h>

enum {
    RECEIVE_PER_TURN = 256,
};

struct address_watch {
    struct loop_io io;
    struct nl_sock *socket;
    struct address_watch_handler handler;
};

static void report_address(struct nl_object *object, void *context)
{
    struct address_watch *watch = context;
    struct rtnl_addr *native = (struct rtnl_addr *)(void *)object;
    struct ip_address address;
    unsigned index = (unsigned)rtnl_addr_get_ifindex(native);
    if (!netlink_address_from(rtnl_addr_get_local(native), &address))
        return;
    if (nl_object_get_msgtype(object) == RTM_DELADDR)
        watch->handler.on_address_gone(watch->handler.context, index, &address);
    else
        watch->handler.on_address(watch->handler.context, index, &address);
}

static int on_notification(struct nl_msg *message, void *context)
{
    struct address_watch *watch = context;
    int type = nlmsg_hdr(message)->nlmsg_type;
    if (type == RTM_NEWLINK || type == RTM_DELLINK)
        watch->handler.on_link(watch->handler.context);
    else if (type == RTM_NEWADDR || type == RTM_DELADDR)
        nl_msg_parse(message, report_address, watch);
    return NL_OK;
}

static void on_ready(struct loop_io *io, unsigned readiness)
{
    struct address_watch *watch = CONTAINER_OF(io, struct address_watch, io);
    int rv = 0;
    watch->handler.on_wake(watch->handler.context);
    for (int i = 0; i < RECEIVE_PER_TURN && rv >= 0; i++)
        rv = nl_recvmsgs_default(watch->socket);
    if (rv < 0 && rv != -NLE_AGAIN && rv != -NLE_INTR)
        watch->handler.on_lost(watch->handler.context);
}

/* Most notifications are of our own renewals and say nothing new. Drops new addresses that bear
 * our mark (a kernel before 5.18 does not pass it on: then all are read). */
static void ignore_own(int fd)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWADDR), 0, 6),
        BPF_STMT(BPF_LD | BPF_IMM, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ifaddrmsg))),
        BPF_STMT(BPF_LDX | BPF_IMM, IFA_PROTO),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_NLATTR)),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, NLA_HDRLEN),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VIP_PROTOCOL, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {ARRAY_LENGTH(program), program};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

static int subscribe(struct address_watch *watch)
{
    enum {
        RECEIVE_BUFFER = 4 << 20
    };
    nl_socket_disable_seq_check(watch->socket);
    nl_socket_modify_cb(watch->socket, NL_CB_VALID, NL_CB_CUSTOM, on_notification, watch);
    if (nl_connect(watch->socket, NETLINK_ROUTE) != 0 ||
        nl_socket_add_memberships(watch->socket, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
                                  RTNLGRP_IPV6_IFADDR, 0) != 0)
        return -EIO;
    int fd = nl_socket_get_fd(watch->socket), size = RECEIVE_BUFFER;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    ignore_own(fd);
    nl_socket_set_nonblocking(watch->socket);
    return 0;
}

int address_watch_open(struct loop *loop,
                       const struct address_watch_handler *handler,
                       struct address_watch **out)
{
    struct address_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->handler = *handler;
    watch->socket = nl_socket_alloc();
    int rv = watch->socket ? subscribe(watch) : -ENOMEM;
    if (rv == 0)
        rv = loop_io_start(loop, &watch->io, nl_socket_get_fd(watch->socket), LOOP_READABLE,
                           on_ready);
    if (rv != 0) {
        nl_socket_free(watch->socket);
        free(watch);
        return rv;
    }
    *out = watch;
    return 0;
}

void address_watch_close(struct address_watch *watch)
{
    if (!watch)
        return;
    loop_io_stop(&watch->io);
    nl_socket_free(watch->socket);
    free(watch);
}

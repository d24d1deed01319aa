#include "vrrp/address_watch.h"

#include "lbnode/base/bytes.h"
#include "vrrp/netlink_address.h"

#include <errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <stdlib.h>

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
    watch->handler.on_wake(watch->handler.context);
    int rv = nl_recvmsgs_default(watch->socket);
    if (rv < 0 && rv != -NLE_AGAIN && rv != -NLE_INTR)
        watch->handler.on_lost(watch->handler.context);
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

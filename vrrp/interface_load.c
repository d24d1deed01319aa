/* Reads the kernel's interfaces and addresses into a table (libnl). */
#include "vrrp/interface_table.h"

#include "vrrp/netlink_address.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <string.h>

static void add_link(struct nl_object *object, void *context)
{
    struct rtnl_link *link = (struct rtnl_link *)(void *)object;
    const char *name = rtnl_link_get_name(link);
    unsigned flags = rtnl_link_get_flags(link);
    struct interface interface = {
        .index = (unsigned)rtnl_link_get_ifindex(link),
        .up = flags & IFF_UP && flags & IFF_RUNNING,
        .loopback = flags & IFF_LOOPBACK,
    };
    if (!name || strlen(name) >= sizeof(interface.name))
        return;
    memcpy(interface.name, name, strlen(name) + 1);
    struct nl_addr *mac = rtnl_link_get_addr(link);
    interface.has_mac = !interface.loopback && rtnl_link_get_arptype(link) == ARPHRD_ETHER &&
                        mac && nl_addr_get_len(mac) == MAC_SIZE;
    if (interface.has_mac)
        memcpy(interface.mac, nl_addr_get_binary_addr(mac), MAC_SIZE);
    interface_table_add_interface(context, &interface);
}

static void add_address(struct nl_object *object, void *context)
{
    struct rtnl_addr *native = (struct rtnl_addr *)(void *)object;
    unsigned flags = rtnl_addr_get_flags(native);
    struct interface_address address = {
        .index = (unsigned)rtnl_addr_get_ifindex(native),
        .prefix_length = (uint8_t)rtnl_addr_get_prefixlen(native),
        .permanent = flags & IFA_F_PERMANENT,
        .usable = !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) || flags & IFA_F_OPTIMISTIC,
    };
    if (netlink_address_from(rtnl_addr_get_local(native), &address.address))
        interface_table_add_address(context, &address);
}

static int load(struct nl_sock *socket, struct interface_table *out)
{
    struct nl_cache *links = NULL, *addresses = NULL;
    int rv = -EIO;
    if (rtnl_link_alloc_cache(socket, AF_UNSPEC, &links) == 0 &&
        rtnl_addr_alloc_cache(socket, &addresses) == 0) {
        nl_cache_foreach(links, add_link, out);
        nl_cache_foreach(addresses, add_address, out);
        rv = 0;
    }
    nl_cache_free(links);
    nl_cache_free(addresses);
    return rv;
}

int interface_table_load(struct interface_table *table)
{
    struct interface_table fresh = {0};
    struct nl_sock *socket = nl_socket_alloc();
    if (!socket)
        return -ENOMEM;
    int rv = nl_connect(socket, NETLINK_ROUTE) == 0 ? load(socket, &fresh) : -EIO;
    nl_socket_free(socket);
    if (rv == 0) {
        interface_table_free(table);
        *table = fresh;
    } else {
        interface_table_free(&fresh);
    }
    return rv;
}

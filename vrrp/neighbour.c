#include "vrrp/neighbour.h"

#include "vrrp/netlink_address.h"

#include <linux/neighbour.h>
#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>

static void request(unsigned interface_index, const struct ip_address *address, bool use)
{
    struct nl_sock *socket = nl_socket_alloc();
    struct rtnl_neigh *entry = rtnl_neigh_alloc();
    struct nl_addr *native = netlink_address_to(address);
    if (socket && entry && native && nl_connect(socket, NETLINK_ROUTE) == 0 &&
        rtnl_neigh_set_dst(entry, native) == 0) {
        rtnl_neigh_set_ifindex(entry, (int)interface_index);
        if (use) {
            rtnl_neigh_set_flags(entry, NTF_USE);
            rtnl_neigh_add(socket, entry, NLM_F_CREATE);
        } else {
            rtnl_neigh_delete(socket, entry, 0);
        }
    }
    nl_addr_put(native);
    rtnl_neigh_put(entry);
    nl_socket_free(socket);
}

void neighbour_forget(unsigned interface_index, const struct ip_address *address)
{
    request(interface_index, address, false);
}

void neighbour_resolve(unsigned interface_index, const struct ip_address *address)
{
    request(interface_index, address, true);
}

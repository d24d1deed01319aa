#include "vrrp/neighbour.h"

#include "vrrp/netlink_address.h"

#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>

void neighbour_forget(unsigned interface_index, const struct ip_address *address)
{
    struct nl_sock *socket = nl_socket_alloc();
    struct rtnl_neigh *entry = rtnl_neigh_alloc();
    struct nl_addr *native = netlink_address_to(address);
    if (socket && entry && native && nl_connect(socket, NETLINK_ROUTE) == 0 &&
        rtnl_neigh_set_dst(entry, native) == 0) {
        rtnl_neigh_set_ifindex(entry, (int)interface_index);
        rtnl_neigh_delete(socket, entry, 0);
    }
    nl_addr_put(native);
    rtnl_neigh_put(entry);
    nl_socket_free(socket);
}

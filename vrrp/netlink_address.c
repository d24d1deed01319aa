#include "vrrp/netlink_address.h"

#include <netlink/addr.h>
#include <string.h>

bool netlink_address_from(struct nl_addr *native, struct ip_address *out)
{
    if (!native)
        return false;
    int family = nl_addr_get_family(native);
    *out = (struct ip_address){.family = family == AF_INET6 ? 6 : 4};
    if ((family != AF_INET && family != AF_INET6) ||
        nl_addr_get_len(native) != ip_address_size(out))
        return false;
    memcpy(out->bytes, nl_addr_get_binary_addr(native), ip_address_size(out));
    return true;
}

struct nl_addr *netlink_address_to(const struct ip_address *address)
{
    return nl_addr_build(address->family == 6 ? AF_INET6 : AF_INET, address->bytes,
                         ip_address_size(address));
}

/* IP addresses between libnl's form and ours. */
#ifndef VRRP_NETLINK_ADDRESS_H
#define VRRP_NETLINK_ADDRESS_H

#include "lbnode/base/ip_address.h"

struct nl_addr;

/* False for NULL and other families. */
bool netlink_address_from(struct nl_addr *native, struct ip_address *out);
/* A host address (/32, /128); the caller owns it (nl_addr_put). NULL when out of memory. */
struct nl_addr *netlink_address_to(const struct ip_address *address);

#endif

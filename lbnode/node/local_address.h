/* Which address of this host the other nodes would use: read from the kernel at start. */
#ifndef LBNODE_NODE_LOCAL_ADDRESS_H
#define LBNODE_NODE_LOCAL_ADDRESS_H

#include "lbnode/base/ip_address.h"

#include <stddef.h>

/* The first global IPv4 and the first global IPv6 address of INTERFACE ("" = the one with the
 * default route, else the first that is up and no loopback). Host addresses (/32, /128) come
 * last: an earlier run may have left a virtual address for a moment. Always finds one: the
 * loopback address in the worst case. Returns 1 or 2, IPv4 first. */
size_t local_address_find(const char *interface, struct ip_address out[2]);

#endif

/* The kernel's neighbour cache, as far as adverts depend on it. */
#ifndef VRRP_NEIGHBOUR_H
#define VRRP_NEIGHBOUR_H

#include "lbnode/base/ip_address.h"

/* Forgets the link address of ADDRESS on an interface, and with it every packet that waits for
 * it. No entry, or no right to: nothing happens. */
void neighbour_forget(unsigned interface_index, const struct ip_address *address);
/* Makes the kernel find out the link address of ADDRESS, or confirm it, as if something were to
 * be sent there. Failures are silent: whoever needs it looks it up and sees. */
void neighbour_resolve(unsigned interface_index, const struct ip_address *address);

#endif

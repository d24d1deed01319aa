/* What the health process may no longer do from its start on, whoever has got hold of it. The
 * raw sockets for pings are the reason: without this they could send any packet in anybody's
 * name. */
#ifndef HEALTH_CONFINEMENT_H
#define HEALTH_CONFINEMENT_H

#include <stdbool.h>

/* Of a raw socket the kernel writes the IP header: only ICMP, only from addresses of this host.
 * No program is started, and nothing asked for by io_uring, which this would not see. For good;
 * what is refused fails with EPERM. False with errno when the kernel has no seccomp. */
bool confinement_enter(void);

#endif

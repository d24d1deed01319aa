/* The sockets for the echo requests of PING and UDP-CONNECT monitors: opened once, by a process
 * that has the right to, and inherited by the health process, which has none. Whoever holds
 * them can read nothing but answers to such requests. */
#ifndef HEALTH_ICMP_SOCKETS_H
#define HEALTH_ICMP_SOCKETS_H

#include "lbnode/model/process.h"

/* One socket of each family that the kernel grants: an echo socket (icmp(7), the setting
 * net.ipv4.ping_group_range), by which nothing but echo requests can be sent, or else a raw
 * one, which needs NET_RAW. Non-blocking and CLOEXEC; 0 in place of one that was refused. */
struct icmp_sockets icmp_sockets_open(void);
void icmp_sockets_close(struct icmp_sockets *sockets); /* idempotent */

#endif

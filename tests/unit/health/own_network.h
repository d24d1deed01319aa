/* A network namespace of its own for a test: loopback alone, with switches that only matter
 * there. Needs root. */
#ifndef TESTS_UNIT_HEALTH_OWN_NETWORK_H
#define TESTS_UNIT_HEALTH_OWN_NETWORK_H

#include <stdbool.h>

/* This process moves there, for good. False, said aloud: not root. */
bool own_network_enter(void);
/* May echo sockets be made, or raw ones only? */
void own_network_allow_echo_sockets(bool allowed);
/* Does the host answer echo requests, of either family? */
void own_network_answer_pings(bool answered);
/* An interface with the network 192.0.2.0/24, on which nobody answers: what is sent there waits
 * for a link address until the kernel gives up, after less than a second. A descriptor that
 * keeps it, or -1, said aloud: the kernel has none. */
int own_network_open_silence(void);

#endif

/* Both families of a group belong on one node, although each is a virtual router with an
 * election of its own (RFC 9568); pure. IPv4 leads: a node that is active for IPv6 alone, and
 * follows another one in IPv4, hands IPv6 over to that one. Where nobody takes it, it serves,
 * and asks again ever more seldom. */
#ifndef VRRP_FAMILY_BOND_H
#define VRRP_FAMILY_BOND_H

#include "vrrp/vrrp_machine.h"

/* Elections that go on settle in that time by themselves. */
#define FAMILY_BOND_SETTLE_US    UINT64_C(1000000)
#define FAMILY_BOND_MAXIMUM_US   UINT64_C(600000000)
#define FAMILY_BOND_DELAY_FACTOR 4

/* All zero: not asked yet. */
struct family_bond {
    struct ip_address asked; /* the owner of IPv4 that was asked last */
    uint64_t next_us, delay_us;
};

/* Must the IPv6 machine of a group hand over now, given the IPv4 one? To be asked before each
 * of its timers. True at most once until the next attempt is due. */
bool family_bond_hands_over(struct family_bond *bond,
                            const struct vrrp_machine *ipv4,
                            const struct vrrp_machine *ipv6,
                            uint64_t now_us);

#endif

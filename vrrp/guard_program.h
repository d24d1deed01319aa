/* Packet filters of the switch guard and the claim watch, as classic BPF over Ethernet frames;
 * pure. */
#ifndef VRRP_GUARD_PROGRAM_H
#define VRRP_GUARD_PROGRAM_H

#include "lbnode/base/ip_address.h"

#include <linux/filter.h>
#include <stddef.h>

enum {
    GUARD_PROGRAM_MAXIMUM_ADDRESSES = 250,
    GUARD_PROGRAM_MAXIMUM = 32 + 9 * GUARD_PROGRAM_MAXIMUM_ADDRESSES, /* instructions */
    GUARD_PROGRAM_DROP = 2,                                           /* TC_ACT_SHOT */
    GUARD_PROGRAM_PASS = -1,                                          /* TC_ACT_UNSPEC */
};

/* What a program decides about. */
enum guard_program_kind {
    GUARD_PROGRAM_RESETS,   /* leaving: TCP resets from one of the addresses are dropped */
    GUARD_PROGRAM_SEGMENTS, /* arriving: TCP to one of the addresses is taken, all else not */
    GUARD_PROGRAM_CLAIMS,   /* ARP from, or neighbour advertisement for, one of the addresses */
};

/* For ADDRESSES, all of FAMILY; those beyond the maximum are left out. Returns the number of
 * instructions. RESETS results in DROP or PASS, the others in the whole frame or nothing. */
size_t guard_program_build(enum guard_program_kind kind,
                           uint8_t family,
                           const struct ip_address *addresses,
                           size_t count,
                           struct sock_filter out[GUARD_PROGRAM_MAXIMUM]);

#endif

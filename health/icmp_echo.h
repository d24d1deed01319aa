/* ICMP and ICMPv6 echo messages (RFC 792, RFC 4443 section 4) that carry a cookie: what is sent
 * to a member and what may come back. Pure. */
#ifndef HEALTH_ICMP_ECHO_H
#define HEALTH_ICMP_ECHO_H

#include "lbnode/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ICMP_ECHO_SIZE = 16,        /* header and cookie; longer or shorter answers are not ours */
    ICMP_DATAGRAM_MAXIMUM = 76, /* with the longest IPv4 header */
};

/* How a socket delivers answers. */
enum icmp_framing {
    ICMP_V4_DATAGRAM, /* raw socket: the IPv4 header first */
    ICMP_V4_MESSAGE,
    ICMP_V6_MESSAGE,
};

struct icmp_echo {
    uint16_t identifier, sequence;
    uint64_t cookie;
};

/* An echo request. The checksum of ICMPv6 is left to the kernel, which knows the source. */
void icmp_echo_write(const struct icmp_echo *echo,
                     enum icmp_framing framing,
                     uint8_t out[ICMP_ECHO_SIZE]);
/* An echo reply; false: anything else. The kernel has checked the checksum of ICMPv6. */
bool icmp_echo_read(struct bytes received, enum icmp_framing framing, struct icmp_echo *out);

#endif

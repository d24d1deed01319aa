/* Neighbour Discovery frames that this node sends, pure (RFC 4861, RFC 9568 6.4.2). */
#ifndef VRRP_NDISC_H
#define VRRP_NDISC_H

#include "vrrp/arp.h"

enum {
    NDISC_FRAME_SIZE = 86
};

/* An unsolicited Neighbour Advertisement to all nodes: router and override flags set, the
 * target link-layer address is MAC, source is the virtual address itself. */
void ndisc_build_advertisement(const uint8_t mac[MAC_SIZE],
                               const struct ip_address *address,
                               uint8_t out[NDISC_FRAME_SIZE]);

/* A Neighbour Solicitation to TARGET's solicited-node group: whoever has it answers to SENDER,
 * whose link address MAC is told. */
void ndisc_build_solicitation(const uint8_t mac[MAC_SIZE],
                              const struct ip_address *sender,
                              const struct ip_address *target,
                              uint8_t out[NDISC_FRAME_SIZE]);

#endif

/* ARP frames that this node sends, pure (RFC 826). */
#ifndef VRRP_ARP_H
#define VRRP_ARP_H

#include "lbnode/base/ip_address.h"

enum {
    MAC_SIZE = 6,
    ARP_FRAME_SIZE = 42
};

/* A gratuitous request: sender and target address are the virtual address, broadcast. */
void arp_build_gratuitous(const uint8_t mac[MAC_SIZE],
                          const struct ip_address *address,
                          uint8_t out[ARP_FRAME_SIZE]);
/* An ordinary broadcast request: whoever has TARGET answers and learns SENDER's link address.
 */
void arp_build_request(const uint8_t mac[MAC_SIZE],
                       const struct ip_address *sender,
                       const struct ip_address *target,
                       uint8_t out[ARP_FRAME_SIZE]);

#endif

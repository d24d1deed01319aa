#include "vrrp/ndisc.h"

#include "lbnode/base/bytes.h"
#include "vrrp/vrrp_packet.h"

#include <string.h>

enum {
    ETHERNET_SIZE = 14,
    IPV6_SIZE = 40,
    ADVERTISEMENT_SIZE = 32,
    NEXT_HEADER_ICMPV6 = 58,
    TYPE_ADVERTISEMENT = 136,
    FLAG_ROUTER = 0x80,
    FLAG_OVERRIDE = 0x20,
    OPTION_TARGET_LINK_ADDRESS = 2,
};

void ndisc_build_advertisement(const uint8_t mac[MAC_SIZE],
                               const struct ip_address *address,
                               uint8_t out[NDISC_FRAME_SIZE])
{
    static const uint8_t all_nodes_mac[MAC_SIZE] = {0x33, 0x33, 0, 0, 0, 1};
    static const struct ip_address all_nodes = {6, {0xff, 0x02, [15] = 1}};
    uint8_t *ip = out + ETHERNET_SIZE;
    uint8_t *icmp = ip + IPV6_SIZE;
    memset(out, 0, NDISC_FRAME_SIZE);
    memcpy(out, all_nodes_mac, MAC_SIZE);
    memcpy(out + 6, mac, MAC_SIZE);
    store_be16(out + 12, 0x86dd);
    ip[0] = 0x60;
    store_be16(ip + 4, ADVERTISEMENT_SIZE);
    ip[6] = NEXT_HEADER_ICMPV6;
    ip[7] = VRRP_HOP_LIMIT;
    memcpy(ip + 8, address->bytes, 16);
    memcpy(ip + 24, all_nodes.bytes, 16);
    icmp[0] = TYPE_ADVERTISEMENT;
    icmp[4] = FLAG_ROUTER | FLAG_OVERRIDE;
    memcpy(icmp + 8, address->bytes, 16);
    icmp[24] = OPTION_TARGET_LINK_ADDRESS;
    icmp[25] = 1; /* in units of 8 bytes */
    memcpy(icmp + 26, mac, MAC_SIZE);
    uint32_t sum =
        vrrp_checksum_pseudo(address, &all_nodes, NEXT_HEADER_ICMPV6, ADVERTISEMENT_SIZE);
    store_be16(icmp + 2,
               vrrp_checksum_finish(vrrp_checksum_add(sum, icmp, ADVERTISEMENT_SIZE)));
}

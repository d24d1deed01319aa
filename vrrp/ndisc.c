#include "vrrp/ndisc.h"

#include "lbnode/base/bytes.h"
#include "vrrp/vrrp_packet.h"

#include <string.h>

enum {
    ETHERNET_SIZE = 14,
    IPV6_SIZE = 40,
    MESSAGE_SIZE = 32,
    NEXT_HEADER_ICMPV6 = 58,
    TYPE_SOLICITATION = 135,
    TYPE_ADVERTISEMENT = 136,
    FLAG_ROUTER = 0x80,
    FLAG_OVERRIDE = 0x20,
    OPTION_SOURCE_LINK_ADDRESS = 1,
    OPTION_TARGET_LINK_ADDRESS = 2,
};

/* Both messages are 24 bytes and one link address option. */
static void build(const uint8_t mac[MAC_SIZE],
                  const struct ip_address *source,
                  const struct ip_address *group,
                  const struct ip_address *target,
                  uint8_t type,
                  uint8_t out[NDISC_FRAME_SIZE])
{
    uint8_t *ip = out + ETHERNET_SIZE;
    uint8_t *icmp = ip + IPV6_SIZE;
    memset(out, 0, NDISC_FRAME_SIZE);
    store_be16(out, 0x3333);
    memcpy(out + 2, group->bytes + 12, 4);
    memcpy(out + 6, mac, MAC_SIZE);
    store_be16(out + 12, 0x86dd);
    ip[0] = 0x60;
    store_be16(ip + 4, MESSAGE_SIZE);
    ip[6] = NEXT_HEADER_ICMPV6;
    ip[7] = VRRP_HOP_LIMIT;
    memcpy(ip + 8, source->bytes, 16);
    memcpy(ip + 24, group->bytes, 16);
    icmp[0] = type;
    icmp[4] = type == TYPE_ADVERTISEMENT ? FLAG_ROUTER | FLAG_OVERRIDE : 0;
    memcpy(icmp + 8, target->bytes, 16);
    icmp[24] =
        type == TYPE_ADVERTISEMENT ? OPTION_TARGET_LINK_ADDRESS : OPTION_SOURCE_LINK_ADDRESS;
    icmp[25] = 1; /* in units of 8 bytes */
    memcpy(icmp + 26, mac, MAC_SIZE);
    uint32_t sum = vrrp_checksum_pseudo(source, group, NEXT_HEADER_ICMPV6, MESSAGE_SIZE);
    store_be16(icmp + 2, vrrp_checksum_finish(vrrp_checksum_add(sum, icmp, MESSAGE_SIZE)));
}

void ndisc_build_advertisement(const uint8_t mac[MAC_SIZE],
                               const struct ip_address *address,
                               uint8_t out[NDISC_FRAME_SIZE])
{
    static const struct ip_address all_nodes = {6, {0xff, 0x02, [15] = 1}};
    build(mac, address, &all_nodes, address, TYPE_ADVERTISEMENT, out);
}

void ndisc_build_solicitation(const uint8_t mac[MAC_SIZE],
                              const struct ip_address *sender,
                              const struct ip_address *target,
                              uint8_t out[NDISC_FRAME_SIZE])
{
    struct ip_address group = {6, {0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(group.bytes + 13, target->bytes + 13, 3);
    build(mac, sender, &group, target, TYPE_SOLICITATION, out);
}

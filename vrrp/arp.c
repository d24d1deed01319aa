#include "vrrp/arp.h"

#include <string.h>

static const uint8_t broadcast[MAC_SIZE] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void build(const uint8_t mac[MAC_SIZE],
                  const struct ip_address *sender,
                  const struct ip_address *target,
                  const uint8_t target_mac[MAC_SIZE],
                  uint8_t out[ARP_FRAME_SIZE])
{
    /* EtherType ARP; hardware Ethernet, protocol IPv4, sizes 6 and 4, operation request */
    static const uint8_t fixed[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    memcpy(out, broadcast, MAC_SIZE);
    memcpy(out + 6, mac, MAC_SIZE);
    memcpy(out + 12, fixed, sizeof(fixed));
    memcpy(out + 22, mac, MAC_SIZE);
    memcpy(out + 28, sender->bytes, 4);
    memcpy(out + 32, target_mac, MAC_SIZE);
    memcpy(out + 38, target->bytes, 4);
}

void arp_build_gratuitous(const uint8_t mac[MAC_SIZE],
                          const struct ip_address *address,
                          uint8_t out[ARP_FRAME_SIZE])
{
    build(mac, address, address, broadcast, out);
}

void arp_build_request(const uint8_t mac[MAC_SIZE],
                       const struct ip_address *sender,
                       const struct ip_address *target,
                       uint8_t out[ARP_FRAME_SIZE])
{
    static const uint8_t unknown[MAC_SIZE];
    build(mac, sender, target, unknown, out);
}

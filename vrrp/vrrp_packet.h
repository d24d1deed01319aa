/* VRRP messages as bytes (RFC 9568 5.2): encode and decode, pure. Version 3 over IPv4 and IPv6
 * is understood; version 2 and CARP, which share the protocol number, are recognised by name
 * and dropped. A decoded packet points into the caller's bytes. */
#ifndef VRRP_VRRP_PACKET_H
#define VRRP_VRRP_PACKET_H

#include "lbnode/base/bytes.h"
#include "lbnode/base/ip_address.h"

enum {
    VRRP_PROTOCOL = 112,
    VRRP_AUTHENTICATION_PROTOCOL = 51, /* version 2 with an authentication header before it */
    VRRP_HOP_LIMIT = 255,
    VRRP_MAXIMUM_ADDRESSES = 255,
    VRRP_MAXIMUM_INTERVAL_CS = 4095,
    VRRP_HEADER_SIZE = 8,
    VRRP_PACKET_MAXIMUM_SIZE = VRRP_HEADER_SIZE + 16 * VRRP_MAXIMUM_ADDRESSES,
};

/* Which sum an IPv4 advert carries: RFC 9568 5.2.8 says the message alone; keepalived and FRR
 * add an IPv4 pseudo-header by default. IPv6 always has the pseudo-header. */
enum vrrp_checksum {
    VRRP_CHECKSUM_MESSAGE,
    VRRP_CHECKSUM_PSEUDO
};

enum vrrp_verdict {
    VRRP_VERDICT_OK,
    VRRP_VERDICT_TRUNCATED,
    VRRP_VERDICT_HOP_LIMIT,
    VRRP_VERDICT_CARP,
    VRRP_VERDICT_VERSION_2,
    VRRP_VERDICT_UNKNOWN_VERSION,
    VRRP_VERDICT_UNKNOWN_TYPE,
    VRRP_VERDICT_NO_VRID,
    VRRP_VERDICT_NO_ADDRESS,
    VRRP_VERDICT_NO_INTERVAL,
    VRRP_VERDICT_NOT_LINK_LOCAL,
    VRRP_VERDICT_CHECKSUM,
    VRRP_VERDICT_COUNT
};

/* What the IP header said about a message. */
struct vrrp_envelope {
    struct ip_address source, destination;
    uint8_t hop_limit;
    /* Unicast of a router that is configured by its address needs no proof that it is on the
     * link; keepalived sends IPv6 ones with 64. */
    bool any_hop_limit;
    uint64_t arrived_us; /* monotime when the kernel had it; 0: not known */
};

struct vrrp_packet {
    uint8_t family; /* 4 or 6 */
    uint8_t vrid, priority, address_count;
    uint16_t interval_cs;
    enum vrrp_checksum checksum;
    const uint8_t *addresses; /* address_count times 4 or 16 bytes */
};

const char *vrrp_verdict_text(enum vrrp_verdict verdict);

/* Bytes after the last address are not part of the message (5.2) and are ignored. OUT is
 * complete only with VRRP_VERDICT_OK. */
enum vrrp_verdict vrrp_packet_decode(struct bytes message,
                                     const struct vrrp_envelope *envelope,
                                     struct vrrp_packet *out);

/* Size written to OUT, 0 when PACKET has no address or does not fit into CAPACITY. */
size_t vrrp_packet_encode(const struct vrrp_packet *packet,
                          const struct vrrp_envelope *envelope,
                          uint8_t *out,
                          size_t capacity);
/* The header alone, for addresses that add up to ADDRESSES_SUM (vrrp_checksum_add). */
void vrrp_packet_write_header(const struct vrrp_packet *packet,
                              const struct vrrp_envelope *envelope,
                              uint32_t addresses_sum,
                              uint8_t out[VRRP_HEADER_SIZE]);

/* Splits what a raw IPv4 socket delivers into header and message. False unless it is one whole
 * IPv4 datagram of protocol 112, with or without an authentication header. That is skipped, not
 * verified: only version 2 has it, which is not acted upon. */
bool vrrp_packet_open_ipv4(struct bytes datagram,
                           struct vrrp_envelope *out_envelope,
                           struct bytes *out_message);

/* The one's complement sum of the Internet checksum, continued from SUM; SIZE is even except
 * in the last piece. */
uint32_t vrrp_checksum_add(uint32_t sum, const void *data, size_t size);
/* With an IPv6 (or IPv4) pseudo-header for a payload of SIZE bytes. */
uint32_t vrrp_checksum_pseudo(const struct ip_address *source,
                              const struct ip_address *destination,
                              uint8_t protocol,
                              size_t size);
uint16_t vrrp_checksum_finish(uint32_t sum);

/* The interval as adverts carry it, 1 to VRRP_MAXIMUM_INTERVAL_CS. */
uint16_t vrrp_interval_cs(uint32_t interval_us);

#endif

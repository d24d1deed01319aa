#include "health/icmp_echo.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

enum {
    AT_TYPE = 0,
    AT_CODE = 1,
    AT_CHECKSUM = 2,
    AT_IDENTIFIER = 4,
    AT_SEQUENCE = 6,
    AT_COOKIE = 8,
    AT_PROTOCOL = 9, /* in the IPv4 header */
    IPV4_HEADER_MINIMUM = 20,
};

/* RFC 1071; 0 for a message that holds its right checksum. */
static uint16_t checksum_of(const uint8_t message[ICMP_ECHO_SIZE])
{
    uint32_t sum = 0;
    for (size_t i = 0; i < ICMP_ECHO_SIZE; i += 2)
        sum += load_be16(message + i);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ~(sum + (sum >> 16));
}

void icmp_echo_write(const struct icmp_echo *echo,
                     enum icmp_framing framing,
                     uint8_t out[ICMP_ECHO_SIZE])
{
    bool is_v6 = framing == ICMP_V6_MESSAGE;
    out[AT_TYPE] = is_v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    out[AT_CODE] = 0;
    store_be16(out + AT_CHECKSUM, 0);
    store_be16(out + AT_IDENTIFIER, echo->identifier);
    store_be16(out + AT_SEQUENCE, echo->sequence);
    store_be64(out + AT_COOKIE, echo->cookie);
    if (!is_v6)
        store_be16(out + AT_CHECKSUM, checksum_of(out));
}

/* Takes the IPv4 header off; false: it is none, or not one before ICMP. */
static bool skip_ip_header(struct bytes *datagram)
{
    if (datagram->size < IPV4_HEADER_MINIMUM || datagram->data[0] >> 4 != 4 ||
        datagram->data[AT_PROTOCOL] != IPPROTO_ICMP)
        return false;
    size_t size = (size_t)(datagram->data[0] & 0xf) * 4;
    if (size < IPV4_HEADER_MINIMUM || size > datagram->size)
        return false;
    datagram->data += size;
    datagram->size -= size;
    return true;
}

bool icmp_echo_read(struct bytes received, enum icmp_framing framing, struct icmp_echo *out)
{
    bool is_v6 = framing == ICMP_V6_MESSAGE;
    if (framing == ICMP_V4_DATAGRAM && !skip_ip_header(&received))
        return false;
    const uint8_t *message = received.data;
    if (received.size != ICMP_ECHO_SIZE ||
        message[AT_TYPE] != (is_v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
        message[AT_CODE] != 0 || (!is_v6 && checksum_of(message) != 0))
        return false;
    out->identifier = load_be16(message + AT_IDENTIFIER);
    out->sequence = load_be16(message + AT_SEQUENCE);
    out->cookie = load_be64(message + AT_COOKIE);
    return true;
}

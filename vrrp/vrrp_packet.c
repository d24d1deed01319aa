#include "vrrp/vrrp_packet.h"

#include <string.h>

enum {
    VERSION_AND_TYPE = 0x31,
    VERSION_2_AND_TYPE = 0x21,
    TYPE_ADVERT = 1,
    CARP_SIZE = 36,
    CARP_AUTHENTICATION_LENGTH = 7, /* 32-bit words of counter and digest */
    INTERVAL_MASK = 0x0fff,
    CHECKSUM_OFFSET = 6,
};

const char *vrrp_verdict_text(enum vrrp_verdict verdict)
{
    static const char *const texts[VRRP_VERDICT_COUNT] = {
        [VRRP_VERDICT_OK] = "good",
        [VRRP_VERDICT_TRUNCATED] = "the message is shorter than its address count says",
        [VRRP_VERDICT_HOP_LIMIT] = "the TTL or hop limit is not 255",
        [VRRP_VERDICT_CARP] = "it is a CARP advert",
        [VRRP_VERDICT_VERSION_2] = "it is VRRP version 2",
        [VRRP_VERDICT_UNKNOWN_VERSION] = "the VRRP version is unknown",
        [VRRP_VERDICT_UNKNOWN_TYPE] = "the VRRP message type is unknown",
        [VRRP_VERDICT_NO_VRID] = "the VRID is 0",
        [VRRP_VERDICT_NO_ADDRESS] = "it names no address",
        [VRRP_VERDICT_NO_INTERVAL] = "its advert interval is 0",
        [VRRP_VERDICT_NOT_LINK_LOCAL] = "its first IPv6 address is not link-local",
        [VRRP_VERDICT_CHECKSUM] = "the checksum is wrong",
    };
    return (size_t)verdict < VRRP_VERDICT_COUNT ? texts[verdict] : "unknown";
}

uint32_t vrrp_checksum_add(uint32_t sum, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (; size > 1; bytes += 2, size -= 2)
        sum += load_be16(bytes);
    return size ? sum + ((uint32_t)bytes[0] << 8) : sum;
}

uint32_t vrrp_checksum_pseudo(const struct ip_address *source,
                              const struct ip_address *destination,
                              uint8_t protocol,
                              size_t size)
{
    uint32_t sum = vrrp_checksum_add(0, source->bytes, ip_address_size(source));
    sum = vrrp_checksum_add(sum, destination->bytes, ip_address_size(destination));
    return sum + protocol + (uint32_t)(size >> 16) + (uint32_t)(size & 0xffff);
}

uint16_t vrrp_checksum_finish(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* A message that carries its own sum adds up to all ones. */
static bool sum_is_right(uint32_t start, struct bytes message)
{
    return vrrp_checksum_finish(vrrp_checksum_add(start, message.data, message.size)) == 0;
}

static bool find_checksum(struct bytes message,
                          const struct vrrp_envelope *envelope,
                          enum vrrp_checksum *out)
{
    uint32_t pseudo = vrrp_checksum_pseudo(&envelope->source, &envelope->destination,
                                           VRRP_PROTOCOL, message.size);
    *out = VRRP_CHECKSUM_MESSAGE;
    if (envelope->source.family == 4 && sum_is_right(0, message))
        return true;
    *out = VRRP_CHECKSUM_PSEUDO;
    return sum_is_right(pseudo, message);
}

static enum vrrp_verdict check_version(struct bytes message)
{
    uint8_t first = message.data[0];
    if (first == VERSION_AND_TYPE)
        return VRRP_VERDICT_OK;
    if (first == VERSION_2_AND_TYPE)
        return message.size == CARP_SIZE && message.data[3] == CARP_AUTHENTICATION_LENGTH
                   ? VRRP_VERDICT_CARP
                   : VRRP_VERDICT_VERSION_2;
    return first >> 4 == VERSION_AND_TYPE >> 4 ? VRRP_VERDICT_UNKNOWN_TYPE
                                               : VRRP_VERDICT_UNKNOWN_VERSION;
}

static bool starts_link_local(const struct vrrp_packet *packet)
{
    struct ip_address first = {.family = 6};
    memcpy(first.bytes, packet->addresses, sizeof(first.bytes));
    return ip_address_is_link_local(&first);
}

enum vrrp_verdict vrrp_packet_decode(struct bytes message,
                                     const struct vrrp_envelope *envelope,
                                     struct vrrp_packet *out)
{
    if (envelope->hop_limit != VRRP_HOP_LIMIT && !envelope->any_hop_limit)
        return VRRP_VERDICT_HOP_LIMIT;
    if (message.size < VRRP_HEADER_SIZE)
        return VRRP_VERDICT_TRUNCATED;
    enum vrrp_verdict version = check_version(message);
    if (version != VRRP_VERDICT_OK)
        return version;
    *out = (struct vrrp_packet){
        .family = envelope->source.family,
        .vrid = message.data[1],
        .priority = message.data[2],
        .address_count = message.data[3],
        .interval_cs = load_be16(message.data + 4) & INTERVAL_MASK,
        .addresses = message.data + VRRP_HEADER_SIZE,
    };
    size_t size = VRRP_HEADER_SIZE + out->address_count * ip_address_size(&envelope->source);
    if (out->vrid == 0)
        return VRRP_VERDICT_NO_VRID;
    if (out->address_count == 0)
        return VRRP_VERDICT_NO_ADDRESS;
    if (message.size < size)
        return VRRP_VERDICT_TRUNCATED;
    if (out->interval_cs == 0)
        return VRRP_VERDICT_NO_INTERVAL;
    if (!find_checksum((struct bytes){message.data, size}, envelope, &out->checksum))
        return VRRP_VERDICT_CHECKSUM;
    if (out->family == 6 && !starts_link_local(out))
        return VRRP_VERDICT_NOT_LINK_LOCAL;
    return VRRP_VERDICT_OK;
}

void vrrp_packet_write_header(const struct vrrp_packet *packet,
                              const struct vrrp_envelope *envelope,
                              uint32_t addresses_sum,
                              uint8_t out[VRRP_HEADER_SIZE])
{
    size_t size = VRRP_HEADER_SIZE + packet->address_count * ip_address_size(&envelope->source);
    uint32_t sum = addresses_sum;
    out[0] = VERSION_AND_TYPE;
    out[1] = packet->vrid;
    out[2] = packet->priority;
    out[3] = packet->address_count;
    store_be16(out + 4, packet->interval_cs & INTERVAL_MASK);
    store_be16(out + CHECKSUM_OFFSET, 0);
    if (envelope->source.family == 6 || packet->checksum == VRRP_CHECKSUM_PSEUDO)
        sum += vrrp_checksum_pseudo(&envelope->source, &envelope->destination, VRRP_PROTOCOL,
                                    size);
    store_be16(out + CHECKSUM_OFFSET,
               vrrp_checksum_finish(vrrp_checksum_add(sum, out, VRRP_HEADER_SIZE)));
}

size_t vrrp_packet_encode(const struct vrrp_packet *packet,
                          const struct vrrp_envelope *envelope,
                          uint8_t *out,
                          size_t capacity)
{
    size_t addresses_size = packet->address_count * ip_address_size(&envelope->source);
    size_t size = VRRP_HEADER_SIZE + addresses_size;
    if (addresses_size == 0 || size > capacity)
        return 0;
    memcpy(out + VRRP_HEADER_SIZE, packet->addresses, addresses_size);
    vrrp_packet_write_header(packet, envelope,
                             vrrp_checksum_add(0, packet->addresses, addresses_size), out);
    return size;
}

/* RFC 2402: next header, length in words less two. False when PAYLOAD is not VRRP in there. */
static bool skip_authentication(struct bytes *payload)
{
    enum {
        MINIMUM = 12
    };
    size_t size = payload->size < MINIMUM ? 0 : ((size_t)payload->data[1] + 2) * 4;
    if (size < MINIMUM || size >= payload->size || payload->data[0] != VRRP_PROTOCOL ||
        payload->data[size] != VERSION_2_AND_TYPE)
        return false;
    *payload = (struct bytes){payload->data + size, payload->size - size};
    return true;
}

bool vrrp_packet_open_ipv4(struct bytes datagram,
                           struct vrrp_envelope *out_envelope,
                           struct bytes *out_message)
{
    enum {
        HEADER_MINIMUM = 20,
        MORE_FRAGMENTS_AND_OFFSET = 0x3fff
    };
    const uint8_t *header = datagram.data;
    if (datagram.size < HEADER_MINIMUM || header[0] >> 4 != 4)
        return false;
    size_t header_size = (size_t)(header[0] & 0x0f) * 4;
    size_t total_size = load_be16(header + 2);
    if (header_size < HEADER_MINIMUM || total_size < header_size || total_size > datagram.size)
        return false;
    if (load_be16(header + 6) & MORE_FRAGMENTS_AND_OFFSET)
        return false;
    *out_message = (struct bytes){header + header_size, total_size - header_size};
    if (header[9] != VRRP_PROTOCOL &&
        (header[9] != VRRP_AUTHENTICATION_PROTOCOL || !skip_authentication(out_message)))
        return false;
    *out_envelope = (struct vrrp_envelope){
        .source = {.family = 4}, .destination = {.family = 4}, .hop_limit = header[8]};
    memcpy(out_envelope->source.bytes, header + 12, 4);
    memcpy(out_envelope->destination.bytes, header + 16, 4);
    return true;
}

uint16_t vrrp_interval_cs(uint32_t interval_us)
{
    enum {
        MICROSECONDS_PER_CENTISECOND = 10000
    };
    uint32_t cs = interval_us / MICROSECONDS_PER_CENTISECOND;
    if (cs == 0)
        return 1;
    return cs > VRRP_MAXIMUM_INTERVAL_CS ? VRRP_MAXIMUM_INTERVAL_CS : (uint16_t)cs;
}

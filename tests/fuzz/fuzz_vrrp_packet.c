/* Bytes as raw sockets deliver them: the first says how (even: a whole IPv4 datagram, odd: an
 * IPv6 message after source and destination), the rest is foreign. What is accepted must come
 * out the same when encoded again. */
#include "vrrp/vrrp_packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes message, const struct vrrp_envelope *envelope)
{
    struct vrrp_packet packet;
    uint8_t again[VRRP_PACKET_MAXIMUM_SIZE];
    if (vrrp_packet_decode(message, envelope, &packet) != VRRP_VERDICT_OK)
        return;
    size_t size = vrrp_packet_encode(&packet, envelope, again, sizeof(again));
    if (size == 0 || size > message.size || memcmp(again, message.data, 4) != 0 ||
        memcmp(again + 8, message.data + 8, size - 8) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vrrp_envelope envelope = {.source = {.family = 6}, .destination = {.family = 6}};
    struct bytes message;
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        if (vrrp_packet_open_ipv4((struct bytes){data + 1, size - 1}, &envelope, &message))
            check(message, &envelope);
        return 0;
    }
    if (size < 33)
        return 0;
    memcpy(envelope.source.bytes, data + 1, 16);
    memcpy(envelope.destination.bytes, data + 17, 16);
    envelope.hop_limit = VRRP_HOP_LIMIT;
    check((struct bytes){data + 33, size - 33}, &envelope);
    return 0;
}

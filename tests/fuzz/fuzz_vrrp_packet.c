/* Bytes as raw sockets deliver them. The first says how: bit 0: an IPv6 message after source
 * and destination, else a whole IPv4 datagram; bit 1: from a configured router, whose hop limit
 * does not matter; bit 2: the checksum is put right, which chance would hardly do. What is
 * accepted must come out the same when encoded again; what is not can be described. */
#include "vrrp/stranger_table.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    IS_IPV6 = 1,
    ANY_HOP_LIMIT = 2,
    REPAIRED = 4,
    RESERVED_BITS = 0xf0,
    CAPACITY = 8192,
};

static size_t size_of_message(struct bytes message, const struct vrrp_envelope *envelope)
{
    size_t address_size = envelope->source.family == 4 ? 4 : 16;
    return VRRP_HEADER_SIZE + message.data[3] * address_size;
}

static void repair(uint8_t *message, size_t size, const struct vrrp_envelope *envelope)
{
    uint32_t sum =
        vrrp_checksum_pseudo(&envelope->source, &envelope->destination, VRRP_PROTOCOL, size);
    store_be16(message + 6, 0);
    store_be16(message + 6, vrrp_checksum_finish(vrrp_checksum_add(sum, message, size)));
}

/* The sum has two zeros, 0x0000 and 0xffff. */
static bool same_sum(const uint8_t *a, const uint8_t *b)
{
    return load_be16(a) % 0xffff == load_be16(b) % 0xffff;
}

static void
describe(struct bytes message, const struct vrrp_envelope *envelope, enum vrrp_verdict verdict)
{
    struct stranger_table table = {0};
    char text[STRANGER_TEXT_SIZE];
    uint8_t vrid = message.size > 1 ? message.data[1] : 0;
    const struct stranger *stranger =
        stranger_table_note(&table, &envelope->source, vrid, verdict, 1);
    if (!stranger)
        abort();
    stranger_describe(stranger, message, text);
    if (memchr(text, 0, sizeof(text)) == NULL || text[0] == 0)
        abort();
}

static void check(struct bytes message, const struct vrrp_envelope *envelope)
{
    struct vrrp_packet packet;
    uint8_t again[VRRP_PACKET_MAXIMUM_SIZE];
    enum vrrp_verdict verdict = vrrp_packet_decode(message, envelope, &packet);
    if (verdict != VRRP_VERDICT_OK) {
        describe(message, envelope, verdict);
        return;
    }
    size_t size = vrrp_packet_encode(&packet, envelope, again, sizeof(again));
    if (size == 0 || size > message.size || memcmp(again, message.data, 4) != 0 ||
        memcmp(again + VRRP_HEADER_SIZE, message.data + VRRP_HEADER_SIZE,
               size - VRRP_HEADER_SIZE) != 0)
        abort();
    if ((message.data[4] & RESERVED_BITS) == 0 && !same_sum(again + 6, message.data + 6))
        abort();
}

static void check_as_told(uint8_t how, struct bytes message, struct vrrp_envelope *envelope)
{
    uint8_t copy[CAPACITY];
    envelope->any_hop_limit = how & ANY_HOP_LIMIT;
    if ((how & REPAIRED) && message.size >= VRRP_HEADER_SIZE && message.size <= CAPACITY &&
        message.size >= size_of_message(message, envelope)) {
        memcpy(copy, message.data, message.size);
        repair(copy, size_of_message(message, envelope), envelope);
        message.data = copy;
    }
    check(message, envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vrrp_envelope envelope = {.source = {.family = 6}, .destination = {.family = 6}};
    struct bytes message;
    if (size == 0)
        return 0;
    if ((data[0] & IS_IPV6) == 0) {
        if (vrrp_packet_open_ipv4((struct bytes){data + 1, size - 1}, &envelope, &message))
            check_as_told(data[0], message, &envelope);
        return 0;
    }
    if (size < 33)
        return 0;
    memcpy(envelope.source.bytes, data + 1, 16);
    memcpy(envelope.destination.bytes, data + 17, 16);
    envelope.hop_limit = data[0] & ANY_HOP_LIMIT ? 64 : VRRP_HOP_LIMIT;
    check_as_told(data[0], (struct bytes){data + 33, size - 33}, &envelope);
    return 0;
}

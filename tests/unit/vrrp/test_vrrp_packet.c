/* Messages recorded from keepalived (versions 2.2.7 and 2.4.3), and the rules for bad ones. */
#include "tests/support/test.h"
#include "tests/unit/vrrp/golden_packets.h"
#include "vrrp/vrrp_packet.h"

#include <string.h>

static const char node_a[] = "192.0.2.1", group4[] = "224.0.0.18";
static const char link_a[] = "fe80::ff:fe00:1", group6[] = "ff02::12";

static struct vrrp_envelope envelope_of(const char *source, const char *destination)
{
    struct vrrp_envelope envelope = {.hop_limit = 255};
    assert_true(ip_address_parse(source, &envelope.source));
    assert_true(ip_address_parse(destination, &envelope.destination));
    return envelope;
}

static struct bytes from_hex(const char *hex, uint8_t *buffer, size_t capacity)
{
    size_t size = strlen(hex) / 2;
    assert_true(size <= capacity && bytes_from_hex(hex, buffer, size));
    return (struct bytes){buffer, size};
}

static enum vrrp_verdict decode_hex(const char *hex, const char *source)
{
    uint8_t buffer[256];
    struct vrrp_packet packet;
    struct vrrp_envelope envelope = envelope_of(source, strchr(source, ':') ? group6 : group4);
    return vrrp_packet_decode(from_hex(hex, buffer, sizeof(buffer)), &envelope, &packet);
}

/* The message in a recorded IP packet; its bytes are in BUFFER. */
static struct bytes open_golden(const struct golden_packet *golden,
                                uint8_t *buffer,
                                size_t capacity,
                                struct vrrp_envelope *out)
{
    enum {
        IPV6_HEADER = 40
    };
    struct bytes packet = from_hex(golden->hex, buffer, capacity), message;
    if (golden->family == 4) {
        assert_true(vrrp_packet_open_ipv4(packet, out, &message));
        return message;
    }
    *out = (struct vrrp_envelope){{.family = 6}, {.family = 6}, .hop_limit = packet.data[7]};
    memcpy(out->source.bytes, packet.data + 8, 16);
    memcpy(out->destination.bytes, packet.data + 24, 16);
    return (struct bytes){packet.data + IPV6_HEADER, packet.size - IPV6_HEADER};
}

static void recorded_packets_decode_and_encode_again_identically(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(golden_packets); i++) {
        const struct golden_packet *golden = &golden_packets[i];
        uint8_t buffer[256], out[256];
        struct vrrp_packet packet;
        struct vrrp_envelope envelope;
        struct bytes message = open_golden(golden, buffer, sizeof(buffer), &envelope);
        assert_int_equal(vrrp_packet_decode(message, &envelope, &packet), golden->verdict);
        envelope.any_hop_limit = true;
        if (golden->verdict == VRRP_VERDICT_VERSION_2)
            continue;
        assert_int_equal(vrrp_packet_decode(message, &envelope, &packet), VRRP_VERDICT_OK);
        assert_int_equal(packet.vrid, 51);
        assert_int_equal(packet.priority, golden->priority);
        assert_int_equal(packet.address_count, golden->address_count);
        assert_int_equal(packet.interval_cs, golden->interval_cs);
        assert_int_equal(packet.checksum, golden->checksum);
        size_t size = vrrp_packet_encode(&packet, &envelope, out, sizeof(out));
        bool trailer = strcmp(golden->capture, "v3-hmac") == 0;
        assert_int_equal(size, message.size - (trailer ? 28 : 0));
        assert_memory_equal(out, message.data, size);
        assert_int_equal(vrrp_packet_encode(&packet, &envelope, out, size - 1), 0);
    }
}

static void version_2_is_never_an_advert_whatever_protects_it(void **state)
{
    unsigned seen = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(golden_packets); i++) {
        uint8_t buffer[256];
        struct vrrp_packet packet;
        struct vrrp_envelope envelope;
        if (strncmp(golden_packets[i].capture, "v2", 2) != 0)
            continue;
        struct bytes message =
            open_golden(&golden_packets[i], buffer, sizeof(buffer), &envelope);
        assert_int_equal(message.data[1], 51);
        envelope.any_hop_limit = true;
        assert_int_equal(vrrp_packet_decode(message, &envelope, &packet),
                         VRRP_VERDICT_VERSION_2);
        seen++;
    }
    assert_int_equal(seen, 7);
}

/* Protocol 51 is for version 2 alone: it must be no way around the checks of version 3. */
static void a_damaged_authentication_header_is_refused(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } damages[] = {
        {20, 17},   /* next header */
        {21, 0},    /* shorter than its fixed part */
        {21, 9},    /* as long as the datagram */
        {21, 255},  /* longer */
        {44, 0x31}, /* version 3 inside */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(damages); i++) {
        uint8_t buffer[256];
        struct vrrp_envelope envelope;
        struct bytes message;
        struct bytes packet = from_hex(golden_packets[0].hex, buffer, sizeof(buffer));
        assert_true(vrrp_packet_open_ipv4(packet, &envelope, &message));
        buffer[damages[i].offset] = damages[i].value;
        assert_false(vrrp_packet_open_ipv4(packet, &envelope, &message));
    }
}

/* Debian's keepalived sends unicast IPv6 adverts so, against 5.1.2.3. */
static void a_hop_limit_of_64_is_good_from_a_configured_router_only(void **state)
{
    uint8_t buffer[256];
    struct vrrp_packet packet;
    struct vrrp_envelope envelope;
    size_t at = 0;
    while (strcmp(golden_packets[at].capture, "v3-unicast6") != 0)
        at++;
    struct bytes message = open_golden(&golden_packets[at], buffer, sizeof(buffer), &envelope);
    assert_int_equal(envelope.hop_limit, 64);
    assert_int_equal(vrrp_packet_decode(message, &envelope, &packet), VRRP_VERDICT_HOP_LIMIT);
    envelope.any_hop_limit = true;
    assert_int_equal(vrrp_packet_decode(message, &envelope, &packet), VRRP_VERDICT_OK);
}

static void bytes_after_the_last_address_are_ignored(void **state)
{
    assert_int_equal(decode_hex("313396010064d371c0000264010100006b043d44d7530000"
                                "00112233445566778899aabbccddeeff",
                                node_a),
                     VRRP_VERDICT_OK);
}

static void reserved_bits_before_the_interval_are_ignored(void **state)
{
    uint8_t buffer[16];
    struct vrrp_packet packet;
    struct vrrp_envelope envelope = envelope_of(node_a, group4);
    /* the sum of the bare message, lowered by the 0xf000 of the reserved bits */
    struct bytes message = from_hex("31339601f0648601c0000264", buffer, sizeof(buffer));
    assert_int_equal(vrrp_packet_decode(message, &envelope, &packet), VRRP_VERDICT_OK);
    assert_int_equal(packet.interval_cs, 100);
}

static void any_ttl_but_255_is_dropped(void **state)
{
    uint8_t buffer[64];
    struct vrrp_packet packet;
    struct vrrp_envelope envelope = envelope_of(node_a, group4);
    struct bytes message = from_hex("3133960100647602c0000264", buffer, sizeof(buffer));
    envelope.hop_limit = 254;
    assert_int_equal(vrrp_packet_decode(message, &envelope, &packet), VRRP_VERDICT_HOP_LIMIT);
}

static void bad_messages_are_refused_by_name(void **state)
{
    static const struct {
        const char *hex, *source;
        enum vrrp_verdict verdict;
    } cases[] = {
        {"", node_a, VRRP_VERDICT_TRUNCATED},
        {"31339601006476", node_a, VRRP_VERDICT_TRUNCATED},
        {"3133960100647602c00002", node_a, VRRP_VERDICT_TRUNCATED},
        {"3133960200647602c0000264", node_a, VRRP_VERDICT_TRUNCATED},
        {"3133960000647602", node_a, VRRP_VERDICT_NO_ADDRESS},
        {"3133960100007602c0000264", node_a, VRRP_VERDICT_NO_INTERVAL},
        {"313396010000ffffc0000264", node_a, VRRP_VERDICT_NO_INTERVAL},
        {"3100960100647602c0000264", node_a, VRRP_VERDICT_NO_VRID},
        {"3133960100647603c0000264", node_a, VRRP_VERDICT_CHECKSUM},
        {"3233960100647602c0000264", node_a, VRRP_VERDICT_UNKNOWN_TYPE},
        {"4133960100647602c0000264", node_a, VRRP_VERDICT_UNKNOWN_VERSION},
        {"2133960100018665c00002640000000000000000", node_a, VRRP_VERDICT_VERSION_2},
        {"213396010101d8d3c00002647333637265747077", node_a, VRRP_VERDICT_VERSION_2},
        {"2101000700017f3a0011223344556677"
         "0123456789abcdef0123456789abcdef01234567",
         node_a, VRRP_VERDICT_CARP},
        /* an IPv6 advert whose addresses are swapped: the sum is the same */
        {"3133960200640cf820010db8000000000000000000000100fe800000000000000000000000050100",
         link_a, VRRP_VERDICT_NOT_LINK_LOCAL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(decode_hex(cases[i].hex, cases[i].source), cases[i].verdict);
}

static void an_advert_without_addresses_is_not_encoded(void **state)
{
    uint8_t out[64];
    struct vrrp_packet packet = {.family = 4, .vrid = 1, .interval_cs = 1};
    struct vrrp_envelope envelope = envelope_of(node_a, group4);
    assert_int_equal(vrrp_packet_encode(&packet, &envelope, out, sizeof(out)), 0);
}

/* One IPv4 datagram, TTL 255, protocol 112, of 20 + 12 bytes. */
static size_t make_datagram(uint8_t *out)
{
    static const char header[] = "45c000200001"
                                 "0000ff70d7b5c0000201e0000012";
    assert_true(bytes_from_hex(header, out, 20));
    assert_true(bytes_from_hex("3133960100647602c0000264", out + 20, 12));
    return 32;
}

static void an_ipv4_datagram_is_split_into_header_and_message(void **state)
{
    uint8_t datagram[32];
    struct vrrp_envelope envelope, expected = envelope_of(node_a, group4);
    struct bytes message;
    size_t size = make_datagram(datagram);
    assert_true(vrrp_packet_open_ipv4((struct bytes){datagram, size}, &envelope, &message));
    assert_true(ip_address_equal(&envelope.source, &expected.source));
    assert_true(ip_address_equal(&envelope.destination, &expected.destination));
    assert_int_equal(envelope.hop_limit, 255);
    assert_ptr_equal(message.data, datagram + 20);
    assert_int_equal(message.size, 12);
}

static void a_damaged_ipv4_header_is_refused(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } damages[] = {
        {0, 0x65}, /* version 6 */ {0, 0x44}, /* header of 16 bytes */
        {0, 0x4f},                            /* header longer than the datagram */
        {3, 0x13},                            /* total length below the header */
        {3, 0x21},                            /* total length beyond what came */
        {6, 0x20},                            /* more fragments */
        {7, 0x01},                            /* not the first fragment */
        {9, 0x11},                            /* UDP */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(damages); i++) {
        uint8_t datagram[32];
        struct vrrp_envelope envelope;
        struct bytes message;
        size_t size = make_datagram(datagram);
        datagram[damages[i].offset] = damages[i].value;
        assert_false(
            vrrp_packet_open_ipv4((struct bytes){datagram, size}, &envelope, &message));
    }
}

static void every_verdict_has_a_text(void **state)
{
    for (int i = 0; i < VRRP_VERDICT_COUNT; i++)
        assert_non_null(vrrp_verdict_text((enum vrrp_verdict)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_packets_decode_and_encode_again_identically),
        cmocka_unit_test(version_2_is_never_an_advert_whatever_protects_it),
        cmocka_unit_test(a_damaged_authentication_header_is_refused),
        cmocka_unit_test(a_hop_limit_of_64_is_good_from_a_configured_router_only),
        cmocka_unit_test(bytes_after_the_last_address_are_ignored),
        cmocka_unit_test(reserved_bits_before_the_interval_are_ignored),
        cmocka_unit_test(any_ttl_but_255_is_dropped),
        cmocka_unit_test(bad_messages_are_refused_by_name),
        cmocka_unit_test(an_advert_without_addresses_is_not_encoded),
        cmocka_unit_test(an_ipv4_datagram_is_split_into_header_and_message),
        cmocka_unit_test(a_damaged_ipv4_header_is_refused),
        cmocka_unit_test(every_verdict_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "health/icmp_echo.h"
#include "tests/support/test.h"

#include <string.h>

static const struct icmp_echo echo = {0x1234, 0xabcd, 0x0123456789abcdef};

/* The checksums were worked out apart. */
static const uint8_t request_v4[ICMP_ECHO_SIZE] = {
    8, 0, 0x9b, 0xd8, 0x12, 0x34, 0xab, 0xcd, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
static const uint8_t reply_v4[ICMP_ECHO_SIZE] = {
    0, 0, 0xa3, 0xd8, 0x12, 0x34, 0xab, 0xcd, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
static const uint8_t reply_v6[ICMP_ECHO_SIZE] = {
    129, 0, 0xff, 0xff, 0x12, 0x34, 0xab, 0xcd, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static struct bytes bytes_of(const uint8_t *data, size_t size)
{
    return (struct bytes){data, size};
}

/* REPLY behind an IPv4 header of HEADER_SIZE bytes. */
static size_t
datagram_of(uint8_t out[ICMP_DATAGRAM_MAXIMUM], size_t header_size, const uint8_t *reply)
{
    memset(out, 0, ICMP_DATAGRAM_MAXIMUM);
    out[0] = (uint8_t)(0x40 | header_size / 4);
    out[9] = 1;
    memcpy(out + header_size, reply, ICMP_ECHO_SIZE);
    return header_size + ICMP_ECHO_SIZE;
}

static void assert_is_echo(const struct icmp_echo *read)
{
    assert_int_equal(read->identifier, echo.identifier);
    assert_int_equal(read->sequence, echo.sequence);
    assert_true(read->cookie == echo.cookie);
}

static void a_request_has_type_identifier_sequence_cookie_and_checksum(void **state)
{
    uint8_t written[ICMP_ECHO_SIZE];
    icmp_echo_write(&echo, ICMP_V4_DATAGRAM, written);
    assert_memory_equal(written, request_v4, sizeof(written));
    icmp_echo_write(&echo, ICMP_V4_MESSAGE, written);
    assert_memory_equal(written, request_v4, sizeof(written));
}

static void the_checksum_of_icmpv6_is_the_kernels(void **state)
{
    uint8_t written[ICMP_ECHO_SIZE];
    icmp_echo_write(&echo, ICMP_V6_MESSAGE, written);
    assert_int_equal(written[0], 128);
    assert_int_equal(load_be16(written + 2), 0);
    assert_memory_equal(written + 4, request_v4 + 4, 12);
}

static void a_checksum_carries_twice(void **state)
{
    static const struct icmp_echo high = {0xffff, 0xffff, UINT64_MAX};
    uint8_t message[ICMP_ECHO_SIZE];
    icmp_echo_write(&high, ICMP_V4_MESSAGE, message);
    assert_int_equal(load_be16(message + 2), 0xf7ff); /* the complement of 0x0800 */
}

static void a_reply_is_read(void **state)
{
    struct icmp_echo read;
    assert_true(icmp_echo_read(bytes_of(reply_v4, ICMP_ECHO_SIZE), ICMP_V4_MESSAGE, &read));
    assert_is_echo(&read);
    assert_true(icmp_echo_read(bytes_of(reply_v6, ICMP_ECHO_SIZE), ICMP_V6_MESSAGE, &read));
    assert_is_echo(&read);
}

static void an_ip_header_of_any_length_is_taken_off(void **state)
{
    uint8_t datagram[ICMP_DATAGRAM_MAXIMUM];
    struct icmp_echo read;
    for (size_t header = 20; header <= 60; header += 4) {
        size_t size = datagram_of(datagram, header, reply_v4);
        assert_true(icmp_echo_read(bytes_of(datagram, size), ICMP_V4_DATAGRAM, &read));
        assert_is_echo(&read);
    }
}

static void a_request_is_no_reply(void **state)
{
    struct icmp_echo read;
    assert_false(icmp_echo_read(bytes_of(request_v4, ICMP_ECHO_SIZE), ICMP_V4_MESSAGE, &read));
}

static void replies_of_the_other_family_are_refused(void **state)
{
    struct icmp_echo read;
    assert_false(icmp_echo_read(bytes_of(reply_v6, ICMP_ECHO_SIZE), ICMP_V4_MESSAGE, &read));
    assert_false(icmp_echo_read(bytes_of(reply_v4, ICMP_ECHO_SIZE), ICMP_V6_MESSAGE, &read));
}

static void each_changed_bit_breaks_the_checksum(void **state)
{
    struct icmp_echo read;
    for (size_t bit = 0; bit < 8 * ICMP_ECHO_SIZE; bit++) {
        uint8_t changed[ICMP_ECHO_SIZE];
        memcpy(changed, reply_v4, sizeof(changed));
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(
            icmp_echo_read(bytes_of(changed, sizeof(changed)), ICMP_V4_MESSAGE, &read));
    }
}

static void another_length_is_refused(void **state)
{
    uint8_t longer[ICMP_ECHO_SIZE + 1] = {0};
    struct icmp_echo read;
    memcpy(longer, reply_v4, ICMP_ECHO_SIZE);
    for (size_t size = 0; size <= sizeof(longer); size++) {
        bool right = size == ICMP_ECHO_SIZE;
        assert_int_equal(icmp_echo_read(bytes_of(longer, size), ICMP_V4_MESSAGE, &read), right);
    }
}

static void a_malformed_ip_header_is_refused(void **state)
{
    uint8_t datagram[ICMP_DATAGRAM_MAXIMUM];
    struct icmp_echo read;
    size_t size = datagram_of(datagram, 20, reply_v4);
    static const uint8_t first_bytes[] = {0x65, 0x44, 0x40, 0x46, 0x4f};
    for (size_t i = 0; i < sizeof(first_bytes); i++) {
        datagram[0] = first_bytes[i];
        assert_false(icmp_echo_read(bytes_of(datagram, size), ICMP_V4_DATAGRAM, &read));
    }
    size = datagram_of(datagram, 20, reply_v4);
    datagram[9] = 17;
    assert_false(icmp_echo_read(bytes_of(datagram, size), ICMP_V4_DATAGRAM, &read));
    for (size = 0; size < 20 + ICMP_ECHO_SIZE; size++) {
        datagram_of(datagram, 20, reply_v4);
        assert_false(icmp_echo_read(bytes_of(datagram, size), ICMP_V4_DATAGRAM, &read));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_type_identifier_sequence_cookie_and_checksum),
        cmocka_unit_test(the_checksum_of_icmpv6_is_the_kernels),
        cmocka_unit_test(a_checksum_carries_twice),
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(an_ip_header_of_any_length_is_taken_off),
        cmocka_unit_test(a_request_is_no_reply),
        cmocka_unit_test(replies_of_the_other_family_are_refused),
        cmocka_unit_test(each_changed_bit_breaks_the_checksum),
        cmocka_unit_test(another_length_is_refused),
        cmocka_unit_test(a_malformed_ip_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

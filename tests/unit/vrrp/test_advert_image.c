/* Adverts that are made from a kept list are those that are encoded whole. */
#include "tests/support/test.h"
#include "vrrp/advert_image.h"

#include <string.h>

static const struct ip_address own4 = {4, {192, 0, 2, 5}}, peer4 = {4, {192, 0, 2, 6}};
static const struct ip_address own6 = {6, {0xfe, 0x80, [15] = 5}};
static const struct ip_address peer6 = {6, {0xfe, 0x80, [15] = 6}};

static struct ip_address vip(uint8_t family, uint8_t number)
{
    return family == 4 ? (struct ip_address){4, {203, 0, 113, number}}
                       : (struct ip_address){6, {0xfe, 0x80, [14] = 0xff, [15] = number}};
}

static struct advert_image image_of(uint8_t family, size_t count)
{
    struct advert_image image = {0};
    assert_true(advert_image_start(&image, family, count));
    for (size_t i = 0; i < count; i++) {
        struct ip_address address = vip(family, (uint8_t)(i + 1));
        advert_image_add(&image, &address);
    }
    return image;
}

static void assert_as_encoded(struct advert_image *image,
                              const struct vrrp_packet *header,
                              const struct vrrp_envelope *envelope)
{
    uint8_t addresses[VRRP_PACKET_MAXIMUM_SIZE], expected[VRRP_PACKET_MAXIMUM_SIZE];
    struct vrrp_packet packet = *header;
    packet.addresses = addresses;
    packet.address_count = image->address_count;
    for (uint8_t i = 0; i < image->address_count; i++) {
        struct ip_address address = vip(header->family, (uint8_t)(i + 1));
        memcpy(addresses + i * ip_address_size(&address), address.bytes,
               ip_address_size(&address));
    }
    size_t size = vrrp_packet_encode(&packet, envelope, expected, sizeof(expected));
    struct bytes message = advert_image_message(image, header, envelope);
    assert_int_equal(message.size, size);
    assert_memory_equal(message.data, expected, size);
    assert_int_equal(vrrp_packet_decode(message, envelope, &packet), VRRP_VERDICT_OK);
    assert_int_equal(packet.priority, header->priority);
}

static void each_use_has_its_own_header_and_a_right_sum(void **state)
{
    struct vrrp_envelope envelope = {
        .source = own4, .destination = peer4, .hop_limit = VRRP_HOP_LIMIT};
    struct vrrp_packet header = {.family = 4, .vrid = 7, .interval_cs = 2};
    static const uint8_t priorities[] = {100, 0, 254, 100};
    struct advert_image image = image_of(4, 250);
    for (size_t i = 0; i < sizeof(priorities); i++) {
        header.priority = priorities[i];
        header.checksum = VRRP_CHECKSUM_MESSAGE;
        assert_as_encoded(&image, &header, &envelope);
        header.checksum = VRRP_CHECKSUM_PSEUDO;
        assert_as_encoded(&image, &header, &envelope);
    }
    advert_image_forget(&image);
}

static void the_sum_of_ipv6_is_that_of_each_destination(void **state)
{
    struct vrrp_envelope envelope = {
        .source = own6, .destination = peer6, .hop_limit = VRRP_HOP_LIMIT};
    struct vrrp_packet header = {.family = 6, .vrid = 7, .priority = 100, .interval_cs = 2};
    struct advert_image image = image_of(6, 3);
    assert_as_encoded(&image, &header, &envelope);
    envelope.destination = (struct ip_address){6, {0xff, 0x02, [15] = 0x12}};
    assert_as_encoded(&image, &header, &envelope);
    advert_image_forget(&image);
}

static void what_does_not_fit_is_left_out(void **state)
{
    struct vrrp_envelope envelope = {
        .source = own6, .destination = peer6, .hop_limit = VRRP_HOP_LIMIT};
    struct vrrp_packet header = {.family = 6, .vrid = 7, .priority = 100, .interval_cs = 2};
    struct advert_image image = image_of(6, 200);
    assert_true(advert_image_message(&image, &header, &envelope).size <= 1280 - 40);
    assert_as_encoded(&image, &header, &envelope);
    advert_image_forget(&image);
    image = image_of(4, 255);
    struct ip_address one_more = vip(4, 0);
    advert_image_add(&image, &one_more);
    assert_int_equal(image.address_count, VRRP_MAXIMUM_ADDRESSES);
    advert_image_forget(&image);
}

static void without_an_address_there_is_no_advert(void **state)
{
    struct vrrp_envelope envelope = {.source = own4, .destination = peer4};
    struct vrrp_packet header = {.family = 4, .vrid = 7, .priority = 100, .interval_cs = 2};
    struct advert_image image = image_of(4, 0);
    assert_int_equal(advert_image_message(&image, &header, &envelope).size, 0);
    advert_image_forget(&image);
    assert_null(image.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_use_has_its_own_header_and_a_right_sum),
        cmocka_unit_test(the_sum_of_ipv6_is_that_of_each_destination),
        cmocka_unit_test(what_does_not_fit_is_left_out),
        cmocka_unit_test(without_an_address_there_is_no_advert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Routers of another kind on our VRIDs: who is told, how often, in which words. */
#include "tests/support/test.h"
#include "vrrp/stranger_table.h"

#include <string.h>

enum {
    START_US = 5000000,
    VRID = 51,
};

static const struct ip_address keepalived = {4, {192, 0, 2, 7}};

static const struct stranger *
hear(struct stranger_table *table, uint8_t last_byte, enum vrrp_verdict verdict, uint64_t now)
{
    struct ip_address source = {4, {192, 0, 2, last_byte}};
    return stranger_table_note(table, &source, VRID, verdict, now);
}

static void describe(enum vrrp_verdict verdict, const char *hex, char *out)
{
    uint8_t buffer[64];
    struct stranger stranger = {
        .source = keepalived, .vrid = VRID, .verdict = verdict, .count = 1};
    size_t size = strlen(hex) / 2;
    assert_true(bytes_from_hex(hex, buffer, size));
    stranger_describe(&stranger, (struct bytes){buffer, size}, out);
}

static void a_version_2_router_is_named_with_vrid_and_address(void **state)
{
    char text[STRANGER_TEXT_SIZE];
    describe(VRRP_VERDICT_VERSION_2, "2133960100018665c00002640000000000000000", text);
    assert_string_equal(text, "keepalived or another router speaking VRRPv2 on VRID 51 from "
                              "192.0.2.7; ignored, nodes speak version 3");
}

static void a_password_in_clear_is_mentioned_and_not_shown(void **state)
{
    char text[STRANGER_TEXT_SIZE];
    describe(VRRP_VERDICT_VERSION_2, "213396010101d8d3c00002647333637265747077", text);
    assert_non_null(strstr(text, "VRRPv2 with a password in clear on VRID 51"));
    assert_null(strstr(text, "s3cretpw"));
}

static void carp_is_named(void **state)
{
    char text[STRANGER_TEXT_SIZE];
    describe(VRRP_VERDICT_CARP, "2133000700017f3a", text);
    assert_string_equal(text, "a BSD system speaking CARP on VHID 51, our VRID, from "
                              "192.0.2.7; ignored");
}

static void a_malformed_packet_is_named_with_what_is_wrong(void **state)
{
    char text[STRANGER_TEXT_SIZE];
    describe(VRRP_VERDICT_CHECKSUM, "3133960100647603c0000264", text);
    assert_string_equal(text, "a VRRP packet on VRID 51 from 192.0.2.7 was dropped: the "
                              "checksum is wrong");
}

static void each_is_told_once_an_hour_with_its_count(void **state)
{
    struct stranger_table table = {0};
    char text[STRANGER_TEXT_SIZE];
    assert_non_null(hear(&table, 7, VRRP_VERDICT_VERSION_2, START_US));
    for (uint64_t i = 1; i < 3600; i++)
        assert_null(hear(&table, 7, VRRP_VERDICT_VERSION_2, START_US + i * 1000000));
    const struct stranger *again =
        hear(&table, 7, VRRP_VERDICT_VERSION_2, START_US + STRANGER_TABLE_AGAIN_US);
    assert_non_null(again);
    stranger_describe(again, (struct bytes){0}, text);
    assert_non_null(strstr(text, "(3601 packets so far)"));
}

static void another_fault_of_the_same_router_is_told_too(void **state)
{
    struct stranger_table table = {0};
    assert_non_null(hear(&table, 7, VRRP_VERDICT_VERSION_2, START_US));
    assert_non_null(hear(&table, 7, VRRP_VERDICT_CHECKSUM, START_US));
    assert_non_null(hear(&table, 8, VRRP_VERDICT_CHECKSUM, START_US));
    assert_null(hear(&table, 8, VRRP_VERDICT_CHECKSUM, START_US));
}

/* A million packets from as many addresses: a handful of events, then one per pace. */
static void a_flood_of_forged_senders_is_a_trickle_of_events(void **state)
{
    struct stranger_table table = {0};
    unsigned told = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct ip_address source = {4};
        store_be32(source.bytes, 0x0a000000 + i);
        told += stranger_table_note(&table, &source, VRID, VRRP_VERDICT_CHECKSUM,
                                    START_US + i * 100) != NULL;
    }
    assert_int_equal(told, STRANGER_TABLE_BURST + 100000000 / STRANGER_TABLE_PACE_US - 1);
}

static void one_that_goes_on_speaking_keeps_its_place(void **state)
{
    struct stranger_table table = {0};
    assert_non_null(hear(&table, 7, VRRP_VERDICT_VERSION_2, START_US));
    for (uint32_t i = 0; i < 1000; i++) {
        struct ip_address source = {4};
        store_be32(source.bytes, 0x0a000000 + i);
        stranger_table_note(&table, &source, VRID, VRRP_VERDICT_CHECKSUM, START_US + i);
        assert_null(hear(&table, 7, VRRP_VERDICT_VERSION_2, START_US + i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_2_router_is_named_with_vrid_and_address),
        cmocka_unit_test(a_password_in_clear_is_mentioned_and_not_shown),
        cmocka_unit_test(carp_is_named),
        cmocka_unit_test(a_malformed_packet_is_named_with_what_is_wrong),
        cmocka_unit_test(each_is_told_once_an_hour_with_its_count),
        cmocka_unit_test(another_fault_of_the_same_router_is_told_too),
        cmocka_unit_test(a_flood_of_forged_senders_is_a_trickle_of_events),
        cmocka_unit_test(one_that_goes_on_speaking_keeps_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

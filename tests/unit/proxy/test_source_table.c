#include "proxy/source_table.h"

#include "tests/support/test.h"

#include <string.h>

static struct source_table *table;

static int setup(void **state)
{
    table = source_table_new();
    return table ? 0 : -1;
}

static int teardown(void **state)
{
    source_table_free(table);
    return 0;
}

static struct ip_address v4(uint32_t number)
{
    struct ip_address address = {.family = 4};
    memcpy(address.bytes, &number, sizeof(number));
    return address;
}

static void a_source_has_as_many_as_the_limit(void **state)
{
    struct ip_address a = v4(1), b = v4(2);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(source_table_enter(table, 7, &a, 3), SOURCE_COUNTED);
    assert_int_equal(source_table_enter(table, 7, &a, 3), SOURCE_TOO_MANY);
    assert_int_equal(source_table_enter(table, 7, &b, 3), SOURCE_COUNTED);
    assert_int_equal(source_table_enter(table, 8, &a, 3), SOURCE_COUNTED); /* elsewhere */
    source_table_leave(table, 7, &a);
    assert_int_equal(source_table_enter(table, 7, &a, 3), SOURCE_COUNTED);
    assert_int_equal(source_table_enter(table, 7, &a, 3), SOURCE_TOO_MANY);
}

static void neighbours_in_a_64_bit_network_are_one_source(void **state)
{
    struct ip_address a = {6, {0xfd, 0x77, 0, 0, 0, 0, 0, 1, 1}}, b = a, c = a;
    b.bytes[15] = 9;
    c.bytes[7] = 2;
    assert_int_equal(source_table_enter(table, 0, &a, 1), SOURCE_COUNTED);
    assert_int_equal(source_table_enter(table, 0, &b, 1), SOURCE_TOO_MANY);
    assert_int_equal(source_table_enter(table, 0, &c, 1), SOURCE_COUNTED);
}

static void everything_given_back_leaves_an_empty_table(void **state)
{
    enum {
        SOURCES = 20000
    };
    unsigned counted = 0;
    static bool entered[SOURCES];
    for (uint32_t i = 0; i < SOURCES; i++) {
        struct ip_address address = v4(i);
        entered[i] = source_table_enter(table, 0, &address, 5) == SOURCE_COUNTED;
        counted += entered[i];
    }
    assert_true(counted > SOURCES * 9 / 10);
    for (uint32_t i = 0; i < SOURCES; i++) {
        struct ip_address address = v4(i);
        if (entered[i])
            source_table_leave(table, 0, &address);
    }
    for (unsigned set = 0; set < SOURCE_SETS; set++) {
        for (unsigned way = 0; way < SOURCE_WAYS; way++)
            assert_int_equal(table->entries[set][way], 0);
    }
}

static void a_full_table_lets_pass_what_it_cannot_count(void **state)
{
    memset(table->entries, 0x7f, sizeof(table->entries)); /* of sources without the tag bit */
    struct ip_address a = v4(1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(source_table_enter(table, 0, &a, 1), SOURCE_UNCOUNTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_has_as_many_as_the_limit),
        TEST(neighbours_in_a_64_bit_network_are_one_source),
        TEST(everything_given_back_leaves_an_empty_table),
        TEST(a_full_table_lets_pass_what_it_cannot_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

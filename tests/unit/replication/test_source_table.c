#include "replication/source_table.h"
#include "tests/support/test.h"

static struct ip_address address(unsigned number)
{
    struct ip_address out = {.family = 4,
                             .bytes = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}};
    return out;
}

static void an_address_speaks_for_the_peers_that_have_it(void **state)
{
    struct source_table table = {.key = {1}};
    const struct ip_address one = address(1), shared = address(2), stranger = address(3);
    assert_true(source_table_allow(&table, &one, 0));
    assert_true(source_table_allow(&table, &shared, 0));
    assert_true(source_table_allow(&table, &shared, 63));
    assert_true(source_table_find(&table, &one)->places == 1);
    assert_true(source_table_find(&table, &shared)->places == (1 | 1ull << 63));
    assert_null(source_table_find(&table, &stranger));
}

static void families_are_told_apart(void **state)
{
    struct source_table table = {.key = {1}};
    const struct ip_address four = address(1), none = {0};
    struct ip_address six = four;
    six.family = 6;
    assert_true(source_table_allow(&table, &four, 0));
    assert_null(source_table_find(&table, &six));
    assert_false(source_table_allow(&table, &none, 0));
    assert_null(source_table_find(&table, &none));
}

static void there_is_room_for_the_addresses_of_all_peers_and_no_more(void **state)
{
    struct source_table table = {.key = {1}};
    for (unsigned i = 0; i < SOURCES; i++) {
        const struct ip_address each = address(i);
        assert_true(source_table_allow(&table, &each, (int)i / ROSTER_ENDPOINTS));
    }
    const struct ip_address known = address(7), more = address(SOURCES);
    assert_false(source_table_allow(&table, &more, 0));
    assert_true(source_table_allow(&table, &known, 9));
    assert_null(source_table_find(&table, &more));
    assert_non_null(source_table_find(&table, &known));
}

static void another_roster_gives_nobody_a_new_budget(void **state)
{
    struct source_table before = {.key = {1}}, after = {.key = {1}};
    const struct ip_address stays = address(1), comes = address(2);
    source_table_allow(&before, &stays, 0);
    source_table_find(&before, &stays)->budget.granted = 3;
    source_table_allow(&after, &stays, 5);
    source_table_allow(&after, &comes, 6);
    source_table_inherit(&after, &before);
    assert_true(source_table_find(&after, &stays)->budget.granted == 3);
    assert_true(source_table_find(&after, &stays)->places == 1 << 5);
    assert_true(source_table_find(&after, &comes)->budget.granted == SESSION_PEER_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_speaks_for_the_peers_that_have_it),
        cmocka_unit_test(families_are_told_apart),
        cmocka_unit_test(there_is_room_for_the_addresses_of_all_peers_and_no_more),
        cmocka_unit_test(another_roster_gives_nobody_a_new_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

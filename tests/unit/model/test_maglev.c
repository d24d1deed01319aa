#include "lbnode/model/maglev.h"

#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

enum {
    MANY = 10000
};

static const struct uuid key = {{7}};

static struct uuid id_of(size_t number)
{
    return (struct uuid){{3, (uint8_t)(number >> 8), (uint8_t)number, 9}};
}

struct table {
    struct maglev_member *members;
    size_t count, length;
    uint16_t *entries;
};

static struct table table_of(const uint32_t *weights, size_t count)
{
    struct table table = {.count = count, .length = maglev_length(count)};
    table.members = calloc(count, sizeof(*table.members));
    table.entries = calloc(table.length, sizeof(*table.entries));
    assert_true(table.members && table.entries);
    for (size_t i = 0; i < count; i++)
        table.members[i] = (struct maglev_member){
            .id = id_of(i), .number = (uint16_t)i, .weight = weights ? weights[i] : 1};
    return table;
}

static void fill(struct table *table)
{
    maglev_fill(table->members, table->count, &key, table->entries, table->length);
}

static void table_free(struct table *table)
{
    free(table->members);
    free(table->entries);
}

static size_t entries_of(const struct table *table, size_t number)
{
    size_t count = 0;
    for (size_t i = 0; i < table->length; i++)
        count += table->entries[i] == number;
    return count;
}

static void the_length_is_a_listed_prime_of_at_least_100_per_member(void **state)
{
    assert_int_equal(maglev_length(1), 251);
    assert_int_equal(maglev_length(2), 251);
    assert_int_equal(maglev_length(3), 1021);
    assert_int_equal(maglev_length(10), 1021);
    assert_int_equal(maglev_length(11), 4093);
    assert_int_equal(maglev_length(MANY), 65537);
}

static void equal_members_have_equal_shares(void **state)
{
    struct table table = table_of(NULL, 7);
    fill(&table);
    for (size_t i = 0; i < table.count; i++)
        assert_in_range(entries_of(&table, i), 1021 / 7, 1021 / 7 + 1);
    table_free(&table);
}

static void shares_follow_the_weights(void **state)
{
    static const uint32_t weights[] = {1, 2, 5, 256};
    struct table table = table_of(weights, 4);
    fill(&table);
    assert_in_range(entries_of(&table, 0), 3, 5); /* 1021 * 1 / 264 */
    assert_in_range(entries_of(&table, 1), 7, 9);
    assert_in_range(entries_of(&table, 2), 19, 21);
    table_free(&table);
}

static void every_member_of_very_many_has_an_entry(void **state)
{
    struct table table = table_of(NULL, MANY);
    unsigned char *seen = calloc(MANY, 1);
    size_t found = 0;
    fill(&table);
    for (size_t i = 0; i < table.length; i++) {
        found += !seen[table.entries[i]];
        seen[table.entries[i]] = 1;
    }
    assert_int_equal(found, MANY);
    free(seen);
    table_free(&table);
}

/* What two nodes, or one before and after a restart, have in common is the configuration: not
 * the order in which they learnt of it. */
static void two_nodes_that_order_members_differently_have_one_table(void **state)
{
    static const uint32_t weights[] = {3, 1, 1, 10, 2};
    struct table here = table_of(weights, 5), there = table_of(weights, 5);
    for (size_t i = 0; i < 5; i++) {
        there.members[i] = here.members[4 - i];
        there.members[i].number = (uint16_t)i;
    }
    fill(&here);
    fill(&there);
    for (size_t i = 0; i < here.length; i++)
        assert_int_equal(here.entries[i], 4 - there.entries[i]);
    table_free(&here);
    table_free(&there);
}

/* A value that every build must reproduce: nodes of different versions share the clients. */
static void the_table_never_changes_from_version_to_version(void **state)
{
    static const uint16_t first[] = {2, 2, 3, 4, 2, 4, 1, 4, 2, 1, 4, 3, 3, 0, 1, 0};
    struct table table = table_of(NULL, 5);
    fill(&table);
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        assert_int_equal(table.entries[i], first[i]);
    table_free(&table);
}

static void a_member_that_goes_leaves_nearly_all_others_in_place(void **state)
{
    struct table before = table_of(NULL, 10), after = table_of(NULL, 10);
    size_t moved = 0;
    after.count = 9;
    fill(&before);
    fill(&after);
    for (size_t i = 0; i < before.length; i++)
        moved += before.entries[i] != 9 && before.entries[i] != after.entries[i];
    assert_true(moved < before.length / 10);
    table_free(&before);
    table_free(&after);
}

static void another_pool_has_another_table(void **state)
{
    static const struct uuid other = {{8}};
    struct table one = table_of(NULL, 5), two = table_of(NULL, 5);
    fill(&one);
    maglev_fill(two.members, two.count, &other, two.entries, two.length);
    assert_memory_not_equal(one.entries, two.entries, one.length * sizeof(*one.entries));
    table_free(&one);
    table_free(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_is_a_listed_prime_of_at_least_100_per_member),
        cmocka_unit_test(equal_members_have_equal_shares),
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(every_member_of_very_many_has_an_entry),
        cmocka_unit_test(two_nodes_that_order_members_differently_have_one_table),
        cmocka_unit_test(the_table_never_changes_from_version_to_version),
        cmocka_unit_test(a_member_that_goes_leaves_nearly_all_others_in_place),
        cmocka_unit_test(another_pool_has_another_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

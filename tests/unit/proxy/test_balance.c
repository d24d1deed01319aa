/* The algorithms in pools of very many members: what a pick costs, and how even it is. */
#include "proxy/balance.h"

#include "lbnode/model/maglev.h"
#include "tests/support/test.h"

#include <stdlib.h>

enum {
    MANY = 10000,
    MOST_LOOKS = 40
};

static struct snapshot_member members[MANY];
static struct member_runtime runtimes[MANY];
static uint16_t schedule[65537];
static _Atomic uint64_t cursor;
static struct balance_view view;
static unsigned looks, unusable_first;

static bool usable(const void *context, const struct snapshot_member *member)
{
    looks++;
    return member->slot >= unusable_first;
}

static int setup(void **state)
{
    static const struct uuid key = {{5}};
    unusable_first = 0;
    cursor = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        members[i] = (struct snapshot_member){
            .id = {{2, (uint8_t)(i >> 8), (uint8_t)i}}, .slot = i, .weight = 1, .enabled = 1};
        runtimes[i].active = 0;
        schedule[i] = (uint16_t)i;
    }
    view = (struct balance_view){.members = members,
                                 .member_count = MANY,
                                 .key = &key,
                                 .schedule = schedule,
                                 .schedule_length = MANY,
                                 .cursor = &cursor,
                                 .runtimes = runtimes,
                                 .client = {{4, {192, 0, 2, 1}}, 1000},
                                 .usable = usable};
    return 0;
}

static void use_table(void)
{
    struct maglev_member *chosen = calloc(MANY, sizeof(*chosen));
    assert_non_null(chosen);
    for (uint16_t i = 0; i < MANY; i++)
        chosen[i] = (struct maglev_member){.id = members[i].id, .number = i, .weight = 1};
    view.schedule_length = (uint32_t)maglev_length(MANY);
    maglev_fill(chosen, MANY, view.key, schedule, view.schedule_length);
    free(chosen);
}

/* Half of the members are dead, and still no pick looks at more than a few. */
static void least_connections_looks_at_few_members(void **state)
{
    unusable_first = MANY / 2;
    for (unsigned i = 0; i < 1000; i++) {
        looks = 0;
        assert_in_range(balance_least_connections(&view), MANY / 2, MANY - 1);
        assert_true(looks <= MOST_LOOKS);
    }
}

static void source_ip_port_looks_at_eight_and_seldom_at_more(void **state)
{
    unsigned long sum = 0;
    use_table();
    unusable_first = MANY / 2;
    for (uint16_t i = 0; i < 1000; i++) {
        looks = 0;
        view.client.port = i;
        assert_in_range(balance_source_ip_port(&view), MANY / 2, MANY - 1);
        sum += looks;
    }
    assert_true(sum < 100 * 1000);
}

static void round_robin_looks_at_the_next_member(void **state)
{
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        looks = 0;
        assert_int_equal(balance_round_robin(&view), i % MANY);
        assert_int_equal(looks, 1);
    }
}

/* 20,000 connections that stay, over 10,000 members: taking the best of a sample keeps all
 * near the mean of 2. */
static void a_sample_keeps_the_load_even(void **state)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        uint32_t load = ++runtimes[balance_least_connections(&view)].active;
        most = load > most ? load : most;
    }
    assert_true(most <= 4);
}

static void a_sample_finds_the_only_usable_member(void **state)
{
    unusable_first = MANY - 1;
    assert_int_equal(balance_least_connections(&view), MANY - 1);
}

/* Behind more unusable ones than a pick skips by moving the cursor. */
static void every_algorithm_finds_the_only_usable_member(void **state)
{
    unusable_first = MANY - 1;
    assert_int_equal(balance_round_robin(&view), MANY - 1);
    use_table();
    assert_int_equal(balance_source_ip(&view), MANY - 1);
    assert_int_equal(balance_source_ip_port(&view), MANY - 1);
}

/* Pools with the same members do not load the same ones with the same clients. */
static void clients_fall_otherwise_in_another_pool(void **state)
{
    static const struct uuid other = {{6}};
    struct balance_view second = view;
    unsigned same = 0;
    second.key = &other;
    for (uint8_t i = 0; i < 100; i++) {
        view.client.address.bytes[3] = second.client.address.bytes[3] = i;
        same += balance_source_ip(&view) == balance_source_ip(&second);
        assert_int_equal(balance_source_ip(&view), balance_source_ip(&view));
    }
    assert_in_range(same, 0, 5);
}

static void nothing_usable_is_told(void **state)
{
    unusable_first = MANY;
    assert_int_equal(balance_least_connections(&view), BALANCE_NONE);
    assert_int_equal(balance_round_robin(&view), BALANCE_NONE);
    use_table();
    assert_int_equal(balance_source_ip(&view), BALANCE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(least_connections_looks_at_few_members, setup),
        cmocka_unit_test_setup(source_ip_port_looks_at_eight_and_seldom_at_more, setup),
        cmocka_unit_test_setup(round_robin_looks_at_the_next_member, setup),
        cmocka_unit_test_setup(a_sample_keeps_the_load_even, setup),
        cmocka_unit_test_setup(a_sample_finds_the_only_usable_member, setup),
        cmocka_unit_test_setup(every_algorithm_finds_the_only_usable_member, setup),
        cmocka_unit_test_setup(clients_fall_otherwise_in_another_pool, setup),
        cmocka_unit_test_setup(nothing_usable_is_told, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

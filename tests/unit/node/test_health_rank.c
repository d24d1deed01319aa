#include "lbnode/node/health_rank.h"
#include "tests/support/test.h"

static struct rank_candidate candidate(enum vrrp_state state, uint8_t priority, uint8_t last)
{
    return (struct rank_candidate){
        .state = (uint8_t)state,
        .priority = priority,
        .is_fit = true,
        .address = {.family = 4, .bytes = {192, 0, 2, last}},
    };
}

static void whoever_is_active_is_first(void **state)
{
    struct rank_candidate own = candidate(VRRP_ACTIVE, 100, 1);
    struct rank_candidate peers[] = {candidate(VRRP_BACKUP, 200, 2)};
    assert_int_equal(health_rank_find(&own, peers, 1), HEALTH_RANK_ACTIVE);
}

static void the_only_backup_is_the_successor(void **state)
{
    struct rank_candidate own = candidate(VRRP_BACKUP, 100, 1);
    struct rank_candidate peers[] = {candidate(VRRP_ACTIVE, 200, 2)};
    assert_int_equal(health_rank_find(&own, peers, 1), HEALTH_RANK_SUCCESSOR);
}

static void the_backup_of_higher_priority_comes_first(void **state)
{
    struct rank_candidate own = candidate(VRRP_BACKUP, 100, 9);
    struct rank_candidate peers[] = {candidate(VRRP_ACTIVE, 200, 2),
                                     candidate(VRRP_BACKUP, 150, 3)};
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_OTHER);
    peers[1].priority = 50;
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_SUCCESSOR);
}

static void of_equal_priorities_the_higher_address_comes_first(void **state)
{
    struct rank_candidate own = candidate(VRRP_BACKUP, 100, 5);
    struct rank_candidate peers[] = {candidate(VRRP_ACTIVE, 200, 2),
                                     candidate(VRRP_BACKUP, 100, 6)};
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_OTHER);
    peers[1].address.bytes[3] = 4;
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_SUCCESSOR);
    peers[1].address = (struct ip_address){0}; /* in doubt it probes often */
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_SUCCESSOR);
}

static void a_node_that_is_not_fit_is_no_successor(void **state)
{
    struct rank_candidate own = candidate(VRRP_BACKUP, 100, 5);
    struct rank_candidate peers[] = {candidate(VRRP_ACTIVE, 200, 2),
                                     candidate(VRRP_BACKUP, 150, 6)};
    peers[1].is_fit = false;
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_SUCCESSOR);
    own.is_fit = false;
    peers[1] = candidate(VRRP_BACKUP, 50, 1);
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_OTHER);
}

static void while_nobody_is_active_all_probe_often(void **state)
{
    struct rank_candidate own = candidate(VRRP_BACKUP, 100, 5);
    struct rank_candidate peers[] = {candidate(VRRP_BACKUP, 200, 2),
                                     candidate(VRRP_BACKUP, 150, 6)};
    assert_int_equal(health_rank_find(&own, peers, 2), HEALTH_RANK_SUCCESSOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_active_is_first),
        cmocka_unit_test(the_only_backup_is_the_successor),
        cmocka_unit_test(the_backup_of_higher_priority_comes_first),
        cmocka_unit_test(of_equal_priorities_the_higher_address_comes_first),
        cmocka_unit_test(a_node_that_is_not_fit_is_no_successor),
        cmocka_unit_test(while_nobody_is_active_all_probe_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

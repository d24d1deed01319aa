#include "tests/support/test.h"
#include "vrrp/family_bond.h"

static const struct ip_address other4 = {4, {192, 0, 2, 6}}, third4 = {4, {192, 0, 2, 7}};
static const uint64_t settled_us = UINT64_C(100000000) + FAMILY_BOND_SETTLE_US;

struct pair {
    struct vrrp_machine ipv4, ipv6;
    struct family_bond bond;
};

/* IPv4 follows another node, IPv6 is active here, since 100 s; an advert of IPv6 is due. */
static struct pair apart(void)
{
    return (struct pair){
        .ipv4 = {.state = VRRP_BACKUP, .since_us = 100000000, .active_address = other4},
        .ipv6 = {.state = VRRP_ACTIVE, .since_us = 100000000},
    };
}

static bool hands_over(struct pair *pair, uint64_t now_us)
{
    return family_bond_hands_over(&pair->bond, &pair->ipv4, &pair->ipv6, now_us);
}

static void ipv6_goes_where_ipv4_is(void **state)
{
    struct pair pair = apart();
    assert_true(hands_over(&pair, settled_us));
    assert_true(ip_address_equal(&pair.bond.asked, &other4));
}

static void an_election_that_goes_on_is_left_alone(void **state)
{
    struct pair pair = apart();
    assert_false(hands_over(&pair, settled_us - 1));
}

static void an_owner_of_both_keeps_both(void **state)
{
    struct pair pair = apart();
    pair.ipv4.state = VRRP_ACTIVE;
    assert_false(hands_over(&pair, settled_us));
}

static void without_an_owner_of_ipv4_there_is_nobody_to_ask(void **state)
{
    struct pair pair = apart();
    pair.ipv4.active_address = (struct ip_address){0};
    assert_false(hands_over(&pair, settled_us));
}

static void it_takes_the_place_of_an_advert(void **state)
{
    struct pair pair = apart();
    pair.ipv6.deadline_us = settled_us + 20000;
    assert_false(hands_over(&pair, settled_us + 19999));
    assert_true(hands_over(&pair, settled_us + 20000));
}

static void who_does_not_take_it_is_asked_ever_more_seldom(void **state)
{
    struct pair pair = apart();
    uint64_t now_us = settled_us, waited_us = 0;
    for (int attempt = 0; attempt < 12; attempt++) {
        assert_true(hands_over(&pair, now_us));
        assert_false(hands_over(&pair, now_us));
        assert_true(pair.bond.next_us - now_us >= waited_us);
        waited_us = pair.bond.next_us - now_us;
        now_us = pair.bond.next_us;
    }
    assert_true(waited_us == FAMILY_BOND_MAXIMUM_US);
}

static void a_new_owner_of_ipv4_is_asked_at_once(void **state)
{
    struct pair pair = apart();
    assert_true(hands_over(&pair, settled_us));
    pair.ipv4.active_address = third4;
    assert_true(hands_over(&pair, settled_us + 1));
    assert_true(ip_address_equal(&pair.bond.asked, &third4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_goes_where_ipv4_is),
        cmocka_unit_test(an_election_that_goes_on_is_left_alone),
        cmocka_unit_test(an_owner_of_both_keeps_both),
        cmocka_unit_test(without_an_owner_of_ipv4_there_is_nobody_to_ask),
        cmocka_unit_test(it_takes_the_place_of_an_advert),
        cmocka_unit_test(who_does_not_take_it_is_asked_ever_more_seldom),
        cmocka_unit_test(a_new_owner_of_ipv4_is_asked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

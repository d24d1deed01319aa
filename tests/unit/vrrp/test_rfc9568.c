/* The rules of RFC 9568 with its verified errata, one by one, each with the test that proves
 * it. Not there, on purpose: the virtual router MAC (7.3), Router Advertisements (6.4), an
 * owner of priority 255 that starts as Active (6.4.1), which no node has; an address list that
 * differs is not looked at. */
#include "tests/unit/vrrp/machine_steps.h"
#include "vrrp/vrrp_packet.h"

#include <string.h>

/* clang-format off */
static const struct {
    const char *section, *rule, *test; /* "FILE: TEST" where it is in test_vrrp_FILE.c or so */
} rules[] = {
    {"5.1.1.3, 5.1.2.3", "TTL and hop limit are 255, else the advert is dropped",
     "packet: any_ttl_but_255_is_dropped"},
    {"5.1.2.1", "IPv6 adverts come from a link-local address",
     "interface_table: the_ipv6_source_is_the_link_local_address"},
    {"5.1.1.1, 7.2", "adverts come from the primary address",
     "place: adverts_come_from_the_address_that_the_roster_knows"},
    {"5.2.1, 5.2.2", "an unknown version or type is dropped",
     "packet: bad_messages_are_refused_by_name"},
    {"5.2.3", "a VRID is 1 to 255",
     "packet: bad_messages_are_refused_by_name"},
    {"5.2.4", "priority 0 means that the owner resigns",
     "stopping_resigns_with_priority_zero"},
    {"5.2.5, erratum 8299", "no address: the advert is ignored",
     "packet: bad_messages_are_refused_by_name"},
    {"5.2.5", "255 addresses at most",
     "the_largest_advert_fits"},
    {"5.2.6", "reserved bits are sent as 0 and ignored",
     "packet: reserved_bits_before_the_interval_are_ignored"},
    {"5.2.7", "the interval is 1 to 4095 centiseconds",
     "an_interval_is_sent_within_its_limits"},
    {"5.2.7, erratum 8301", "an interval of 0 is dropped",
     "packet: bad_messages_are_refused_by_name"},
    {"5.2.8", "IPv4 sums the message alone, IPv6 a pseudo-header too; both are taken for IPv4",
     "packet: recorded_packets_decode_and_encode_again_identically"},
    {"5.2.9, erratum 8300", "the first IPv6 address is link-local",
     "packet: bad_messages_are_refused_by_name"},
    {"6.1", "Skew_Time and Active_Down_Interval",
     "skew_and_dead_time_are_those_of_the_standard"},
    {"6.4.1", "Startup: own interval, Active_Down_Timer, Backup",
     "a_starting_node_listens_with_its_own_interval"},
    {"6.4.2", "Shutdown: nothing is sent",
     "a_backup_says_nothing_when_it_stops"},
    {"6.4.2", "Active_Down_Timer: ADVERT, GARP or NA, Active",
     "a_lone_node_takes_over_within_three_seconds"},
    {"6.4.2", "priority 0: the timer is set to Skew_Time",
     "a_resignation_shortens_the_wait_to_the_skew"},
    {"6.4.2", "without Preempt_Mode any priority is followed",
     "a_starting_node_of_higher_priority_does_not_preempt"},
    {"6.4.2", "with Preempt_Mode a lower one is discarded",
     "preemption_takes_over_from_a_lower_priority"},
    {"6.4.2", "an equal one is followed",
     "a_backup_follows_equal_priority_even_with_preemption"},
    {"6.4.2", "the interval of the active router is adopted",
     "a_backup_adopts_the_interval_of_the_active_node"},
    {"6.4.2", "another interval is no reason to drop an advert",
     "an_advert_of_another_interval_is_no_reason_to_drop_it"},
    {"6.4.3", "Shutdown: ADVERT of priority 0",
     "stopping_resigns_with_priority_zero"},
    {"6.4.3", "Adver_Timer: ADVERT, and the timer anew",
     "an_active_node_speaks_once_an_interval"},
    {"6.4.3", "priority 0: ADVERT at once",
     "an_active_node_answers_a_resignation_at_once"},
    {"6.4.3", "priority 0, lower: Adver_Timer anew",
     "an_owner_rearms_its_timer_whenever_it_answers"},
    {"6.4.3", "higher priority: Backup",
     "an_advert_of_priority_255_is_followed"},
    {"6.4.3", "the interval of the winner is adopted",
     "an_owner_that_yields_adopts_the_interval_of_the_winner"},
    {"6.4.3", "equal priority: the higher address wins",
     "the_loser_of_two_owners_speaks_once_more_and_yields"},
    {"6.4.3", "also by IPv6, as unsigned numbers",
     "ipv6_addresses_settle_a_tie_as_unsigned_bytes"},
    {"6.4.3", "lower: discarded, and answered at once",
     "the_winner_of_two_owners_answers_and_announces"},
    {"6.4.3", "Accept_Mode is always on, while active only",
     "every_way_out_of_active_removes_the_addresses"},
    {"7.1", "a truncated message or a wrong sum is dropped",
     "packet: bad_messages_are_refused_by_name"},
    {"7.1, erratum 8298", "priority 255 is no reason to drop an advert",
     "an_advert_of_priority_255_is_followed"},
    {"7.1", "own adverts that come back are ignored",
     "our_own_adverts_are_ignored"},
    {"7.2", "adverts carry the priority of the moment",
     "a_changed_priority_is_in_the_next_advert"},
};
/* clang-format on */

static void skew_and_dead_time_are_those_of_the_standard(void **state)
{
    struct vrrp_machine machine = fresh();
    assert_int_equal(vrrp_skew_us(100, 1000000), 609375);
    assert_int_equal(vrrp_skew_us(254, 1000000), 7812);
    assert_int_equal(vrrp_skew_us(1, 1000000), 996093);
    assert_int_equal(vrrp_skew_us(1, 40950000), 40790039); /* the longest there is */
    assert_int_equal(vrrp_machine_dead_time_us(&machine), DEAD_US);
    machine.active_interval_us = 1000000;
    assert_int_equal(vrrp_machine_dead_time_us(&machine), 3609375);
}

static void preemption_takes_over_from_a_lower_priority(void **state)
{
    struct vrrp_machine machine = following(50);
    machine.settings.preempt = true;
    advert(&machine, 9, 50, START_US + INTERVAL_US);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, START_US + DEAD_US).set, ACTIVE_NOW);
}

static void a_backup_follows_equal_priority_even_with_preemption(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    machine.settings.preempt = true;
    advert(&machine, 1, PRIORITY, START_US + 1000);
    assert_true(machine.deadline_us == START_US + 1000 + DEAD_US);
}

static void a_backup_adopts_the_interval_of_the_active_node(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    struct vrrp_event event = {
        .kind = VRRP_EVENT_ADVERT, .source = node(9), .priority = 200, .interval_us = 1000000};
    vrrp_machine_step(&machine, &event, START_US);
    assert_true(machine.deadline_us == START_US + 3609375);
    give(&machine, VRRP_EVENT_TIMER, machine.deadline_us);
    assert_int_equal(machine.state, VRRP_ACTIVE);
    assert_int_equal(machine.active_interval_us, INTERVAL_US);
}

static void a_resignation_shortens_the_wait_to_the_skew(void **state)
{
    struct vrrp_machine machine = following(200);
    assert_int_equal(advert(&machine, 9, 0, START_US + 50000).set, 0);
    assert_true(machine.deadline_us == START_US + 50000 + SKEW_US);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, machine.deadline_us).set, ACTIVE_NOW);
}

static void an_active_node_speaks_once_an_interval(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t due_us = START_US + LISTEN_US + INTERVAL_US;
    assert_true(machine.deadline_us == due_us);
    struct vrrp_actions actions = give(&machine, VRRP_EVENT_TIMER, due_us);
    assert_int_equal(actions.set, VRRP_ACTION_SEND_ADVERT);
    assert_int_equal(actions.advert_priority, PRIORITY);
    assert_true(machine.deadline_us == due_us + INTERVAL_US);
}

static void a_changed_priority_is_in_the_next_advert(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    machine.settings.priority = 120;
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, machine.deadline_us).advert_priority,
                     120);
}

static void an_active_node_answers_a_resignation_at_once(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    struct vrrp_actions actions = advert(&machine, 9, 0, START_US + LISTEN_US + 1000);
    assert_int_equal(actions.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_ANNOUNCE);
    assert_int_equal(actions.advert_priority, PRIORITY);
}

static void the_winner_of_two_owners_answers_and_announces(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    struct vrrp_actions lower = advert(&machine, 9, PRIORITY - 1, START_US + LISTEN_US);
    assert_int_equal(lower.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_ANNOUNCE);
    struct vrrp_actions tie = advert(&machine, 4, PRIORITY, START_US + LISTEN_US);
    assert_int_equal(tie.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_ANNOUNCE);
    assert_int_equal(machine.state, VRRP_ACTIVE);
}

static void the_loser_of_two_owners_speaks_once_more_and_yields(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    struct vrrp_actions actions = advert(&machine, 9, PRIORITY, START_US + LISTEN_US);
    struct ip_address winner = node(9);
    assert_int_equal(actions.set, GIVE_UP);
    assert_int_equal(actions.advert_priority, PRIORITY);
    assert_int_equal(machine.state, VRRP_BACKUP);
    assert_true(ip_address_equal(&machine.active_address, &winner));
    assert_true(machine.deadline_us == START_US + LISTEN_US + DEAD_US);
}

static void stopping_resigns_with_priority_zero(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    struct vrrp_actions actions = give(&machine, VRRP_EVENT_STOP, START_US + LISTEN_US);
    assert_int_equal(actions.set, GIVE_UP);
    assert_int_equal(actions.advert_priority, 0);
}

static void our_own_adverts_are_ignored(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t deadline_us = machine.deadline_us;
    assert_int_equal(advert(&machine, 5, 254, START_US + LISTEN_US).set, 0);
    assert_int_equal(machine.state, VRRP_ACTIVE);
    assert_true(machine.deadline_us == deadline_us);
}

static void a_lone_node_takes_over_within_three_seconds(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    assert_true(machine.deadline_us == START_US + LISTEN_US);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, machine.deadline_us - 1).set, 0);
    struct vrrp_actions actions = give(&machine, VRRP_EVENT_TIMER, machine.deadline_us);
    assert_int_equal(actions.set, ACTIVE_NOW);
    assert_int_equal(actions.advert_priority, PRIORITY);
    assert_true(ip_address_equal(&machine.active_address, &machine.settings.own_address));
    assert_int_equal(machine.became_active_count, 1);
}

static void a_starting_node_of_higher_priority_does_not_preempt(void **state)
{
    struct vrrp_machine machine = following(1);
    for (uint64_t now_us = START_US; now_us < START_US + 100 * INTERVAL_US;
         now_us += INTERVAL_US) {
        assert_int_equal(give(&machine, VRRP_EVENT_TIMER, now_us).set, 0);
        assert_int_equal(advert(&machine, 9, 1, now_us).set, 0);
    }
    assert_int_equal(machine.state, VRRP_BACKUP);
}

static void a_starting_node_listens_with_its_own_interval(void **state)
{
    struct vrrp_machine machine = fresh();
    machine.settings.advert_interval_us = 1000000;
    give(&machine, VRRP_EVENT_ELIGIBLE, START_US);
    assert_int_equal(machine.state, VRRP_BACKUP);
    assert_true(machine.deadline_us == START_US + 3609375);
}

static void a_backup_says_nothing_when_it_stops(void **state)
{
    struct vrrp_machine machine = following(200);
    struct vrrp_actions actions = give(&machine, VRRP_EVENT_STOP, START_US);
    assert_int_equal(actions.set, VRRP_ACTION_STATE_CHANGED);
    assert_int_equal(machine.state, VRRP_INITIALIZE);
    assert_true(machine.deadline_us == VRRP_NO_DEADLINE);
}

static struct vrrp_actions
advert_at(struct vrrp_machine *machine, uint8_t priority, uint32_t interval_us, uint64_t now_us)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_ADVERT,
                               .source = node(9),
                               .priority = priority,
                               .interval_us = interval_us};
    return vrrp_machine_step(machine, &event, now_us);
}

static void an_advert_of_another_interval_is_no_reason_to_drop_it(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    struct ip_address active = node(9);
    advert_at(&machine, 200, 10000, START_US);
    assert_true(ip_address_equal(&machine.active_address, &active));
    assert_int_equal(vrrp_machine_standard_us(&machine), 36093);
    advert_at(&machine, 200, 40950000, START_US);
    assert_int_equal(vrrp_machine_standard_us(&machine), 147803906);
}

static void an_owner_that_yields_adopts_the_interval_of_the_winner(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US;
    advert_at(&machine, 200, 1000000, now_us);
    assert_int_equal(machine.state, VRRP_BACKUP);
    assert_true(machine.deadline_us == now_us + 3609375);
}

static void an_owner_rearms_its_timer_whenever_it_answers(void **state)
{
    static const uint8_t priorities[] = {0, PRIORITY - 1};
    for (size_t i = 0; i < ARRAY_LENGTH(priorities); i++) {
        struct vrrp_machine machine = in_state(VRRP_ACTIVE);
        uint64_t now_us = START_US + LISTEN_US + 70000;
        advert(&machine, 9, priorities[i], now_us);
        assert_true(machine.deadline_us == now_us + INTERVAL_US);
    }
}

static void an_advert_of_priority_255_is_followed(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    assert_int_equal(advert(&machine, 4, 255, START_US + LISTEN_US).set, GIVE_UP);
    machine = following(100);
    machine.settings.preempt = true;
    assert_int_equal(advert(&machine, 4, 255, START_US + INTERVAL_US).set, 0);
    assert_true(machine.deadline_us == START_US + INTERVAL_US + DEAD_US);
}

static void ipv6_addresses_settle_a_tie_as_unsigned_bytes(void **state)
{
    struct ip_address own = {6, {0xfe, 0x80, [8] = 0x7f, [15] = 0xff}};
    struct ip_address higher = {6, {0xfe, 0x80, [8] = 0x80}};
    struct ip_address lower = {6, {0xfe, 0x80, [8] = 0x7f, [15] = 0xfe}};
    struct vrrp_event event = {
        .kind = VRRP_EVENT_ADVERT, .priority = PRIORITY, .interval_us = INTERVAL_US};
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    machine.settings.own_address = own;
    event.source = lower;
    vrrp_machine_step(&machine, &event, START_US + LISTEN_US);
    assert_int_equal(machine.state, VRRP_ACTIVE);
    event.source = higher;
    vrrp_machine_step(&machine, &event, START_US + LISTEN_US);
    assert_int_equal(machine.state, VRRP_BACKUP);
}

static void every_way_out_of_active_removes_the_addresses(void **state)
{
    static const enum vrrp_event_kind ways[] = {VRRP_EVENT_INELIGIBLE, VRRP_EVENT_YIELD,
                                                VRRP_EVENT_DEMOTE, VRRP_EVENT_STOP};
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        struct vrrp_machine machine = in_state(VRRP_ACTIVE);
        struct vrrp_actions actions = give(&machine, ways[i], START_US + LISTEN_US);
        assert_true(actions.set & VRRP_ACTION_REMOVE_ADDRESSES);
        assert_int_equal(actions.advert_priority, 0);
    }
}

/* ---- packets ---------------------------------------------------------------------------- */

static void an_interval_is_sent_within_its_limits(void **state)
{
    assert_int_equal(vrrp_interval_cs(0), 1);
    assert_int_equal(vrrp_interval_cs(9999), 1);
    assert_int_equal(vrrp_interval_cs(20000), 2);
    assert_int_equal(vrrp_interval_cs(40950000), 4095);
    assert_int_equal(vrrp_interval_cs(UINT32_MAX), 4095);
}

static void the_largest_advert_fits(void **state)
{
    static const uint8_t families[] = {4, 6};
    uint8_t addresses[16 * VRRP_MAXIMUM_ADDRESSES] = {0xfe, 0x80};
    uint8_t out[VRRP_PACKET_MAXIMUM_SIZE];
    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        struct vrrp_envelope envelope = {
            .source.family = families[i], .destination.family = families[i], .hop_limit = 255};
        struct vrrp_packet packet = {.family = families[i],
                                     .vrid = 1,
                                     .priority = 100,
                                     .address_count = VRRP_MAXIMUM_ADDRESSES,
                                     .interval_cs = 2,
                                     .addresses = addresses},
                           decoded;
        size_t size = vrrp_packet_encode(&packet, &envelope, out, sizeof(out));
        assert_int_equal(size, VRRP_HEADER_SIZE + (families[i] == 4 ? 4 : 16) * 255);
        assert_int_equal(vrrp_packet_decode((struct bytes){out, size}, &envelope, &decoded),
                         VRRP_VERDICT_OK);
        assert_int_equal(decoded.address_count, 255);
        assert_memory_equal(decoded.addresses, addresses, size - VRRP_HEADER_SIZE);
    }
}

static void every_rule_has_a_test(void **state);

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(skew_and_dead_time_are_those_of_the_standard),
    cmocka_unit_test(preemption_takes_over_from_a_lower_priority),
    cmocka_unit_test(a_backup_follows_equal_priority_even_with_preemption),
    cmocka_unit_test(a_backup_adopts_the_interval_of_the_active_node),
    cmocka_unit_test(a_resignation_shortens_the_wait_to_the_skew),
    cmocka_unit_test(an_active_node_speaks_once_an_interval),
    cmocka_unit_test(a_changed_priority_is_in_the_next_advert),
    cmocka_unit_test(an_active_node_answers_a_resignation_at_once),
    cmocka_unit_test(the_winner_of_two_owners_answers_and_announces),
    cmocka_unit_test(the_loser_of_two_owners_speaks_once_more_and_yields),
    cmocka_unit_test(stopping_resigns_with_priority_zero),
    cmocka_unit_test(our_own_adverts_are_ignored),
    cmocka_unit_test(a_lone_node_takes_over_within_three_seconds),
    cmocka_unit_test(a_starting_node_of_higher_priority_does_not_preempt),
    cmocka_unit_test(a_starting_node_listens_with_its_own_interval),
    cmocka_unit_test(a_backup_says_nothing_when_it_stops),
    cmocka_unit_test(an_advert_of_another_interval_is_no_reason_to_drop_it),
    cmocka_unit_test(an_owner_that_yields_adopts_the_interval_of_the_winner),
    cmocka_unit_test(an_owner_rearms_its_timer_whenever_it_answers),
    cmocka_unit_test(an_advert_of_priority_255_is_followed),
    cmocka_unit_test(ipv6_addresses_settle_a_tie_as_unsigned_bytes),
    cmocka_unit_test(every_way_out_of_active_removes_the_addresses),
    cmocka_unit_test(an_interval_is_sent_within_its_limits),
    cmocka_unit_test(the_largest_advert_fits),
    cmocka_unit_test(every_rule_has_a_test),
};

static void every_rule_has_a_test(void **state)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        bool found = strchr(rules[i].test, ':') != NULL;
        for (size_t t = 0; t < ARRAY_LENGTH(tests) && !found; t++)
            found = strcmp(tests[t].name, rules[i].test) == 0;
        if (!found)
            fail_msg("%s: %s has no test %s", rules[i].section, rules[i].rule, rules[i].test);
    }
}

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The election of one virtual router: every state with every event, and what goes beyond the
 * RFC, whose own rules are in test_rfc9568.c. */
#include "tests/unit/vrrp/machine_steps.h"

static void every_state_takes_every_event_as_the_table_says(void **state)
{
    static const struct {
        enum vrrp_state before;
        enum vrrp_event_kind kind;
        enum vrrp_state after;
        unsigned actions;
    } rows[] = {
        {VRRP_INITIALIZE, VRRP_EVENT_ELIGIBLE, VRRP_BACKUP, LISTEN},
        {VRRP_INITIALIZE, VRRP_EVENT_INELIGIBLE, VRRP_FAULT, VRRP_ACTION_STATE_CHANGED},
        {VRRP_INITIALIZE, VRRP_EVENT_TIMER, VRRP_INITIALIZE, 0},
        {VRRP_INITIALIZE, VRRP_EVENT_ADVERT, VRRP_INITIALIZE, 0},
        {VRRP_INITIALIZE, VRRP_EVENT_YIELD, VRRP_INITIALIZE, 0},
        {VRRP_INITIALIZE, VRRP_EVENT_STOP, VRRP_INITIALIZE, 0},
        {VRRP_INITIALIZE, VRRP_EVENT_RESUME, VRRP_INITIALIZE, 0},
        {VRRP_BACKUP, VRRP_EVENT_ELIGIBLE, VRRP_BACKUP, 0},
        {VRRP_BACKUP, VRRP_EVENT_INELIGIBLE, VRRP_FAULT, VRRP_ACTION_STATE_CHANGED},
        {VRRP_BACKUP, VRRP_EVENT_TIMER, VRRP_BACKUP, 0},
        {VRRP_BACKUP, VRRP_EVENT_ADVERT, VRRP_BACKUP, 0},
        {VRRP_BACKUP, VRRP_EVENT_YIELD, VRRP_BACKUP, 0},
        {VRRP_BACKUP, VRRP_EVENT_STOP, VRRP_INITIALIZE, VRRP_ACTION_STATE_CHANGED},
        {VRRP_BACKUP, VRRP_EVENT_RESUME, VRRP_BACKUP, 0},
        {VRRP_ACTIVE, VRRP_EVENT_ELIGIBLE, VRRP_ACTIVE, 0},
        {VRRP_ACTIVE, VRRP_EVENT_INELIGIBLE, VRRP_FAULT, GIVE_UP},
        {VRRP_ACTIVE, VRRP_EVENT_TIMER, VRRP_ACTIVE, 0},
        {VRRP_ACTIVE, VRRP_EVENT_ADVERT, VRRP_BACKUP, GIVE_UP},
        {VRRP_ACTIVE, VRRP_EVENT_YIELD, VRRP_BACKUP, GIVE_UP},
        {VRRP_ACTIVE, VRRP_EVENT_HAND_OVER, VRRP_ACTIVE,
         VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_REASSURE},
        {VRRP_ACTIVE, VRRP_EVENT_DEMOTE, VRRP_BACKUP, GIVE_UP},
        {VRRP_BACKUP, VRRP_EVENT_HAND_OVER, VRRP_BACKUP, 0},
        {VRRP_BACKUP, VRRP_EVENT_DEMOTE, VRRP_BACKUP, 0},
        {VRRP_FAULT, VRRP_EVENT_HAND_OVER, VRRP_FAULT, 0},
        {VRRP_FAULT, VRRP_EVENT_DEMOTE, VRRP_FAULT, 0},
        {VRRP_ACTIVE, VRRP_EVENT_STOP, VRRP_INITIALIZE, GIVE_UP},
        {VRRP_ACTIVE, VRRP_EVENT_RESUME, VRRP_ACTIVE, 0},
        {VRRP_FAULT, VRRP_EVENT_ELIGIBLE, VRRP_BACKUP, LISTEN},
        {VRRP_FAULT, VRRP_EVENT_INELIGIBLE, VRRP_FAULT, 0},
        {VRRP_FAULT, VRRP_EVENT_TIMER, VRRP_FAULT, 0},
        {VRRP_FAULT, VRRP_EVENT_ADVERT, VRRP_FAULT, 0},
        {VRRP_FAULT, VRRP_EVENT_YIELD, VRRP_FAULT, 0},
        {VRRP_FAULT, VRRP_EVENT_STOP, VRRP_INITIALIZE, VRRP_ACTION_STATE_CHANGED},
        {VRRP_FAULT, VRRP_EVENT_RESUME, VRRP_FAULT, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct vrrp_machine machine = in_state(rows[i].before);
        struct vrrp_event event = {.kind = rows[i].kind,
                                   .source = node(9),
                                   .priority = 200,
                                   .interval_us = INTERVAL_US};
        uint64_t now_us = rows[i].before == VRRP_ACTIVE ? START_US + LISTEN_US : START_US;
        struct vrrp_actions actions = vrrp_machine_step(&machine, &event, now_us);
        assert_int_equal(machine.state, rows[i].after);
        assert_int_equal(actions.set, rows[i].actions);
        bool waits = machine.state == VRRP_BACKUP || machine.state == VRRP_ACTIVE;
        assert_int_equal(machine.deadline_us != VRRP_NO_DEADLINE, waits);
    }
}

static void a_node_that_was_preempted_is_no_false_takeover(void **state)
{
    struct vrrp_machine machine = following(50);
    machine.settings.preempt = true;
    uint64_t now_us = START_US + DEAD_US;
    advert(&machine, 9, 50, now_us - INTERVAL_US);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, now_us).set, ACTIVE_NOW);
    advert(&machine, 9, 50, now_us + 1000);
    assert_int_equal(vrrp_machine_dead_time_us(&machine), DEAD_US);
}

static void adverts_of_the_dead_that_waited_in_a_queue_take_nothing_away(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US;
    machine.settings.strict = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(advert(&machine, 9, PRIORITY, now_us + (uint64_t)i).set, 0);
    assert_int_equal(machine.state, VRRP_ACTIVE);
    now_us += 10 * INTERVAL_US; /* the next one is as alone as the first */
    machine.deadline_us = now_us + INTERVAL_US;
    advert(&machine, 9, PRIORITY, now_us);
    assert_int_equal(machine.state, VRRP_ACTIVE);
}

static void an_active_node_gives_way_to_a_better_one_that_goes_on_speaking(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US;
    machine.settings.strict = true;
    advert(&machine, 9, PRIORITY, now_us);
    struct vrrp_event late = {.kind = VRRP_EVENT_ADVERT,
                              .source = node(9),
                              .priority = PRIORITY,
                              .interval_us = INTERVAL_US,
                              .arrived_us = now_us + INTERVAL_US / 4};
    now_us += INTERVAL_US;
    vrrp_machine_step(&machine, &late, now_us); /* read late: it says nothing of now */
    assert_int_equal(machine.state, VRRP_ACTIVE);
    advert(&machine, 9, PRIORITY, now_us);
    assert_int_equal(machine.state, VRRP_BACKUP);
}

/* While a change of the interval is on its way to one of two nodes. */
static void a_rival_of_another_interval_is_given_way_to(void **state)
{
    static const uint32_t intervals_us[] = {INTERVAL_US / 50, INTERVAL_US * 50};
    for (size_t i = 0; i < ARRAY_LENGTH(intervals_us); i++) {
        struct vrrp_machine machine = in_state(VRRP_ACTIVE);
        struct vrrp_event rival = {.kind = VRRP_EVENT_ADVERT,
                                   .source = node(9),
                                   .priority = PRIORITY,
                                   .interval_us = intervals_us[i]};
        uint64_t now_us = START_US + LISTEN_US;
        machine.settings.strict = true;
        vrrp_machine_step(&machine, &rival, now_us);
        assert_int_equal(machine.state, VRRP_ACTIVE);
        now_us += intervals_us[i];
        machine.deadline_us = now_us + INTERVAL_US; /* it spoke all the time */
        vrrp_machine_step(&machine, &rival, now_us);
        assert_int_equal(machine.state, VRRP_BACKUP);
    }
}

static void preemption_waits_for_its_delay(void **state)
{
    struct vrrp_machine machine = following(50);
    machine.settings.preempt = true;
    machine.settings.preempt_delay_us = 1000000;
    uint64_t now_us = START_US;
    for (; now_us < START_US + 1000000; now_us += INTERVAL_US) {
        advert(&machine, 9, 50, now_us);
        assert_int_equal(give(&machine, VRRP_EVENT_TIMER, now_us).set, 0);
    }
    uint64_t last_us = now_us - INTERVAL_US;
    advert(&machine, 9, 50, now_us); /* no longer counts */
    uint64_t end_us = last_us + vrrp_machine_dead_time_us(&machine);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, end_us).set, ACTIVE_NOW);
}

static void a_resignation_of_somebody_else_changes_nothing(void **state)
{
    struct vrrp_machine machine = following(200);
    uint64_t deadline_us = machine.deadline_us;
    advert(&machine, 7, 0, START_US + 50000);
    assert_true(machine.deadline_us == deadline_us);
}

static void a_node_that_yields_takes_over_again_when_nobody_does(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US;
    assert_int_equal(give(&machine, VRRP_EVENT_YIELD, now_us).advert_priority, 0);
    assert_true(machine.deadline_us == now_us + DEAD_US);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, now_us + DEAD_US).set, ACTIVE_NOW);
}

/* An owner that has just woken from a sleep of three intervals; OUT_US: when. */
static struct vrrp_machine woken(uint64_t *out_us)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    *out_us = machine.deadline_us + 2 * INTERVAL_US + 1;
    struct vrrp_actions actions = give(&machine, VRRP_EVENT_TIMER, *out_us);
    assert_int_equal(actions.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_STATE_CHANGED);
    assert_int_equal(actions.advert_priority, 0);
    assert_int_equal(machine.state, VRRP_BACKUP);
    return machine;
}

static void an_active_node_that_overslept_listens_first(void **state)
{
    uint64_t woken_us;
    struct vrrp_machine machine = woken(&woken_us);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, woken_us + DEAD_US - 1).set, 0);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, woken_us + DEAD_US).set, ACTIVE_NOW);
}

static void an_overslept_owner_drops_its_addresses_when_it_hears_another(void **state)
{
    uint64_t woken_us;
    struct vrrp_machine machine = woken(&woken_us);
    struct vrrp_actions actions = advert(&machine, 9, 1, woken_us + 1000);
    assert_int_equal(actions.set, VRRP_ACTION_REMOVE_ADDRESSES);
    assert_int_equal(advert(&machine, 9, 1, woken_us + 2000).set, 0);
}

static void an_advert_that_wakes_an_overslept_owner_is_followed(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t woken_us = machine.deadline_us + 2 * INTERVAL_US + 1;
    struct vrrp_actions actions = advert(&machine, 9, 1, woken_us);
    assert_int_equal(actions.set, GIVE_UP);
    assert_int_equal(actions.advert_priority, 0);
    assert_true(machine.deadline_us == woken_us + DEAD_US);
}

static void an_advert_that_this_node_read_late_does_not(void **state)
{
    struct vrrp_machine machine = following(200);
    uint32_t before_us = vrrp_machine_dead_time_us(&machine);
    const struct vrrp_event late = {.kind = VRRP_EVENT_ADVERT,
                                    .source = node(9),
                                    .priority = 200,
                                    .interval_us = INTERVAL_US,
                                    .arrived_us = START_US + 90000};
    vrrp_machine_step(&machine, &late, START_US + 150000);
    assert_int_equal(vrrp_machine_dead_time_us(&machine), before_us);
    assert_true(machine.deadline_us == START_US + 150000 + before_us);
}

static void a_late_advert_makes_the_dead_time_longer(void **state)
{
    struct vrrp_machine machine = following(200);
    advert(&machine, 9, 200, START_US + 150000);
    assert_int_equal(vrrp_machine_dead_time_us(&machine),
                     600000 < DEAD_TIME_GAP_LIMIT_US ? 600000 : DEAD_TIME_GAP_LIMIT_US);
    assert_true(machine.deadline_us == START_US + 150000 + vrrp_machine_dead_time_us(&machine));
}

static void a_node_that_was_alive_after_all_doubles_the_dead_time(void **state)
{
    struct vrrp_machine machine = following(PRIORITY);
    uint64_t taken_us = machine.deadline_us;
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, taken_us).set, ACTIVE_NOW);
    struct vrrp_actions actions = advert(&machine, 9, 0, taken_us + 50000);
    assert_true(actions.set & VRRP_ACTION_FALSE_TAKEOVER);
    assert_int_equal(vrrp_machine_dead_time_us(&machine), 2 * DEAD_US);
}

static struct vrrp_actions hand_over(struct vrrp_machine *machine, uint8_t to, uint64_t now_us)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_HAND_OVER, .source = node(to)};
    return vrrp_machine_step(machine, &event, now_us);
}

static void a_hand_over_asks_and_keeps_the_addresses_until_somebody_took_over(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US + 1000;
    struct ip_address to = node(9);
    struct vrrp_actions actions = hand_over(&machine, 9, now_us);
    assert_int_equal(actions.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_REASSURE);
    assert_int_equal(actions.advert_priority, 0);
    assert_true(ip_address_equal(&actions.advert_to, &to));
    assert_int_equal(machine.state, VRRP_ACTIVE);
    actions = advert(&machine, 9, 1, now_us + 70000); /* whatever its priority */
    assert_int_equal(actions.set, VRRP_ACTION_STATE_CHANGED);
    assert_int_equal(machine.state, VRRP_BACKUP);
}

static void after_the_grace_the_addresses_go_and_the_new_owner_is_told(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US + 1000;
    hand_over(&machine, 9, now_us);
    advert(&machine, 9, 1, now_us);
    for (uint64_t us = INTERVAL_US; us < VRRP_GRACE_US; us += INTERVAL_US)
        assert_int_equal(advert(&machine, 9, 1, now_us + us).set, 0);
    assert_true(vrrp_machine_due_us(&machine) == now_us + VRRP_GRACE_US);
    struct vrrp_actions actions = give(&machine, VRRP_EVENT_TIMER, now_us + VRRP_GRACE_US);
    assert_int_equal(actions.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_REMOVE_ADDRESSES);
    assert_int_equal(actions.advert_priority, 0);
}

static void a_hand_over_that_nobody_takes_is_given_up(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US + 1000;
    hand_over(&machine, 9, now_us);
    struct vrrp_actions again = give(&machine, VRRP_EVENT_TIMER, now_us + INTERVAL_US);
    assert_int_equal(again.set, VRRP_ACTION_SEND_ADVERT);
    assert_int_equal(again.advert_priority, 0);
    struct vrrp_actions end = give(&machine, VRRP_EVENT_TIMER, now_us + 2 * INTERVAL_US);
    assert_int_equal(end.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_NO_TAKER);
    assert_int_equal(end.advert_priority, PRIORITY);
    assert_int_equal(machine.state, VRRP_ACTIVE);
}

/* Or the peers that are not asked would take the silence for its death. */
static void a_hand_over_that_is_asked_for_again_is_no_longer_silence(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US + 1000;
    hand_over(&machine, 9, now_us);
    assert_int_equal(hand_over(&machine, 9, now_us + INTERVAL_US / 2).set, 0);
    assert_true(machine.hand_over_until_us ==
                now_us + VRRP_HAND_OVER_INTERVALS * (uint64_t)INTERVAL_US);
    assert_true(vrrp_machine_due_us(&machine) == now_us + INTERVAL_US);
}

/* Of priority 254 they wait for three intervals and next to nothing more. */
static void those_that_are_not_asked_hear_an_advert_before_the_silence(void **state)
{
    struct vrrp_machine asked_one = in_state(VRRP_ACTIVE), asked_all = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US + INTERVAL_US - 1000;
    struct vrrp_event at_large = {.kind = VRRP_EVENT_HAND_OVER};
    assert_true(hand_over(&asked_one, 9, now_us).set & VRRP_ACTION_REASSURE);
    give(&asked_one, VRRP_EVENT_TIMER, now_us + INTERVAL_US);
    struct vrrp_actions end = give(&asked_one, VRRP_EVENT_TIMER, now_us + 2 * INTERVAL_US);
    assert_int_equal(end.advert_to.family, 0);
    assert_int_equal(end.advert_priority, PRIORITY);
    /* All hear what everybody is asked; a regular advert would only put it off. */
    assert_false(vrrp_machine_step(&asked_all, &at_large, now_us).set & VRRP_ACTION_REASSURE);
}

/* Both sides of it: whoever preempts hands segments on that only the old owner knows, and that
 * one goes on answering what it has begun. */
static void among_nodes_a_preemption_is_like_a_planned_switch(void **state)
{
    struct vrrp_machine taker = following(50), owner = in_state(VRRP_ACTIVE);
    struct ip_address old = node(9);
    uint64_t now_us = START_US + LISTEN_US;
    taker.settings.preempt = taker.settings.strict = owner.settings.strict = true;
    advert(&taker, 9, 50, START_US + DEAD_US - INTERVAL_US);
    give(&taker, VRRP_EVENT_TIMER, START_US + DEAD_US);
    assert_int_equal(taker.state, VRRP_ACTIVE);
    assert_true(ip_address_equal(&taker.resigned, &old));
    advert(&owner, 9, PRIORITY + 1, now_us);
    struct vrrp_actions last = advert(&owner, 9, PRIORITY + 1, now_us + INTERVAL_US);
    assert_int_equal(last.set, VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_STATE_CHANGED);
    assert_int_equal(owner.state, VRRP_BACKUP);
    assert_int_equal(owner.linger, VRRP_LINGER_GRACE);
    assert_false(owner.handed_over);
}

static void a_node_that_handed_over_does_not_preempt(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    uint64_t now_us = START_US + LISTEN_US + 1000;
    machine.settings.preempt = true;
    hand_over(&machine, 9, now_us);
    advert(&machine, 9, 1, now_us);
    advert(&machine, 9, 1, now_us + INTERVAL_US);
    assert_true(machine.deadline_us ==
                now_us + INTERVAL_US + vrrp_machine_dead_time_us(&machine));
}

/* Whoever floods an owner with adverts of a low priority gets a few answers and does not keep
 * it from its own regular adverts. */
static void a_flood_of_adverts_is_answered_a_few_times_an_interval(void **state)
{
    static const uint8_t priorities[] = {PRIORITY - 1, 0};
    for (size_t i = 0; i < ARRAY_LENGTH(priorities); i++) {
        struct vrrp_machine machine = in_state(VRRP_ACTIVE);
        uint64_t now_us = START_US + LISTEN_US, end_us = now_us + 10 * INTERVAL_US;
        unsigned sent = 0;
        for (; now_us < end_us; now_us += 100) {
            sent +=
                (advert(&machine, 9, priorities[i], now_us).set & VRRP_ACTION_SEND_ADVERT) != 0;
            if (now_us >= vrrp_machine_due_us(&machine))
                sent += (give(&machine, VRRP_EVENT_TIMER, now_us).set &
                         VRRP_ACTION_SEND_ADVERT) != 0;
        }
        assert_in_range(sent, 10, 10 * (VRRP_ANSWERS_MAXIMUM + 1));
        assert_int_equal(machine.state, VRRP_ACTIVE);
    }
}

static void a_repeated_resignation_does_not_put_the_takeover_off(void **state)
{
    struct vrrp_machine machine = following(200);
    advert(&machine, 9, 0, START_US + 1000);
    advert(&machine, 9, 0, START_US + 30000);
    assert_true(machine.deadline_us == START_US + 1000 + SKEW_US);
}

static void a_demoted_node_stays_backup_for_the_hold(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    struct vrrp_event demote = {.kind = VRRP_EVENT_DEMOTE, .hold_us = 1000000};
    uint64_t now_us = START_US + LISTEN_US + 1000;
    assert_int_equal(vrrp_machine_step(&machine, &demote, now_us).set, GIVE_UP);
    assert_int_equal(machine.state, VRRP_BACKUP);
    assert_true(machine.deadline_us == now_us + 1000000);
    vrrp_machine_step(&machine, &demote, now_us + 500000);
    assert_true(machine.deadline_us == now_us + 1500000);
}

static void the_end_of_a_demotion_leaves_the_ordinary_dead_time(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    struct vrrp_event demote = {.kind = VRRP_EVENT_DEMOTE, .hold_us = 1000000};
    uint64_t now_us = START_US + LISTEN_US + 1000;
    vrrp_machine_step(&machine, &demote, now_us);
    give(&machine, VRRP_EVENT_RELEASE, now_us + 1000);
    assert_true(machine.deadline_us == now_us + 1000 + vrrp_machine_dead_time_us(&machine));
}

static void the_owner_of_the_other_family_is_before_the_others(void **state)
{
    struct vrrp_machine_settings settings = in_state(VRRP_INITIALIZE).settings;
    struct vrrp_event eligible = {.kind = VRRP_EVENT_ELIGIBLE, .sibling_active = true};
    struct vrrp_machine machine;
    vrrp_machine_init(&machine, &settings, START_US);
    vrrp_machine_step(&machine, &eligible, START_US);
    assert_true(machine.deadline_us < START_US + VRRP_LISTEN_MINIMUM_US);
    assert_true(machine.deadline_us >= START_US + vrrp_machine_dead_time_us(&machine));
    machine = in_state(VRRP_FAULT); /* somebody may have it, and our link was away */
    vrrp_machine_step(&machine, &eligible, START_US);
    assert_true(machine.deadline_us >= START_US + VRRP_LISTEN_MINIMUM_US);
}

static void a_release_cuts_no_first_listening_short(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    uint64_t deadline_us = machine.deadline_us;
    give(&machine, VRRP_EVENT_RELEASE, START_US + 1000);
    assert_true(machine.deadline_us == deadline_us);
}

static void a_backup_that_hears_the_owner_goes_by_its_adverts(void **state)
{
    struct vrrp_machine machine = following(200);
    struct vrrp_event demote = {.kind = VRRP_EVENT_DEMOTE, .hold_us = 1000000};
    uint64_t deadline_us = machine.deadline_us;
    vrrp_machine_step(&machine, &demote, START_US + 2000);
    assert_true(machine.deadline_us == deadline_us);
}

static void an_owner_that_is_late_by_two_intervals_goes_on(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_ACTIVE);
    assert_int_equal(
        give(&machine, VRRP_EVENT_TIMER, machine.deadline_us + 2 * INTERVAL_US).set,
        VRRP_ACTION_SEND_ADVERT);
}

static void a_backup_that_overslept_listens_again(void **state)
{
    struct vrrp_machine machine = following(200);
    uint64_t woken_us = machine.deadline_us + DEAD_US + 1;
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, woken_us).set, 0);
    assert_true(machine.deadline_us == woken_us + DEAD_US);
    assert_int_equal(give(&machine, VRRP_EVENT_TIMER, woken_us + DEAD_US).set, ACTIVE_NOW);
}

static void a_restarted_owner_continues_in_place(void **state)
{
    struct vrrp_machine machine = fresh();
    struct vrrp_event event = {.kind = VRRP_EVENT_RESUME, .resume_state = VRRP_ACTIVE};
    assert_int_equal(vrrp_machine_step(&machine, &event, START_US).set, ACTIVE_NOW);
    assert_int_equal(give(&machine, VRRP_EVENT_ELIGIBLE, START_US).set, 0);
}

static void a_restarted_backup_waits_one_dead_time(void **state)
{
    struct vrrp_machine machine = fresh();
    struct vrrp_event event = {.kind = VRRP_EVENT_RESUME,
                               .resume_state = VRRP_BACKUP,
                               .resume_active_address = node(9)};
    struct ip_address active = node(9);
    vrrp_machine_step(&machine, &event, START_US);
    assert_int_equal(machine.state, VRRP_BACKUP);
    assert_true(machine.deadline_us == START_US + DEAD_US);
    assert_true(ip_address_equal(&machine.active_address, &active));
}

static void the_tie_delay_comes_on_top_of_the_dead_time(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    machine.settings.tie_delay_us = 12500;
    advert(&machine, 9, 200, START_US);
    assert_true(machine.deadline_us == START_US + DEAD_US + 12500);
}

static void outside_the_election_adverts_tell_who_is_active(void **state)
{
    struct vrrp_machine machine = in_state(VRRP_FAULT);
    struct ip_address active = node(9);
    advert(&machine, 9, 200, START_US);
    assert_true(ip_address_equal(&machine.active_address, &active));
    advert(&machine, 9, 0, START_US);
    assert_int_equal(machine.active_address.family, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_takes_every_event_as_the_table_says),
        cmocka_unit_test(a_node_that_was_preempted_is_no_false_takeover),
        cmocka_unit_test(adverts_of_the_dead_that_waited_in_a_queue_take_nothing_away),
        cmocka_unit_test(an_active_node_gives_way_to_a_better_one_that_goes_on_speaking),
        cmocka_unit_test(a_rival_of_another_interval_is_given_way_to),
        cmocka_unit_test(preemption_waits_for_its_delay),
        cmocka_unit_test(a_resignation_of_somebody_else_changes_nothing),
        cmocka_unit_test(a_node_that_yields_takes_over_again_when_nobody_does),
        cmocka_unit_test(an_active_node_that_overslept_listens_first),
        cmocka_unit_test(an_advert_that_wakes_an_overslept_owner_is_followed),
        cmocka_unit_test(an_overslept_owner_drops_its_addresses_when_it_hears_another),
        cmocka_unit_test(an_advert_that_this_node_read_late_does_not),
        cmocka_unit_test(a_late_advert_makes_the_dead_time_longer),
        cmocka_unit_test(a_node_that_was_alive_after_all_doubles_the_dead_time),
        cmocka_unit_test(a_hand_over_asks_and_keeps_the_addresses_until_somebody_took_over),
        cmocka_unit_test(after_the_grace_the_addresses_go_and_the_new_owner_is_told),
        cmocka_unit_test(a_hand_over_that_nobody_takes_is_given_up),
        cmocka_unit_test(those_that_are_not_asked_hear_an_advert_before_the_silence),
        cmocka_unit_test(a_hand_over_that_is_asked_for_again_is_no_longer_silence),
        cmocka_unit_test(among_nodes_a_preemption_is_like_a_planned_switch),
        cmocka_unit_test(a_node_that_handed_over_does_not_preempt),
        cmocka_unit_test(a_flood_of_adverts_is_answered_a_few_times_an_interval),
        cmocka_unit_test(a_repeated_resignation_does_not_put_the_takeover_off),
        cmocka_unit_test(a_demoted_node_stays_backup_for_the_hold),
        cmocka_unit_test(the_end_of_a_demotion_leaves_the_ordinary_dead_time),
        cmocka_unit_test(the_owner_of_the_other_family_is_before_the_others),
        cmocka_unit_test(a_release_cuts_no_first_listening_short),
        cmocka_unit_test(a_backup_that_hears_the_owner_goes_by_its_adverts),
        cmocka_unit_test(an_owner_that_is_late_by_two_intervals_goes_on),
        cmocka_unit_test(a_backup_that_overslept_listens_again),
        cmocka_unit_test(a_restarted_owner_continues_in_place),
        cmocka_unit_test(a_restarted_backup_waits_one_dead_time),
        cmocka_unit_test(the_tie_delay_comes_on_top_of_the_dead_time),
        cmocka_unit_test(outside_the_election_adverts_tell_who_is_active),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

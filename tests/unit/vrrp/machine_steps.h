/* A machine in a state, and events for it: node 5 of priority 100 among nodes 192.0.2.N. */
#ifndef TESTS_UNIT_VRRP_MACHINE_STEPS_H
#define TESTS_UNIT_VRRP_MACHINE_STEPS_H

#include "lbnode/base/bytes.h"
#include "tests/support/test.h"
#include "vrrp/vrrp_machine.h"

enum {
    ACTIVE_NOW = VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_ADD_ADDRESSES | VRRP_ACTION_ANNOUNCE |
                 VRRP_ACTION_STATE_CHANGED,
    GIVE_UP =
        VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_REMOVE_ADDRESSES | VRRP_ACTION_STATE_CHANGED,
    LISTEN = VRRP_ACTION_GREET | VRRP_ACTION_STATE_CHANGED,
    INTERVAL_US = 100000,
    PRIORITY = 100,
    SKEW_US = 60937, /* 156 / 256 of the interval */
    DEAD_US = 3 * INTERVAL_US + SKEW_US,
    LISTEN_US = VRRP_LISTEN_MINIMUM_US + SKEW_US,
    START_US = 5000000,
};

static inline struct ip_address node(uint8_t number)
{
    return (struct ip_address){4, {192, 0, 2, number}};
}

/* Node 5 of priority 100, without preemption, in INITIALIZE. */
static inline struct vrrp_machine fresh(void)
{
    struct vrrp_machine machine;
    struct vrrp_machine_settings settings = {
        .priority = PRIORITY, .advert_interval_us = INTERVAL_US, .own_address = node(5)};
    vrrp_machine_init(&machine, &settings, START_US);
    return machine;
}

static inline struct vrrp_actions
give(struct vrrp_machine *machine, enum vrrp_event_kind kind, uint64_t now_us)
{
    struct vrrp_event event = {.kind = kind};
    return vrrp_machine_step(machine, &event, now_us);
}

static inline struct vrrp_actions
advert(struct vrrp_machine *machine, uint8_t from, uint8_t priority, uint64_t now_us)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_ADVERT,
                               .source = node(from),
                               .priority = priority,
                               .interval_us = INTERVAL_US};
    return vrrp_machine_step(machine, &event, now_us);
}

static inline struct vrrp_machine in_state(enum vrrp_state wanted)
{
    struct vrrp_machine machine = fresh();
    if (wanted == VRRP_FAULT)
        give(&machine, VRRP_EVENT_INELIGIBLE, START_US);
    if (wanted == VRRP_BACKUP || wanted == VRRP_ACTIVE)
        give(&machine, VRRP_EVENT_ELIGIBLE, START_US);
    if (wanted == VRRP_ACTIVE)
        give(&machine, VRRP_EVENT_TIMER, START_US + LISTEN_US);
    assert_int_equal(machine.state, wanted);
    return machine;
}

/* A backup that follows node 9, of priority FOLLOWED, since START_US. */
static inline struct vrrp_machine following(uint8_t followed)
{
    struct vrrp_machine machine = in_state(VRRP_BACKUP);
    advert(&machine, 9, followed, START_US);
    return machine;
}

#endif

/* Bytes as a history of one virtual router: settings first, then events, each with the time
 * that has passed. What must hold after every step is asserted here. */
#include "lbnode/base/bytes.h"
#include "vrrp/vrrp_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    EVENT_SIZE = 6, /* kind, source, priority, interval, time: mantissa and exponent */
    SETTINGS_SIZE = 5,
    STEPS_MAXIMUM = 4000,
    CHANGE_OF_SETTINGS = VRRP_EVENT_COUNT, /* a further kind */
    KINDS,
    ALL_ACTIONS = 2 * VRRP_ACTION_REASSURE - 1,
    HOLD_US = 1000000,
};

#define EXPECT(condition)                                                                      \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "does not hold: %s\n", #condition);                                \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

struct history {
    struct vrrp_machine machine;
    uint64_t now_us;
    bool holds; /* the addresses, as the actions say */
};

static struct ip_address source_of(uint8_t byte)
{
    return byte % 2 ? (struct ip_address){6, {0xfe, 0x80, [15] = byte % 8}}
                    : (struct ip_address){4, {192, 0, 2, byte % 8}};
}

/* 10 ms to 40.95 s, mostly short. */
static uint32_t interval_of(uint8_t byte)
{
    return byte < 128 ? 10000u * (1u + byte % 16u) : 10000u * (1u + (byte - 128u) * 32u);
}

static void take_settings(struct vrrp_machine_settings *settings, const uint8_t *bytes)
{
    settings->priority = (uint8_t)(1 + bytes[0] % 254);
    settings->preempt = bytes[1] & 1;
    settings->preempt_delay_us = bytes[1] & 2 ? bytes[2] * UINT64_C(1000000) : 0;
    settings->advert_interval_us = interval_of(bytes[3]);
    settings->tie_delay_us = (bytes[1] >> 2) % 9 * (settings->advert_interval_us / 8);
    settings->own_address = source_of(bytes[4]);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Nobody may wait for longer than what the limits of adaptation, listening and holding back
 * allow. The settings of the moment may be smaller than those of the last step. */
static void check_deadline(const struct history *history)
{
    enum {
        LONGEST_INTERVAL_US = 40950000
    };
    const struct vrrp_machine *machine = &history->machine;
    uint64_t longest_us = (UINT64_C(4) * LONGEST_INTERVAL_US << DEAD_TIME_DOUBLINGS) +
                          VRRP_LISTEN_MINIMUM_US + LONGEST_INTERVAL_US + HOLD_US;
    bool waits = machine->state == VRRP_BACKUP || machine->state == VRRP_ACTIVE;
    EXPECT(waits == (machine->deadline_us != VRRP_NO_DEADLINE));
    EXPECT(!waits || machine->deadline_us <= history->now_us + longest_us);
    uint64_t standard_us = vrrp_machine_standard_us(machine);
    uint64_t dead_us = dead_time_us(&machine->dead_time, (uint32_t)standard_us);
    EXPECT(dead_us >= standard_us);
    EXPECT(dead_us <= later(standard_us, DEAD_TIME_GAP_LIMIT_US) << DEAD_TIME_DOUBLINGS);
}

static void check_actions(struct history *history,
                          enum vrrp_state before,
                          const struct vrrp_event *event,
                          struct vrrp_actions actions)
{
    const struct vrrp_machine *machine = &history->machine;
    bool was_active = before == VRRP_ACTIVE, is_active = machine->state == VRRP_ACTIVE;
    unsigned both = VRRP_ACTION_ADD_ADDRESSES | VRRP_ACTION_REMOVE_ADDRESSES;
    unsigned claims =
        VRRP_ACTION_ADD_ADDRESSES | VRRP_ACTION_ANNOUNCE | VRRP_ACTION_SEND_ADVERT;
    EXPECT((actions.set & ~(unsigned)ALL_ACTIONS) == 0);
    EXPECT((actions.set & both) != both);
    EXPECT(before == machine->state || (actions.set & VRRP_ACTION_STATE_CHANGED));
    if (!was_active && is_active)
        EXPECT((actions.set & claims) == claims &&
               actions.advert_priority == machine->settings.priority);
    /* Only an owner claims the addresses, with an advert or an announcement. */
    if (actions.set & (VRRP_ACTION_ADD_ADDRESSES | VRRP_ACTION_ANNOUNCE))
        EXPECT(is_active);
    if ((actions.set & VRRP_ACTION_SEND_ADVERT) && actions.advert_priority)
        EXPECT((was_active || is_active) &&
               actions.advert_priority == machine->settings.priority);
    if (actions.set & both)
        history->holds = actions.set & VRRP_ACTION_ADD_ADDRESSES;
    EXPECT(history->holds == (is_active || machine->linger != VRRP_LINGER_NONE));
    EXPECT(is_active || machine->hand_over_until_us == 0);
    EXPECT(machine->state < VRRP_FAULT + 1);
    /* A timer that has run is not due again at once: no busy loop. */
    if (event->kind == VRRP_EVENT_TIMER)
        EXPECT(vrrp_machine_due_us(machine) > history->now_us);
}

static void do_step(struct history *history, const uint8_t *bytes)
{
    struct vrrp_machine *machine = &history->machine;
    enum vrrp_state before = machine->state;
    unsigned kind = bytes[0] % KINDS;
    struct vrrp_event event = {
        .kind = (enum vrrp_event_kind)(kind % VRRP_EVENT_COUNT),
        .source = source_of(bytes[1]),
        .priority = bytes[2],
        .interval_us = interval_of(bytes[3]),
        .hold_us = HOLD_US,
        .resume_state = (enum vrrp_state)(bytes[2] % 4),
        .resume_active_address = source_of(bytes[1]),
    };
    history->now_us += (uint64_t)bytes[4] << bytes[5] % 25;
    if (kind == CHANGE_OF_SETTINGS) {
        struct ip_address own_address = machine->settings.own_address;
        take_settings(&machine->settings, bytes + 1);
        machine->settings.own_address = own_address;
        return;
    }
    /* Timers mostly run when they are due. */
    uint64_t due_us = vrrp_machine_due_us(machine);
    if (event.kind == VRRP_EVENT_TIMER && due_us != VRRP_NO_DEADLINE && bytes[1] & 1)
        history->now_us = later(history->now_us, due_us);
    struct vrrp_machine kept = *machine;
    struct vrrp_actions actions = vrrp_machine_step(machine, &event, history->now_us);
    if (event.kind == VRRP_EVENT_ADVERT &&
        ip_address_equal(&event.source, &machine->settings.own_address))
        EXPECT(actions.set == 0 && memcmp(&kept, machine, sizeof(kept)) == 0);
    check_actions(history, before, &event, actions);
    check_deadline(history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct history history = {.now_us = 1000000};
    struct vrrp_machine_settings settings = {0};
    if (size < SETTINGS_SIZE)
        return 0;
    take_settings(&settings, data);
    vrrp_machine_init(&history.machine, &settings, history.now_us);
    size_t at = SETTINGS_SIZE;
    for (int i = 0; i < STEPS_MAXIMUM && at + EVENT_SIZE <= size; i++, at += EVENT_SIZE)
        do_step(&history, data + at);
    return 0;
}

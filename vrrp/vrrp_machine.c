#include "vrrp/vrrp_machine.h"

#include "lbnode/base/bytes.h"

typedef struct vrrp_actions (*handler)(struct vrrp_machine *machine,
                                       const struct vrrp_event *event,
                                       uint64_t now_us);

static const struct vrrp_actions nothing;

enum {
    RIVAL_INTERVALS = 4 /* so long an advert of a better node is remembered */
};

uint32_t vrrp_skew_us(uint8_t priority, uint32_t interval_us)
{
    return (uint32_t)((uint64_t)(256 - priority) * interval_us / 256);
}

uint32_t vrrp_machine_standard_us(const struct vrrp_machine *machine)
{
    uint32_t interval_us = machine->active_interval_us;
    return 3 * interval_us + vrrp_skew_us(machine->settings.priority, interval_us);
}

uint32_t vrrp_machine_dead_time_us(const struct vrrp_machine *machine)
{
    return dead_time_us(&machine->dead_time, vrrp_machine_standard_us(machine)) +
           machine->settings.tie_delay_us;
}

uint64_t vrrp_machine_due_us(const struct vrrp_machine *machine)
{
    bool grace = machine->linger == VRRP_LINGER_GRACE;
    return grace && machine->linger_until_us < machine->deadline_us ? machine->linger_until_us
                                                                    : machine->deadline_us;
}

uint32_t vrrp_machine_listen_time_us(const struct vrrp_machine *machine)
{
    uint32_t interval_us = machine->active_interval_us;
    uint32_t quiet_us =
        3 * interval_us > VRRP_LISTEN_MINIMUM_US ? 3 * interval_us : VRRP_LISTEN_MINIMUM_US;
    return quiet_us + vrrp_skew_us(machine->settings.priority, interval_us) +
           machine->settings.tie_delay_us;
}

void vrrp_machine_init(struct vrrp_machine *machine,
                       const struct vrrp_machine_settings *settings,
                       uint64_t now_us)
{
    *machine = (struct vrrp_machine){
        .settings = *settings,
        .state = VRRP_INITIALIZE,
        .deadline_us = VRRP_NO_DEADLINE,
        .since_us = now_us,
        .active_interval_us = settings->advert_interval_us,
    };
}

static unsigned enter(struct vrrp_machine *machine, enum vrrp_state state, uint64_t now_us)
{
    machine->state = state;
    machine->preempting = false;
    machine->answers = 0;
    machine->since_us = now_us;
    machine->hand_over_until_us = 0;
    machine->demoted = false;
    dead_time_interrupt(&machine->dead_time);
    return VRRP_ACTION_STATE_CHANGED;
}

/* Addresses that only lingered go now. */
static unsigned end_linger(struct vrrp_machine *machine)
{
    bool lingered = machine->linger != VRRP_LINGER_NONE;
    machine->linger = VRRP_LINGER_NONE;
    return lingered ? VRRP_ACTION_REMOVE_ADDRESSES : 0;
}

static void listen_dead_time(struct vrrp_machine *machine, uint64_t now_us)
{
    machine->deadline_us = now_us + vrrp_machine_dead_time_us(machine);
}

/* What kept this process from reading it says nothing about the other node. */
static uint64_t arrival_us(const struct vrrp_event *advert, uint64_t now_us)
{
    return advert->arrived_us && advert->arrived_us < now_us ? advert->arrived_us : now_us;
}

static void follow(struct vrrp_machine *machine, const struct vrrp_event *advert, uint64_t now)
{
    if (!ip_address_equal(&machine->active_address, &advert->source))
        dead_time_interrupt(&machine->dead_time);
    machine->resigned = (struct ip_address){0};
    machine->preempting = false;
    machine->demoted = false;
    machine->active_interval_us = advert->interval_us;
    machine->active_address = advert->source;
    dead_time_arrival(&machine->dead_time, vrrp_machine_standard_us(machine),
                      arrival_us(advert, now));
    listen_dead_time(machine, now);
}

static struct vrrp_actions advertise(struct vrrp_machine *machine, uint64_t now_us)
{
    machine->deadline_us = now_us + machine->settings.advert_interval_us;
    return (struct vrrp_actions){.set = VRRP_ACTION_SEND_ADVERT,
                                 .advert_priority = machine->settings.priority};
}

static struct vrrp_actions take_over(struct vrrp_machine *machine, uint64_t now_us)
{
    machine->active_interval_us = machine->settings.advert_interval_us;
    machine->active_address = machine->settings.own_address;
    machine->became_active_count++;
    machine->linger = VRRP_LINGER_NONE;
    machine->handed_over = false;
    struct vrrp_actions actions = advertise(machine, now_us);
    actions.set |=
        VRRP_ACTION_ADD_ADDRESSES | VRRP_ACTION_ANNOUNCE | enter(machine, VRRP_ACTIVE, now_us);
    return actions;
}

/* Steps down without having heard a better node. */
static struct vrrp_actions
give_up(struct vrrp_machine *machine, enum vrrp_state state, uint64_t now_us)
{
    machine->active_address = (struct ip_address){0};
    machine->deadline_us = VRRP_NO_DEADLINE;
    return (struct vrrp_actions){.set = VRRP_ACTION_SEND_ADVERT | VRRP_ACTION_REMOVE_ADDRESSES |
                                        enter(machine, state, now_us)};
}

/* The owner of the other family has a working link already, and should be the owner of this
 * one: it is before the others. */
static uint32_t first_listening_us(const struct vrrp_machine *machine,
                                   const struct vrrp_event *event)
{
    uint32_t dead_us = vrrp_machine_dead_time_us(machine);
    if (!event->sibling_active || machine->state != VRRP_INITIALIZE)
        return vrrp_machine_listen_time_us(machine);
    return dead_us > VRRP_LISTEN_SIBLING_US ? dead_us : VRRP_LISTEN_SIBLING_US;
}

static struct vrrp_actions
any_eligible(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    machine->active_interval_us = machine->settings.advert_interval_us;
    machine->deadline_us = now_us + first_listening_us(machine, event);
    return (struct vrrp_actions){.set =
                                     VRRP_ACTION_GREET | enter(machine, VRRP_BACKUP, now_us)};
}

static struct vrrp_actions
any_ineligible(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    machine->deadline_us = VRRP_NO_DEADLINE;
    return (struct vrrp_actions){.set =
                                     end_linger(machine) | enter(machine, VRRP_FAULT, now_us)};
}

static struct vrrp_actions
any_stop(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    machine->deadline_us = VRRP_NO_DEADLINE;
    return (struct vrrp_actions){.set = end_linger(machine) |
                                        enter(machine, VRRP_INITIALIZE, now_us)};
}

/* Outside the election adverts only tell people who is active. */
static struct vrrp_actions
outside_advert(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    machine->active_address = event->priority ? event->source : (struct ip_address){0};
    return nothing;
}

static struct vrrp_actions
initialize_resume(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    machine->active_address = event->resume_active_address;
    if (event->resume_state == VRRP_ACTIVE)
        return take_over(machine, now_us);
    if (event->resume_state != VRRP_BACKUP)
        return nothing;
    listen_dead_time(machine, now_us);
    return (struct vrrp_actions){.set =
                                     VRRP_ACTION_GREET | enter(machine, VRRP_BACKUP, now_us)};
}

/* A timer that comes later than a whole dead time means that we were not running: what the
 * peers said meanwhile may be lost, so listen again instead of taking over. */
static struct vrrp_actions
backup_timer(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    if (now_us < machine->deadline_us)
        return nothing;
    if (now_us - machine->deadline_us > vrrp_machine_dead_time_us(machine)) {
        dead_time_interrupt(&machine->dead_time);
        listen_dead_time(machine, now_us);
        return nothing;
    }
    if (!machine->preempting) /* else it has not been silent */
        dead_time_expired(&machine->dead_time, &machine->active_address, now_us);
    return take_over(machine, now_us);
}

static bool may_preempt(const struct vrrp_machine *machine, uint64_t now_us)
{
    return machine->settings.preempt && !machine->handed_over &&
           now_us - machine->since_us >= machine->settings.preempt_delay_us;
}

/* A resignation counts only from the node that we follow: another one that gives up (the loser
 * of a double ownership) changes nothing. Repeated, it does not put the end off. */
static void
hear_resignation(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    bool known = machine->active_address.family != 0;
    uint64_t end_us = now_us + machine->settings.tie_delay_us +
                      vrrp_skew_us(machine->settings.priority, machine->active_interval_us);
    if (known && !ip_address_equal(&machine->active_address, &event->source))
        return;
    machine->resigned = event->source;
    machine->active_address = (struct ip_address){0};
    dead_time_interrupt(&machine->dead_time);
    if (known || end_us < machine->deadline_us)
        machine->deadline_us = end_us;
}

static struct vrrp_actions
backup_advert(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    struct vrrp_actions actions = nothing;
    if (event->priority == 0) {
        hear_resignation(machine, event, now_us);
        return actions;
    }
    if (machine->linger == VRRP_LINGER_UNHEARD)
        actions.set = end_linger(machine);
    machine->preempting =
        event->priority < machine->settings.priority && may_preempt(machine, now_us);
    if (!machine->preempting)
        follow(machine, event, now_us);
    else if (machine->settings.strict)
        machine->resigned = event->source;
    return actions;
}

static struct vrrp_actions
backup_demote(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    if (machine->active_address.family)
        return nothing;
    machine->demoted = true;
    if (machine->deadline_us < now_us + event->hold_us)
        machine->deadline_us = now_us + event->hold_us;
    return (struct vrrp_actions){.set = end_linger(machine)};
}

static struct vrrp_actions
backup_release(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    uint64_t end_us = now_us + vrrp_machine_dead_time_us(machine);
    if (machine->demoted && end_us < machine->deadline_us)
        machine->deadline_us = end_us;
    machine->demoted = false;
    return nothing;
}

/* ---- active ----------------------------------------------------------------------------- */

/* While nobody has taken over yet: silent but for the resignation, which may have been lost. */
static struct vrrp_actions ask_for_taker(struct vrrp_machine *machine, uint64_t now_us)
{
    machine->deadline_us = now_us + machine->settings.advert_interval_us;
    return (struct vrrp_actions){.set = VRRP_ACTION_SEND_ADVERT,
                                 .advert_to = machine->hand_over_to};
}

static struct vrrp_actions
active_hand_over(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    if (machine->hand_over_until_us)
        return nothing;
    machine->hand_over_to = event->source;
    machine->hand_over_until_us =
        now_us + VRRP_HAND_OVER_INTERVALS * (uint64_t)machine->settings.advert_interval_us;
    struct vrrp_actions actions = ask_for_taker(machine, now_us);
    if (event->source.family) /* the others' last advert may be a whole interval old */
        actions.set |= VRRP_ACTION_REASSURE;
    return actions;
}

static struct vrrp_actions
active_timer(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    if (now_us < machine->deadline_us)
        return nothing;
    if (now_us < machine->hand_over_until_us)
        return ask_for_taker(machine, now_us);
    struct vrrp_actions actions = advertise(machine, now_us);
    machine->answers = 0;
    if (machine->hand_over_until_us)
        actions.set |= VRRP_ACTION_NO_TAKER;
    machine->hand_over_until_us = 0;
    return actions;
}

/* A peer is active now: its announcement is on its way, and what we have begun ends here. */
static unsigned
let_go(struct vrrp_machine *machine, const struct vrrp_event *advert, uint64_t now_us)
{
    unsigned actions = enter(machine, VRRP_BACKUP, now_us);
    machine->linger = VRRP_LINGER_GRACE;
    machine->linger_until_us = now_us + VRRP_GRACE_US;
    follow(machine, advert, now_us);
    return actions;
}

static struct vrrp_actions active_handed_over(struct vrrp_machine *machine,
                                              const struct vrrp_event *event,
                                              uint64_t now_us)
{
    if (!event->priority)
        return nothing;
    machine->handed_over = true;
    return (struct vrrp_actions){.set = let_go(machine, event, now_us)};
}

/* The better node hears once more who was active, and announces again. */
static struct vrrp_actions
give_way(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    struct vrrp_actions last = advertise(machine, now_us);
    if (machine->settings.strict && event->priority > machine->settings.priority) {
        last.set |= let_go(machine, event, now_us);
        return last;
    }
    last.set |= VRRP_ACTION_REMOVE_ADDRESSES | enter(machine, VRRP_BACKUP, now_us);
    follow(machine, event, now_us);
    return last;
}

static bool beats_us(const struct vrrp_machine *machine, const struct vrrp_event *advert)
{
    if (advert->priority != machine->settings.priority)
        return advert->priority > machine->settings.priority;
    return ip_address_compare(&advert->source, &machine->settings.own_address) > 0;
}

/* Those that waited in a queue come all at once. Who it is that is better does not matter:
 * several may be, in turns. */
static bool
is_still_there(struct vrrp_machine *machine, const struct vrrp_event *advert, uint64_t now_us)
{
    uint64_t arrived_us = arrival_us(advert, now_us);
    uint64_t memory_us = RIVAL_INTERVALS * (uint64_t)advert->interval_us;
    if (!machine->rival_us || arrived_us < machine->rival_us ||
        arrived_us - machine->rival_us > memory_us)
        machine->rival_us = arrived_us;
    return arrived_us - machine->rival_us >= advert->interval_us / 2;
}

static struct vrrp_actions
active_advert(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    if (machine->hand_over_until_us)
        return active_handed_over(machine, event, now_us);
    if (event->priority && beats_us(machine, event)) {
        bool confirmed = !machine->settings.strict || is_still_there(machine, event, now_us);
        return confirmed ? give_way(machine, event, now_us) : nothing;
    }
    if (machine->answers == VRRP_ANSWERS_MAXIMUM)
        return nothing;
    struct vrrp_actions answer = advertise(machine, now_us);
    machine->answers++;
    /* Whoever resigns has had the addresses until now. */
    answer.set |= VRRP_ACTION_ANNOUNCE;
    return answer;
}

static struct vrrp_actions
active_ineligible(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    return give_up(machine, VRRP_FAULT, now_us);
}

static struct vrrp_actions
active_stop(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    return give_up(machine, VRRP_INITIALIZE, now_us);
}

/* As a backup we wait one dead time: whoever hears the resignation is faster. */
static struct vrrp_actions
active_yield(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    if (machine->hand_over_until_us)
        return nothing;
    struct vrrp_actions actions = give_up(machine, VRRP_BACKUP, now_us);
    listen_dead_time(machine, now_us);
    return actions;
}

static struct vrrp_actions
active_demote(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    struct vrrp_actions actions = give_up(machine, VRRP_BACKUP, now_us);
    machine->deadline_us = now_us + event->hold_us;
    machine->demoted = true;
    return actions;
}

/* An absent handler: the event means nothing in that state. */
static const handler handlers[][VRRP_EVENT_COUNT] = {
    [VRRP_INITIALIZE] =
        {
            [VRRP_EVENT_ELIGIBLE] = any_eligible,
            [VRRP_EVENT_INELIGIBLE] = any_ineligible,
            [VRRP_EVENT_ADVERT] = outside_advert,
            [VRRP_EVENT_RESUME] = initialize_resume,
        },
    [VRRP_BACKUP] =
        {
            [VRRP_EVENT_INELIGIBLE] = any_ineligible,
            [VRRP_EVENT_TIMER] = backup_timer,
            [VRRP_EVENT_ADVERT] = backup_advert,
            [VRRP_EVENT_DEMOTE] = backup_demote,
            [VRRP_EVENT_RELEASE] = backup_release,
            [VRRP_EVENT_STOP] = any_stop,
        },
    [VRRP_ACTIVE] =
        {
            [VRRP_EVENT_INELIGIBLE] = active_ineligible,
            [VRRP_EVENT_TIMER] = active_timer,
            [VRRP_EVENT_ADVERT] = active_advert,
            [VRRP_EVENT_YIELD] = active_yield,
            [VRRP_EVENT_HAND_OVER] = active_hand_over,
            [VRRP_EVENT_DEMOTE] = active_demote,
            [VRRP_EVENT_STOP] = active_stop,
        },
    [VRRP_FAULT] =
        {
            [VRRP_EVENT_ELIGIBLE] = any_eligible,
            [VRRP_EVENT_ADVERT] = outside_advert,
            [VRRP_EVENT_STOP] = any_stop,
        },
};

/* Silent for more than three intervals: the least time after which a peer may have taken over.
 */
static bool overslept(const struct vrrp_machine *machine, uint64_t now_us)
{
    return machine->state == VRRP_ACTIVE && now_us > machine->deadline_us &&
           now_us - machine->deadline_us > 2 * (uint64_t)machine->settings.advert_interval_us;
}

/* It resigns, which is no claim: whoever has not noticed yet takes over at once, and whoever
 * has learns that we were alive. The addresses stay until somebody else is heard: on a node
 * that is alone, or whose peers did not notice, clients lose nothing but the time of the sleep.
 */
static struct vrrp_actions wake_up(struct vrrp_machine *machine, uint64_t now_us)
{
    machine->active_address = (struct ip_address){0};
    listen_dead_time(machine, now_us);
    machine->linger = VRRP_LINGER_UNHEARD;
    return (struct vrrp_actions){.set = VRRP_ACTION_SEND_ADVERT |
                                        enter(machine, VRRP_BACKUP, now_us)};
}

/* The end of the grace: the resignation makes the new owner announce again, for clients that
 * have been told our link address meanwhile. */
static struct vrrp_actions end_grace(struct vrrp_machine *machine)
{
    return (struct vrrp_actions){.set = VRRP_ACTION_SEND_ADVERT | end_linger(machine)};
}

struct vrrp_actions
vrrp_machine_step(struct vrrp_machine *machine, const struct vrrp_event *event, uint64_t now_us)
{
    struct vrrp_actions before = nothing;
    bool advert = event->kind == VRRP_EVENT_ADVERT;
    if (advert && ip_address_equal(&event->source, &machine->settings.own_address))
        return nothing;
    if (overslept(machine, now_us))
        before = wake_up(machine, now_us);
    if (machine->linger == VRRP_LINGER_GRACE && now_us >= machine->linger_until_us)
        before = end_grace(machine);
    if (advert && dead_time_heard(&machine->dead_time, &event->source, now_us))
        before.set |= VRRP_ACTION_FALSE_TAKEOVER;
    handler handle = handlers[machine->state][event->kind];
    struct vrrp_actions actions = handle ? handle(machine, event, now_us) : nothing;
    if (actions.set & VRRP_ACTION_ADD_ADDRESSES)
        before.set &= ~(unsigned)VRRP_ACTION_REMOVE_ADDRESSES;
    actions.set |= before.set;
    return actions;
}

/* The election of one virtual router (RFC 9568 6.4 with errata 7947-8301), pure: state, event
 * and time in, actions out; times in microseconds of one monotonic clock. One virtual router is
 * one VRRP group in one address family.
 * Beyond the RFC: a fault state for a node that cannot serve; no preemption unless asked; a
 * dead time that adapts (dead_time.h); an owner that was silent for so long that a peer may
 * have taken over listens before it speaks again; the loser of a double ownership speaks once
 * more, so that the winner notices and announces; a planned hand-over, in which the addresses
 * are on both nodes for a moment. */
#ifndef VRRP_VRRP_MACHINE_H
#define VRRP_VRRP_MACHINE_H

#include "lbnode/base/ip_address.h"
#include "lbnode/model/message.h"
#include "vrrp/dead_time.h"

#include <stdbool.h>
#include <stdint.h>

#define VRRP_NO_DEADLINE UINT64_MAX

enum {
    /* A machine that starts to listen hears nothing while its peers' kernels resolve its link
     * address, which they retry once a second: so long it stays backup at least. */
    VRRP_LISTEN_MINIMUM_US = 1000000,
    /* Unless it is new and this node is active for the other family of its group. */
    VRRP_LISTEN_SIBLING_US = 250000,
    /* After a hand-over the old owner goes on answering what it has begun. Shorter than the
     * lifetime of an address, which nobody renews meanwhile. */
    VRRP_GRACE_US = 1000000,
    /* How many intervals an owner waits for somebody to take over; fewer than the dead time of
     * those that were not asked. */
    VRRP_HAND_OVER_INTERVALS = 2,
    /* Adverts that an owner answers at once between two of its regular ones: enough for any
     * rival, and a bound for a flood. */
    VRRP_ANSWERS_MAXIMUM = 4,
};

struct vrrp_machine_settings {
    uint8_t priority; /* 1..254 */
    bool preempt;
    uint64_t preempt_delay_us;
    uint32_t advert_interval_us;
    /* Added to the dead time so that nodes of equal priority do not take over at the same
     * moment: smallest on the node whose address wins a tie. */
    uint32_t tie_delay_us;
    /* All routers are nodes. Then an active node gives way to the second advert of better ones
     * that comes half an interval of theirs later, not to the first as RFC 9568 has it: one
     * alone may have waited in the queue of a host whose link was down, for somebody who died
     * meanwhile. And a preemption cuts as little as a planned switch. */
    bool strict;
    struct ip_address own_address; /* source of our adverts */
};

/* Addresses that are still on this node although it is not active. */
enum vrrp_linger {
    VRRP_LINGER_NONE,
    VRRP_LINGER_UNHEARD, /* after a sleep: until another active node is heard */
    VRRP_LINGER_GRACE,   /* after a hand-over: for VRRP_GRACE_US */
};

struct vrrp_machine {
    struct vrrp_machine_settings settings; /* may be changed between steps */
    enum vrrp_state state;
    uint64_t deadline_us; /* of the state's timer, or VRRP_NO_DEADLINE */
    struct dead_time dead_time;
    enum vrrp_linger linger;
    uint64_t linger_until_us;       /* GRACE */
    uint64_t hand_over_until_us;    /* ACTIVE; 0: no hand-over is going on */
    struct ip_address hand_over_to; /* family 0: whoever is best */
    struct ip_address
        resigned;      /* who gives up in order, or will when we preempt; family 0: nobody */
    bool handed_over;  /* no preemption until we were active again */
    uint8_t answers;   /* ACTIVE: since the last regular advert */
    uint64_t rival_us; /* ACTIVE: when a better node was heard first, lately; 0: never */
    bool preempting;   /* the last advert was not followed: we mean to take over from it */
    bool demoted;      /* BACKUP that does not hear who is active: by DEMOTE */
    uint64_t since_us; /* of the state */
    uint32_t active_interval_us;      /* of the active node that we heard last */
    struct ip_address active_address; /* of that node; ours while active; family 0: unknown */
    uint32_t became_active_count;
};

enum vrrp_event_kind {
    VRRP_EVENT_ELIGIBLE,   /* this node can serve */
    VRRP_EVENT_INELIGIBLE, /* it cannot */
    VRRP_EVENT_TIMER,      /* something is due; harmless when early */
    VRRP_EVENT_ADVERT,
    VRRP_EVENT_YIELD,     /* hand over if active, but stay in the election */
    VRRP_EVENT_HAND_OVER, /* planned switch: let a peer take over, then yield */
    /* Somebody else is known to be the better active node, though we do not hear its adverts:
     * yield, and do not take over for HOLD_US. A backup that hears one anyway goes by that. */
    VRRP_EVENT_DEMOTE,
    VRRP_EVENT_RELEASE, /* that is over: a dead time is enough again */
    VRRP_EVENT_STOP,    /* leave the election in an orderly way */
    VRRP_EVENT_RESUME,  /* first event: continue in the state of a process that died */
    VRRP_EVENT_COUNT
};

struct vrrp_event {
    enum vrrp_event_kind kind;
    /* ADVERT: sender. HAND_OVER: who is to take over; family 0: whoever is best */
    struct ip_address source;
    uint8_t priority;
    uint32_t interval_us;
    uint64_t arrived_us; /* ADVERT: when the kernel had it; 0: now */
    uint32_t hold_us;    /* DEMOTE */
    /* ELIGIBLE: this node is active for the group's other family, so a new machine listens for
     * less time than those of other nodes. */
    bool sibling_active;
    /* RESUME */
    enum vrrp_state resume_state;
    struct ip_address resume_active_address;
};

/* To be done in this order. */
enum vrrp_action {
    /* A regular advert to all but advert_to, who might hear it after what is said to it. */
    VRRP_ACTION_REASSURE = 256,
    VRRP_ACTION_GREET = 1,       /* make the peers' kernels learn our link address */
    VRRP_ACTION_SEND_ADVERT = 2, /* with advert_priority */
    VRRP_ACTION_ADD_ADDRESSES = 4,
    VRRP_ACTION_REMOVE_ADDRESSES = 8,
    VRRP_ACTION_ANNOUNCE = 16, /* start the schedule of gratuitous ARP or unsolicited NA */
    VRRP_ACTION_STATE_CHANGED = 32,
    VRRP_ACTION_FALSE_TAKEOVER = 64, /* tell people: the dead time was too short */
    VRRP_ACTION_NO_TAKER = 128,      /* tell people: nobody took over, we go on */
};

struct vrrp_actions {
    unsigned set; /* of enum vrrp_action */
    uint8_t advert_priority;
    struct ip_address advert_to; /* family 0: to all */
};

/* Begins in VRRP_INITIALIZE, waiting for VRRP_EVENT_ELIGIBLE or VRRP_EVENT_RESUME. */
void vrrp_machine_init(struct vrrp_machine *machine,
                       const struct vrrp_machine_settings *settings,
                       uint64_t now_us);

struct vrrp_actions vrrp_machine_step(struct vrrp_machine *machine,
                                      const struct vrrp_event *event,
                                      uint64_t now_us);

/* Skew_Time of RFC 9568 6.1 for PRIORITY at INTERVAL_US. */
uint32_t vrrp_skew_us(uint8_t priority, uint32_t interval_us);
/* Active_Down_Interval of RFC 9568 6.1. */
uint32_t vrrp_machine_standard_us(const struct vrrp_machine *machine);
/* What has become of it (dead_time.h) plus the tie delay: silence after which we take over. */
uint32_t vrrp_machine_dead_time_us(const struct vrrp_machine *machine);
/* When to give VRRP_EVENT_TIMER, or VRRP_NO_DEADLINE. */
uint64_t vrrp_machine_due_us(const struct vrrp_machine *machine);
/* How long a machine listens after it became able to serve. */
uint32_t vrrp_machine_listen_time_us(const struct vrrp_machine *machine);

#endif

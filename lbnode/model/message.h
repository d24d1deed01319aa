/* Every message between the processes of one node (design: docs/architecture.md, "Processes").
 * Fixed sizes, plain data, one table of types: nobody parses anything variable on these paths.
 * The supervisor stands in the middle: it relays, keeps what a restarted process needs again,
 * and is the only one that acts with privileges. */
#ifndef LBNODE_MODEL_MESSAGE_H
#define LBNODE_MODEL_MESSAGE_H

#include "lbnode/base/event_codes.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/base/uuid.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum process_role {
    PROCESS_SUPERVISOR,
    PROCESS_VRRP,
    PROCESS_CONTROL,
    PROCESS_HEALTH,
    PROCESS_PROXY,
    PROCESS_ROLE_COUNT
};

const char *process_role_name(enum process_role role);

/* First member of every message. */
struct message {
    uint16_t type; /* enum message_type */
    uint16_t size; /* whole message in bytes */
    uint32_t reserved;
};

/* control -> supervisor: before MESSAGE_SNAPSHOT, one per (address, port) that GENERATION
 * serves. The supervisor binds what is new and, at the snapshot, drops what is no longer named.
 */
struct message_binding {
    struct message header;
    uint64_t generation;
    struct ip_endpoint endpoint;
    uint8_t defer_accept; /* HTTP: wake when data is there */
};

/* control -> supervisor -> proxy, health; carries one descriptor: the sealed memfd. A starting
 * control process gets the last one back (for its slot numbers). */
struct message_snapshot {
    struct message header;
    uint64_t generation;
    struct uuid change_id; /* the newest change in it, for people; zero: not known */
};

/* supervisor -> proxy; carries the listening sockets of one endpoint (worker i of n serves the
 * sockets j = i mod n). The proxy owns the received descriptors. */
struct message_listener {
    struct message header;
    struct ip_endpoint endpoint;
};

/* supervisor -> proxy: stop accepting there and close; established connections go on. */
struct message_listener_gone {
    struct message header;
    struct ip_endpoint endpoint;
};

/* supervisor -> control: ERROR_NUMBER 0 (bound) or the errno of bind(). */
struct message_bind_result {
    struct message header;
    struct ip_endpoint endpoint;
    int32_t error_number;
};

/* proxy -> supervisor -> control, vrrp: all workers run GENERATION. Sent at each adoption. */
struct message_running {
    struct message header;
    uint64_t generation;
};

/* supervisor -> control: a child started, died or is given up. */
struct message_process {
    struct message header;
    uint32_t role; /* enum process_role */
    int32_t pid;   /* 0: not running */
    uint32_t restarts;
};

/* control -> supervisor -> vrrp: the election's configuration, always as a whole: BEGIN, then
 * any number of GROUP, PEER and ADDRESS, then COMMIT. The supervisor keeps the last whole set.
 */
struct message_vrrp_begin {
    struct message header;
    uint64_t generation;
    uint8_t drained; /* this node gives way to any other that can serve */
    /* The IPv4 address by which the roster knows this node, source of its adverts; family 0:
     * unknown. */
    struct ip_address own_address;
};

struct message_vrrp_commit {
    struct message header;
    uint64_t generation;
};

enum {
    VRRP_GROUP_ROUTERS_MAXIMUM = 8
};

struct message_vrrp_group {
    struct message header;
    struct uuid group_id;
    char name[64];             /* for people */
    char interface[IFNAMSIZ];  /* "" = the one whose subnet holds the address */
    struct ip_address gateway; /* must answer on this node's link; family 0: none */
    uint8_t vrid;
    uint8_t priority; /* of this node, 1..254 */
    uint8_t preempt;
    uint8_t compat;    /* follow any VRRP router, not only nodes of the roster */
    uint8_t multicast; /* adverts go to the group address, not to each peer */
    uint8_t pseudo;    /* IPv4: checksum with a pseudo-header */
    uint32_t preempt_delay_ms;
    uint32_t advert_interval_ms;
    /* VRRP routers that are no nodes; with COMPAT adverts go there by unicast. */
    uint8_t router_count;
    struct ip_address routers[VRRP_GROUP_ROUTERS_MAXIMUM];
};

/* Another active node of the roster; adverts go there by unicast. */
struct message_vrrp_peer {
    struct message header;
    struct uuid node_id;
    char name[64];
    struct ip_address address;
    uint8_t drained; /* it takes nothing over while another node can */
};

/* One virtual address and the group it moves with. */
struct message_vrrp_address {
    struct message header;
    struct uuid group_id;
    struct ip_address address;
};

/* control -> supervisor -> vrrp: planned switch of what is active here. */
struct message_vrrp_hand_over {
    struct message header;
    struct uuid group_id; /* zero: all groups */
    struct uuid node_id;  /* who is to take over; zero: whoever is best */
    uint8_t again;        /* asked before, and told that it did not take over */
};

enum {
    VRRP_SOURCES_MAXIMUM = 16, /* addresses that adverts of one node come from */
    VRRP_EVIDENCE_MAXIMUM_MS = 5000
};

/* control -> supervisor -> vrrp: a live gossip session with a node vouches, or once vouched,
 * for what comes from these addresses. Replaces what was said of the node before; the addresses
 * of its PEER messages are meant too. The supervisor keeps the last one of each node. */
struct message_vrrp_vouched {
    struct message header;
    struct uuid node_id;
    uint32_t count;
    struct ip_address addresses[VRRP_SOURCES_MAXIMUM];
};

enum vrrp_evidence_kind {
    VRRP_EVIDENCE_NONE,    /* nothing any more */
    VRRP_EVIDENCE_UNHEARD, /* nobody hears this node: out of the election */
    VRRP_EVIDENCE_YIELD,   /* RIVAL is active too, and the better one: give way */
    VRRP_EVIDENCE_KIND_COUNT
};

/* control -> supervisor -> vrrp: what gossip proves about one group and family. It can take a
 * node out of the election for VALID_MS and make an active one announce its addresses again,
 * nothing else. */
struct message_vrrp_evidence {
    struct message header;
    struct uuid group_id;
    uint8_t family;
    uint8_t kind;      /* enum vrrp_evidence_kind */
    uint8_t announce;  /* somebody else had the addresses meanwhile */
    uint32_t valid_ms; /* unless it is said again; VRRP_EVIDENCE_MAXIMUM_MS at most */
    char rival[64];    /* for people */
};

enum vrrp_state {
    VRRP_INITIALIZE,
    VRRP_BACKUP,
    VRRP_ACTIVE,
    VRRP_FAULT
};

const char *vrrp_state_name(enum vrrp_state state); /* "backup", "active", ... */

/* vrrp -> supervisor -> control: at each change and every second, per group and family. The
 * supervisor keeps the last of each and hands it to a restarted vrrp process. */
struct message_vrrp_status {
    struct message header;
    struct uuid group_id;
    uint8_t family; /* 4 or 6 */
    uint8_t vrid;
    uint8_t state; /* enum vrrp_state */
    uint8_t priority;
    struct ip_address
        active_address;     /* sender of the last advert that we yielded to; or ours */
    uint64_t since_wall_ms; /* of the state */
    uint64_t told_us;       /* monotime of this message */
    uint32_t dead_time_us;  /* backup: silence after which we take over */
    uint32_t address_count;
    uint64_t adverts_sent, adverts_received, adverts_dropped;
    uint64_t adverts_foreign; /* of adverts_dropped: well-formed, but nobody vouches for them */
    uint32_t became_active_count;
    uint32_t demoted_count;        /* by what gossip proved */
    struct ip_address own_address; /* source of our adverts; family 0: none */
    char interface[IFNAMSIZ];
    uint8_t demoted; /* it does not hear who is active, and stays away because gossip says so */
    uint8_t hindrance;         /* enum hindrance: why it should not be active here */
    char reason[96];           /* the same for people, or "" */
    char dead_time_reason[96]; /* why the dead time is what it is */
};

/* vrrp -> supervisor -> control: a VRRP or CARP packet for VRID came in; told again while it
 * goes on. */
struct message_vrid_heard {
    struct message header;
    struct ip_address source;
    char interface[IFNAMSIZ];
    uint8_t vrid;
    uint8_t version; /* 2 (CARP too) or 3 */
    uint8_t is_node; /* from an address of the roster */
};

/* vrrp -> supervisor: an address was added to or removed from an interface, so that somebody
 * can take it away when vrrp is dead. */
struct message_vrrp_owned {
    struct message header;
    struct ip_address address;
    uint8_t prefix_length;
    uint8_t owned;
    uint32_t interface_index;
};

/* supervisor -> vrrp: may this node serve? False while no proxy runs. */
struct message_eligible {
    struct message header;
    uint8_t eligible;
    char reason[96]; /* when not */
};

/* supervisor and control -> vrrp: something speaks against this node being active for a group,
 * or no longer does. The supervisor keeps what holds. */
struct message_hindrance {
    struct message header;
    struct uuid group_id; /* zero: all groups */
    uint8_t kind;         /* enum hindrance */
    uint8_t holds;
    char text[96]; /* for people; "" = the kind's own words */
};

enum {
    IMPORTED_VERDICTS = 16
};

/* control -> supervisor -> health: what the peer that knows best found, said again each delay
 * while it holds. */
struct message_imported_verdicts {
    struct message header;
    uint32_t count;
    struct imported_verdict {
        uint32_t member_slot;
        uint32_t incarnation;
        uint32_t age_ms; /* since it was last known to hold */
        uint8_t state;   /* enum verdict_state; UNKNOWN: no more */
    } verdicts[IMPORTED_VERDICTS];
};

enum health_rank {
    HEALTH_RANK_ACTIVE,
    HEALTH_RANK_SUCCESSOR,
    HEALTH_RANK_OTHER, /* probes rarely */
};

/* control -> supervisor -> health: this node's place in a vrrp group. The supervisor keeps the
 * last of each, and says ACTIVE itself as soon as vrrp does. */
struct message_health_rank {
    struct message header;
    struct uuid group_id;
    uint8_t rank; /* enum health_rank */
};

/* control -> supervisor -> health: somebody wants to know now; the member is probed once more
 * at once, and its beats stay. The result counts like any other. */
struct message_probe_now {
    struct message header;
    uint32_t member_slot;
    uint32_t incarnation;
};

/* proxy -> supervisor -> health: traffic casts doubt on a member, so it is to be probed now. At
 * most one per member and second. */
struct message_suspicion {
    struct message header;
    uint32_t member_slot;
    uint32_t incarnation;
    uint8_t kind; /* enum suspicion_kind */
};

/* any child -> supervisor -> control: something worth an event. */
struct message_event {
    struct message header;
    uint32_t code; /* enum event_code */
    uint32_t role; /* who noticed; filled in by the supervisor */
    uint64_t wall_ms;
    char text[240]; /* one sentence, no secrets */
};

/* any child -> supervisor: it works. Whoever stops saying so hangs and is killed. */
struct message_alive {
    struct message header;
};

/* supervisor -> any child: end in an orderly way (vrrp resigns; the proxy drains DRAIN_MS). */
struct message_stop {
    struct message header;
    uint32_t drain_ms;
};

/* type, struct */
#define MESSAGE_TYPES(ROW)                                                                     \
    ROW(BINDING, struct message_binding)                                                       \
    ROW(SNAPSHOT, struct message_snapshot)                                                     \
    ROW(LISTENER, struct message_listener)                                                     \
    ROW(LISTENER_GONE, struct message_listener_gone)                                           \
    ROW(BIND_RESULT, struct message_bind_result)                                               \
    ROW(RUNNING, struct message_running)                                                       \
    ROW(PROCESS, struct message_process)                                                       \
    ROW(VRRP_BEGIN, struct message_vrrp_begin)                                                 \
    ROW(VRRP_COMMIT, struct message_vrrp_commit)                                               \
    ROW(VRRP_GROUP, struct message_vrrp_group)                                                 \
    ROW(VRRP_PEER, struct message_vrrp_peer)                                                   \
    ROW(VRRP_ADDRESS, struct message_vrrp_address)                                             \
    ROW(VRRP_HAND_OVER, struct message_vrrp_hand_over)                                         \
    ROW(VRRP_VOUCHED, struct message_vrrp_vouched)                                             \
    ROW(VRRP_EVIDENCE, struct message_vrrp_evidence)                                           \
    ROW(VRRP_STATUS, struct message_vrrp_status)                                               \
    ROW(VRID_HEARD, struct message_vrid_heard)                                                 \
    ROW(VRRP_OWNED, struct message_vrrp_owned)                                                 \
    ROW(ELIGIBLE, struct message_eligible)                                                     \
    ROW(HINDRANCE, struct message_hindrance)                                                   \
    ROW(IMPORTED_VERDICTS, struct message_imported_verdicts)                                   \
    ROW(HEALTH_RANK, struct message_health_rank)                                               \
    ROW(PROBE_NOW, struct message_probe_now)                                                   \
    ROW(SUSPICION, struct message_suspicion)                                                   \
    ROW(ALIVE, struct message_alive)                                                           \
    ROW(EVENT, struct message_event)                                                           \
    ROW(STOP, struct message_stop)

enum message_type {
    MESSAGE_NONE,
#define MESSAGE_ENUM(name, structure) MESSAGE_##name,
    MESSAGE_TYPES(MESSAGE_ENUM)
#undef MESSAGE_ENUM
    MESSAGE_TYPE_COUNT
};

/* Large enough for any message. */
union message_buffer {
    struct message header;
#define MESSAGE_MEMBER(name, structure) structure member_##name;
    MESSAGE_TYPES(MESSAGE_MEMBER)
#undef MESSAGE_MEMBER
};

/* A zeroed message of TYPE: struct message_stop stop = MESSAGE_OF(STOP, struct message_stop);
 */
#define MESSAGE_OF(name, structure)                                                            \
    (structure)                                                                                \
    {                                                                                          \
        .header = {.type = MESSAGE_##name, .size = sizeof(structure) }                         \
    }

/* Known type, RECEIVED bytes = size field = size of that type. */
bool message_is_valid(const struct message *message, size_t received);
const char *message_type_name(uint16_t type);

#endif

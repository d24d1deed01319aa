/* What the files of the supervisor share. Only supervisor_*.c include this.
 *   supervisor.c            start, signals, orderly stop
 *   supervisor_children.c   fork, channels, deaths, eligibility
 *   supervisor_relay.c      messages from and to the children, what is kept for restarts
 *   supervisor_snapshots.c  the running snapshot, the proven one, the fall-back
 *   supervisor_bindings.c   listening sockets
 *   supervisor_watchdog.c   processes that hang
 *   supervisor_check.c     the operator's check command
 *   supervisor_hindrances.c what speaks against serving, besides the proxy */
#ifndef LBNODE_NODE_SUPERVISOR_INTERNAL_H
#define LBNODE_NODE_SUPERVISOR_INTERNAL_H

#include "lbnode/base/rise_fall.h"
#include "lbnode/loop/channel.h"
#include "lbnode/model/hindrance.h"
#include "lbnode/node/hang_watch.h"
#include "lbnode/node/message_list.h"
#include "lbnode/node/restart_policy.h"
#include "lbnode/node/supervisor.h"

enum {
    ENDPOINTS_MAXIMUM = 4096,
    VRRP_STATUS_MAXIMUM = 512,
    HEALTH_RANKS_MAXIMUM = 512,
    VRRP_OWNED_MAXIMUM = 4096,
    HINDRANCES_MAXIMUM = 1024,
    VRRP_VOUCHED_MAXIMUM = 64,
    EVENTS_KEPT = 256, /* while control is away */
    ELIGIBLE_STABLE_MS = 5000,
    REPEATED_DEATHS = 3,
    POISON_DEATHS = 2,
    BIND_RETRY_MS = 1000,
    CLOSED_GRACE_MS = 1000,
    STOP_GRACE_MS = 2000,
    CONTROL_STOP_GRACE_MS = 5000,
};

struct supervisor;

struct child {
    struct supervisor *supervisor;
    enum process_role role;
    pid_t pid; /* 0: not running */
    struct channel *channel;
    struct restart_policy policy;
    struct loop_timer restart_timer;
    struct loop_timer kill_timer; /* it closed its channel and should be gone by then */
    struct hang_watch hang;
    uint32_t restarts;
};

struct wanted_endpoint {
    struct ip_endpoint endpoint;
    uint8_t defer_accept;
};

struct endpoint_list {
    struct wanted_endpoint *items; /* NULL while empty */
    size_t count;
};

/* One snapshot and the endpoints it serves. */
struct kept_snapshot {
    int fd; /* -1: none */
    uint64_t generation;
    struct uuid change_id; /* the newest change in it; zero: not known */
    struct endpoint_list endpoints;
};

struct binding {
    struct ip_endpoint endpoint;
    uint8_t defer_accept;
    int *fds; /* worker_count; NULL: not bound */
    int error_number;
    bool wanted;
    struct binding *next;
};

struct supervisor {
    const struct supervisor_settings *settings;
    struct loop *loop;
    struct verdict_board *verdicts;
    struct counter_board *counters;
    struct child children[PROCESS_ROLE_COUNT]; /* [PROCESS_SUPERVISOR] is unused */
    int signal_fd;
    struct loop_io signal_io;

    bool ready;    /* control said that it serves */
    bool stopping; /* no child is started again */
    int exit_status;
    enum process_role stop_role; /* the one whose end is awaited */
    struct loop_timer stop_timer;

    struct binding *bindings;
    struct loop_timer bind_timer;

    struct kept_snapshot current, proven;
    struct endpoint_list pending; /* BINDINGs of the snapshot to come */
    uint64_t pending_generation;
    uint64_t running_generation;
    uint64_t current_since_ms;
    uint32_t current_deaths; /* of the proxy, since it got the current snapshot */
    bool poisoned; /* fell back; until a snapshot is proven again one death is enough */
    struct loop_timer proven_timer;

    struct message_eligible eligible;
    bool proxy_ran; /* it ran a snapshot since it was started */
    struct loop_timer eligible_timer;
    struct loop_timer watchdog_timer;
    uint64_t watchdog_due_us; /* monotonic */
    uint64_t woke_us;         /* from the last sleep of the whole node; 0: none */

    struct {
        pid_t pid; /* 0: it does not run now */
        bool late; /* it was killed for that */
        struct rise_fall counter;
        struct loop_timer timer;
    } check;

    struct message_hindrance hindrances[HINDRANCES_MAXIMUM]; /* that hold */
    size_t hindrance_count;

    struct message_list vrrp_set, vrrp_pending; /* the last whole one; the one that arrives */
    bool vrrp_receiving;
    struct message_vrrp_status statuses[VRRP_STATUS_MAXIMUM];
    size_t status_count;
    struct message_vrrp_vouched vouched[VRRP_VOUCHED_MAXIMUM];
    size_t vouched_count;
    struct message_vrrp_owned owned[VRRP_OWNED_MAXIMUM];
    size_t owned_count;
    struct message_health_rank ranks[HEALTH_RANKS_MAXIMUM];
    size_t rank_count;
    struct message_event events[EVENTS_KEPT];
    size_t event_count;
};

/* ---- supervisor.c ---- */

void supervisor_begin_stop(struct supervisor *supervisor, int exit_status);
/* A child is gone while stopping. */
void supervisor_continue_stop(struct supervisor *supervisor);

/* ---- supervisor_children.c ---- */

void children_init(struct supervisor *supervisor);
void children_start(struct supervisor *supervisor, enum process_role role);
/* Reaps all that ended. */
void children_reap(struct supervisor *supervisor);
void children_write_pids(struct supervisor *supervisor);
/* The node has just started: vrrp is told nothing, and waits, until the proxy runs or stays
 * away.
 */
void eligible_await_proxy(struct supervisor *supervisor);
/* The proxy runs a snapshot. */
void eligible_proxy_runs(struct supervisor *supervisor);

/* ---- supervisor_relay.c ---- */

void supervisor_relay(struct child *from,
                      const struct message *message,
                      const int *fds,
                      size_t fd_count);
/* Sends to ROLE if it runs. */
void supervisor_send(struct supervisor *supervisor,
                     enum process_role role,
                     const struct message *message,
                     const int *fds,
                     size_t fd_count);
/* Everything a process that starts now has to know. */
void supervisor_replay(struct supervisor *supervisor, enum process_role role);
void supervisor_event(struct supervisor *supervisor,
                      enum event_code code,
                      const char *format,
                      ...) __attribute__((format(printf, 3, 4)));
void supervisor_tell_process(struct supervisor *supervisor, enum process_role role);
/* True: the election's configuration names other nodes. */
bool supervisor_has_vrrp_peers(const struct supervisor *supervisor);
/* Takes every address away that vrrp told us about. */
void supervisor_remove_owned(struct supervisor *supervisor);
/* In the name of a dead vrrp process: resigns, or speaks once until it runs again. */
void supervisor_speak_for_vrrp(struct supervisor *supervisor, bool resign);
void supervisor_relay_free(struct supervisor *supervisor);

/* ---- supervisor_snapshots.c ---- */

void snapshots_init(struct supervisor *supervisor);
void snapshots_add_binding(struct supervisor *supervisor,
                           const struct message_binding *binding);
/* Takes FD over. */
void snapshots_adopt(struct supervisor *supervisor,
                     const struct message_snapshot *message,
                     int fd);
/* True: the next proxy gets another snapshot than the one that died. */
bool snapshots_proxy_died(struct supervisor *supervisor);
void snapshots_free(struct supervisor *supervisor);

/* ---- supervisor_watchdog.c ---- */

/* Looks after the children from now on, until the node stops. */
void watchdog_start(struct supervisor *supervisor);
/* Was this process stopped just now, for two checks or longer? So were the others then. */
bool watchdog_slept(const struct supervisor *supervisor);

/* ---- supervisor_bindings.c ---- */

/* Marks what LIST names as wanted and binds what is new: before the snapshot is handed on. */
void bindings_open(struct supervisor *supervisor, const struct endpoint_list *list);
/* Closes what is no longer wanted: after the snapshot was handed on. */
void bindings_close_unwanted(struct supervisor *supervisor);
/* Hands every bound socket to a starting proxy, or every result to a starting control. */
void bindings_replay(struct supervisor *supervisor, enum process_role role);
void bindings_free(struct supervisor *supervisor);

/* ---- supervisor_check.c ---- */

void check_start(struct supervisor *supervisor);
void check_stop(struct supervisor *supervisor);
/* A process ended. False: it was not the check. */
bool check_ended(struct supervisor *supervisor, pid_t pid, int status);

/* ---- supervisor_hindrances.c ---- */

/* Keeps what holds, and tells vrrp of each change. */
void hindrances_set(struct supervisor *supervisor, const struct message_hindrance *word);
/* A word of control. */
void hindrances_take(struct supervisor *supervisor, const struct message_hindrance *word);
/* The ports, or the addresses of the groups, changed. */
void hindrances_look_at_ports(struct supervisor *supervisor);
/* All that holds, for a vrrp process that starts. */
void hindrances_replay(struct supervisor *supervisor);

#endif

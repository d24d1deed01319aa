/* What the files of control share. Only control*.c include this.
 *   control.c             start, end, messages of the supervisor
 *   control_state.c       what the other processes reported, for the API
 *   control_projection.c  replicated state -> configuration -> snapshot, election's set
 *   control_eligibility.c  what only control knows of this node's fitness; giving way
 *   control_outlook.c     what gossip knows -> election
 *   control_verdicts.c    verdict board -> events and peers; peers' verdicts -> health
 *   control_probe.c       probes out of turn, here and on the peers */
#ifndef LBNODE_NODE_CONTROL_INTERNAL_H
#define LBNODE_NODE_CONTROL_INTERNAL_H

#include "lbnode/admin/admin_server.h"
#include "lbnode/admin/probation.h"
#include "lbnode/loop/heartbeat.h"
#include "lbnode/model/hindrance.h"
#include "lbnode/model/projection.h"
#include "lbnode/node/batch_guard.h"
#include "lbnode/node/control.h"
#include "lbnode/node/message_list.h"
#include "lbnode/node/offer_round.h"
#include "lbnode/node/peer_verdicts.h"
#include "lbnode/node/vouch_saver.h"

enum {
    SNAPSHOT_PAUSE_MS = 5, /* at least, between two builds of a snapshot */
    SNAPSHOT_REST = 20,    /* and this many times what the last one took */
    VERDICT_POLL_MS = 40,
    VERDICTS_PER_POLL = 92, /* 50 batches a second */
    OUTLOOK_MAXIMUM = 16,
    OUTLOOK_REPEAT_MS = 250,
    OUTLOOK_VALID_MS = 1000,
};

/* What vrrp was told of what gossip knows. */
struct outlook {
    struct vouch_list vouched;
    struct vouch_saver saver; /* of `vouched` */
    struct message_vrrp_evidence told[OUTLOOK_MAXIMUM], next[OUTLOOK_MAXIMUM];
    size_t told_count, next_count;
    bool again; /* it is time to say everything again */
    struct loop_timer timer;
};

enum {
    TESTED_POOLS = 64 /* that are remembered */
};

/* A pool whose members somebody wanted probed out of turn. */
struct tested_pool {
    struct uuid id;
    uint64_t asked_ms, asked_wall_ms;
    uint64_t until_ms;     /* so long its members' results are told at once */
    uint64_t told_wall_ms; /* results since then are not told yet */
};

struct control {
    const struct process_context *context;
    const struct node_settings *settings;
    struct loop *loop;
    struct channel *channel;
    struct heartbeat heartbeat;
    struct replication *replication;
    struct admin_server *admin;
    struct probation *probation;
    struct node_state *state; /* what admin sees */

    struct projection *projection;
    const struct configuration *configuration; /* of the projection */
    struct batch_guard *guard;
    bool holds_last; /* something is withheld: the supervisor's snapshot serves as it is */
    struct slot_map *slots;
    uint64_t position;       /* of the replicated state in `configuration` */
    uint64_t built_position; /* in the last snapshot */
    uint64_t built_at_ms, build_pause_ms;
    struct loop_timer build_timer;
    struct message_list election; /* the last set that the supervisor got */
    struct outlook outlook;

    struct uuid *member_ids; /* sorted; of the configuration */
    size_t member_count;
    bool members_changed;    /* member_ids must be made anew before use */
    uint64_t seen_changes;   /* of the verdict board */
    uint64_t *seen_verdicts; /* MEMBER_SLOTS words as last reported */
    struct loop_timer verdict_timer;
    struct peer_verdicts *peer_verdicts; /* what each peer told last */
    struct control_peers *peers;
    struct tested_pool tested[TESTED_POOLS];
    struct loop_timer tested_timer;

    uint64_t started_ms;
    bool is_synced, is_warm; /* once true they stay so */
    struct loop_timer eligible_timer;
    struct offer_round offers[NODE_STATE_MAXIMUM_VRRP]; /* of state->vrrp */
};

/* ---- control.c ---- */

void control_send(struct control *control,
                  const struct message *message,
                  const int *fds,
                  size_t fd_count);

/* A planned switch of what is active here; ids as in struct message_vrrp_hand_over. */
void control_hand_over(struct control *control,
                       const struct uuid *group_id,
                       const struct uuid *node_id);

/* ---- control_eligibility.c ---- */

void eligibility_start(struct control *control);
void eligibility_stop(struct control *control);
/* Gives the group of STATUS away if this node should not have it and another one can. ROUND is
 * what was asked for that so far. */
void eligibility_review(struct control *control,
                        const struct message_vrrp_status *status,
                        struct offer_round *round);
void eligibility_switch_asked(struct control *control,
                              const struct uuid *asker,
                              const struct uuid *group_id,
                              const struct uuid *to);

/* ---- control_state.c ---- */

void control_event(struct control *control, enum event_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void control_take_event(struct control *control, const struct message_event *event);
void control_take_process(struct control *control, const struct message_process *process);
void control_take_vrrp_status(struct control *control,
                              const struct message_vrrp_status *status);
void control_take_vrid_heard(struct control *control, const struct message_vrid_heard *heard);
void control_take_bind_result(struct control *control,
                              const struct message_bind_result *result);
/* Forgets bindings that SNAPSHOT does not name, adds those it does. */
void control_expect_bindings(struct control *control, const struct snapshot *snapshot);
/* Tells the peers for which groups this node is active. */
void control_publish_claims(struct control *control);
/* Forgets states of groups that are not in SET. */
void control_forget_groups(struct control *control, const struct message_list *set);

/* ---- control_projection.c ---- */

/* Before the first projection. False when out of memory. */
bool control_projection_open(struct control *control);
/* A snapshot that the supervisor had from the control process before this one. */
void control_projection_adopt(struct control *control, uint64_t generation, int fd);
/* The replicated state changed: the configuration follows at once, since the next request may
 * name what this one made; snapshots follow at most every SNAPSHOT_PAUSE_MS. */
void control_projection_update(struct control *control, uint64_t position);
void control_projection_take_running(struct control *control,
                                     const struct message_running *running);
void control_projection_free(struct control *control);

/* ---- control_outlook.c ---- */

/* Tells vrrp what the last process knew. */
void outlook_start(struct control *control);
/* Replication has news for the election. */
void outlook_take(struct control *control);
void outlook_stop(struct control *control);

/* ---- control_verdicts.c ---- */

bool verdicts_start(struct control *control);
/* Members came, went or changed. */
void verdicts_members_changed(struct control *control);
void verdicts_import(struct control *control,
                     const struct uuid *author,
                     const uint8_t member_key[8],
                     const struct shared_verdict *verdict);
/* Tells the peers of those members of the pool whose last own probe ended at FROM_WALL_MS or
 * later. */
void verdicts_publish_pool(struct control *control,
                           const struct uuid *pool_id,
                           uint64_t from_wall_ms);
/* What the peer told last of the member, as old as it is now; false: nothing. */
bool verdicts_of_peer(const struct control *control,
                      const struct uuid *node_id,
                      const struct uuid *member_id,
                      struct shared_verdict *out);
/* PEER wants all own verdicts. */
void verdicts_send_all(struct control *control, const struct uuid *peer);
void verdicts_free(struct control *control);

/* ---- control_peers.c ---- */

bool peers_start(struct control *control);
void peers_take_verdict(struct control *control,
                        const struct uuid *author,
                        const struct uuid *member_id,
                        const struct shared_verdict *verdict);
/* A health process that knows nothing of peers' verdicts. It may be there before peers_start.
 */
void peers_health_started(struct control *control);
/* This node's place in the groups may have changed. */
void peers_rank(struct control *control);
void peers_free(struct control *control);

/* ---- control_probe.c ---- */

/* The members of the pool are probed now, here and by all peers, unless they were a second ago.
 * Results from the returned moment (wall clock, ms) on answer that. */
uint64_t control_test_pool(struct control *control, const struct uuid *pool_id);
/* A peer asks for it. */
void control_probe_asked(struct control *control, const struct uuid *pool_id);
void control_probe_stop(struct control *control);

#endif

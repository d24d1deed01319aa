/* The replication core: everything that decides what becomes of changes, as a pure state
 * machine. It takes an event and the time and returns actions; it never reads a clock, a socket
 * or a file (core_load alone reads a store, before the first event). Whoever drives it
 * (replication.c, tests/sim) performs the actions in order and reports commits back.
 *
 * The driver's duties: after the actions of any event are done and no commit is under way, send
 * CORE_STAGE; call CORE_TICK no later than core_next_tick_us says. */
#ifndef REPLICATION_CORE_H
#define REPLICATION_CORE_H

#include "replication/facet.h"
#include "replication/replication.h"
#include "replication/roster.h"
#include "replication/store.h"

struct core;

struct core_now {
    uint64_t mono_us, wall_ms;
};

struct core_settings {
    struct uuid node_id;
    const struct sign_key *key; /* borrowed for the core's life */
    uint64_t incarnation;
    uint64_t random_seed;
    struct retention retention;
    uint64_t snapshot_after; /* who lacks more records gets a snapshot; 0: 5,000 */
};

/* NULL with ERROR when the store cannot be read. A store without genesis gives a core that only
 * knows that it is not part of a cluster. */
struct core *core_load(const struct core_settings *settings,
                       struct store *store,
                       struct core_now now,
                       struct error *error);
void core_free(struct core *core);
/* Makes this node part of the cluster that GENESIS began. In memory only: the genesis row goes
 * into the transaction of the first records. */
void core_found(struct core *core, const struct genesis *genesis);

/* ---- events ----------------------------------------------------------------------------- */

enum core_event_kind {
    CORE_SUBMIT,
    CORE_REMOVE_NODE,
    CORE_STAGE,     /* nothing is being committed: form the next batch */
    CORE_PERSISTED, /* the batch handed out last is durable, or failed */
    CORE_FRAME,     /* from a verified sender */
    CORE_RECORD,    /* record bytes from a trusted transfer (join) */
    CORE_RUNNING,
    CORE_TICK,
    CORE_VERDICTS,     /* of this node, for the peers */
    CORE_ALL_VERDICTS, /* all of them, for `node` */
    CORE_CLAIMS,       /* of this node, about its VRRP groups */
    CORE_LOG_ROWS,     /* the answer to CORE_READ_LOG */
    CORE_ASK_SWITCH,
    CORE_ASK_PROBE, /* all peers shall probe `pool` now */
    CORE_REACHABLE, /* what is sent to the node arrives from now on: it has a session */
    CORE_KEPT,      /* the answer to CORE_COLLECT: a record, in causal order */
    CORE_KEPT_END,  /* there are no more */
};

struct core_submit {
    const struct change_set *changes; /* copied */
    struct uuid change_id;            /* not zero */
    const char *author, *via;
    bool require_replica;
    struct uuid if_object; /* not zero: must have this revision when staged */
    uint64_t if_revision;
    enum record_kind kind;
    uint64_t token;                  /* comes back in CORE_ANSWER */
    const struct store_batch *extra; /* rows for the same transaction, copied; or NULL */
    /* The root key signs, not this node's, in a stream of its own, also on a node that was
     * removed; borrowed until the answer. NULL: as usual. */
    const struct sign_key *root;
};

struct core_event {
    enum core_event_kind kind;
    struct core_submit submit; /* SUBMIT, REMOVE_NODE (without changes) */
    struct uuid node;          /* FRAME: sender; REMOVE_NODE, ASK_SWITCH, REACHABLE: whom */
    bool compromised;          /* REMOVE_NODE: its key is in wrong hands */
    uint32_t frame_type;       /* FRAME */
    struct bytes body;         /* FRAME, RECORD, KEPT */
    int result;                /* PERSISTED, KEPT_END: 0 or -errno */
    uint64_t position;         /* RUNNING */
    const struct shared_verdict *verdicts;
    size_t verdict_count;
    const struct vrrp_claim *claims;
    size_t claim_count;
    const struct bytes *records; /* LOG_ROWS, in the order of their keys */
    size_t record_count;
    bool log_ended;                      /* LOG_ROWS: there are no more */
    struct uuid switch_group, switch_to; /* ASK_SWITCH; zero: all, whoever is best */
    struct uuid pool;                    /* ASK_PROBE */
};

/* ---- actions ---------------------------------------------------------------------------- */

enum frame_type {
    FRAME_HEARTBEAT = 1,
    FRAME_VV = 2,
    FRAME_RECORD = 3,
    FRAME_ACK = 4,
    FRAME_PULL = 5,
    FRAME_HEALTH = 6,
    FRAME_ROSTER_NOTICE = 11,
    FRAME_LEAVE = 12,
    FRAME_PULL_END = 15,
    FRAME_SWITCH = 16,
    FRAME_NOTICE_ECHO = 17, /* beside a ROSTER_NOTICE; the transport's */
    FRAME_PROBE = 18,
    FRAME_HEALTH_WANTED = 19,
    /* 20 to 23: enum snapshot_kind */
    FRAME_SNAPSHOT_STOP = 24,
    /* Inside a join connection only. */
    FRAME_JOIN_HELLO = 32,
    FRAME_JOIN_WELCOME = 33,
    FRAME_JOIN_CONFIRM = 34,
    FRAME_JOIN_ACCEPT = 35,
    /* then a snapshot */
    FRAME_JOIN_REFUSED = 38,
};

enum core_action_kind {
    CORE_PERSIST,
    CORE_SEND,
    CORE_SEND_RECORDS, /* answer the PULL in `body`, numbered `token` (pull_answer, pull_end) */
    CORE_APPLIED,
    CORE_ANSWER,
    CORE_EVENT,
    CORE_VERDICT,
    CORE_SWITCH_ASKED,
    CORE_VERDICTS_WANTED, /* give all own verdicts, for `peer`, as CORE_ALL_VERDICTS */
    CORE_PROBE_ASKED,
    CORE_RELOAD, /* a commit failed: what is in memory is not on disk; load anew */
    CORE_LEFT,   /* this node was removed: stop to gossip */
    /* Read up to `row_count` rows of the log from `first_row` on, fewer when they are large, as
     * far as they are committed, and give them back as CORE_LOG_ROWS. When that fails, give
     * nothing back. */
    CORE_READ_LOG,
    /* Send a snapshot (snapshot_read.h) to `peer`, by stream; one at a time. Who cannot (one is
     * under way to somebody else) sends PULL_END with body. */
    CORE_SEND_SNAPSHOT,
    CORE_STOP_SNAPSHOT, /* `peer` does not want the one with number `token` */
    /* Give back what is in the log above the vector in `body`, as CORE_KEPT and CORE_KEPT_END.
     * No other event before that. */
    CORE_COLLECT,
    CORE_OUTLOOK, /* core_take_outlook has news */
};

struct core_action {
    enum core_action_kind kind;
    struct store_batch batch; /* PERSIST: ops move to the driver, which frees them */
    struct uuid peer;         /* SEND, SEND_RECORDS, VERDICT (author), ..._ASKED */
    bool bulk;                /* SEND: too large for a datagram */
    uint32_t frame_type;
    uint8_t *body; /* SEND; SEND_RECORDS: the PULL body */
    size_t body_size;
    uint64_t position, token;
    struct submit_result answer;
    enum event_code code;
    char text[256];
    struct shared_verdict verdict;
    struct dot first_row; /* READ_LOG */
    size_t row_count;
    struct uuid switch_group, switch_to; /* SWITCH_ASKED */
    struct uuid pool;                    /* PROBE_ASKED */
};

struct core_actions {
    struct core_action *items;
    size_t count, capacity;
};

void core_actions_free(struct core_actions *actions);

void core_step(struct core *core,
               const struct core_event *event,
               struct core_now now,
               struct core_actions *actions);
/* When CORE_TICK is due, monotonic microseconds. */
uint64_t core_next_tick_us(const struct core *core);
/* Something waits for CORE_STAGE. */
bool core_wants_stage(const struct core *core);

/* ---- reading ---------------------------------------------------------------------------- */

bool core_is_initialised(const struct core *core);
const struct genesis *core_genesis(const struct core *core);
const struct facet_table *core_facets(const struct core *core);
/* What a reader that follows the facets has not taken yet. */
struct facet_changes *core_changes(struct core *core);
void core_changes_taken(struct core *core);
const struct roster *core_roster(const struct core *core);
const struct vv *core_vector(const struct core *core);  /* applied */
const struct vv *core_durable(const struct core *core); /* on disk, clipped to cut-offs */
/* The first record of each stream that a removal voided: it proves whose the stream is. Records
 * that build on a void one wait for that, so a full answer to a PULL ends with these. */
const struct vv *core_void_openings(const struct core *core);
/* Streams of which nothing is here, as all of it is void: fields for the end of PULL_END. */
void core_put_void_streams(const struct core *core, struct wire_writer *out);
/* The highest record of STREAM that is no longer in the log; 0: all are. Up to it only those
 * are there of which an operation still counts. */
uint64_t core_truncated(const struct core *core, uint64_t stream);
/* Is every record that HAVE lacks in the log? Else a node that has HAVE needs a snapshot. */
bool core_can_answer(const struct core *core, const struct vv *have);
/* The row about each stream, as it is stored under 's' and the stream's number, folded ones
 * included: with the records of the log and which of their operations are dead, that is the
 * whole state. */
void core_visit_streams(const struct core *core,
                        void (*visit)(void *context, uint64_t stream, struct bytes row),
                        void *context);
/* Has this node everything that its peers said they have? Then no record is on its way that was
 * made without what all of them have. */
bool core_is_caught_up(const struct core *core);
/* Do all other nodes answer, and has this one everything that they have? Else what this node
 * says of how far its own streams count may leave out what others have. A node says only what
 * is on its disk: one that cannot write may have more, and one whose writing is slow, too. */
bool core_knows_all(const struct core *core, struct error *error);
bool core_node_is_up(const struct core *core, const struct uuid *node_id); /* it answers */
/* As far as it told: has the node, if it is active, this record on its disk? */
bool core_node_has(const struct core *core, const struct uuid *node_id, struct dot dot);
/* ROW is such a row: if nothing of the stream is there, as it is void, then CORE knows as much.
 */
void core_know_void(struct core *core, uint64_t stream, struct bytes row);
uint64_t core_position(const struct core *core);
const struct uuid *core_last_change(const struct core *core);
/* It was made here, or came; lately. */
bool core_knows_change(const struct core *core, const struct uuid *change_id);
void core_state_hash(struct core *core, uint8_t out[HASH_SIZE]);
/* Is that record one of a removed node, or of one with a new key, beyond what counts? */
bool core_is_void(const struct core *core, struct dot dot);
/* From now on own records are signed with KEY (borrowed), in a new stream. */
void core_set_key(struct core *core, const struct sign_key *key);
/* Records in the log. */
uint64_t core_log_count(const struct core *core);
uint64_t core_clock(const struct core *core);
/* The state hash when memory is what the store has; else false. */
bool core_snapshot_hash(struct core *core, uint8_t out[HASH_SIZE]);
/* While a snapshot is read from the store nothing is removed from the log. As often ended as
 * begun. */
void core_hold_log(struct core *core, bool hold);

/* False: there is none under way. */
bool core_bootstrap(const struct core *core, struct bootstrap_view *out);
const char *core_storage_problem(const struct core *core);
/* After CORE_RELOAD: the new core goes on refusing writes for the same reason. */
void core_set_storage_problem(struct core *core, const char *problem, struct core_now now);
bool core_was_removed(const struct core *core);
/* Between two heartbeats to a peer. */
uint64_t core_heartbeat_interval_us(const struct core *core);
/* It was told so in an earlier life, by a peer, although its records do not say it. */
void core_leave(struct core *core);
void core_visit_peers(struct core *core,
                      struct core_now now,
                      void (*visit)(void *context, const struct peer_view *peer),
                      void *context);

void core_visit_evidence(const struct core *core,
                         struct core_now now,
                         void (*visit)(void *context, const struct evidence *evidence),
                         void *context);

/* As replication_take_outlook. */
void core_take_outlook(struct core *core, const struct outlook_visitor *visitor);

/* The living peer that says it is active for the group and family. */
bool core_find_owner(const struct core *core,
                     const struct uuid *group_id,
                     uint8_t family,
                     struct uuid *out);

/* What a living peer says of the group and family of WANTED. */
bool core_find_claim(const struct core *core,
                     const struct uuid *node_id,
                     const struct vrrp_claim *wanted,
                     struct vrrp_claim *out);

/* Answers a PULL from the store (antientropy.c): what UPTO has above the vector in PULL_BODY,
 * in an order that respects causality, at most PULL_BYTES and PULL_RECORDS. EMIT gets each
 * record; OUT_MORE tells whether some were left out. 0 or -errno. */
enum {
    PULL_BYTES = 1 << 20,
    PULL_RECORDS = 512
};
/* The body of PULL_END. */
void pull_end(bool more, uint64_t number, struct wire_writer *out);
int pull_answer(struct store *store,
                struct bytes pull_body,
                const struct vv *upto,
                void (*emit)(void *context, struct bytes record),
                void *context,
                bool *out_more);

/* Answers CORE_READ_LOG: at most ROWS rows from FIRST on and about LOG_SLICE_BYTES. The bytes
 * are the caller's to free. 0 or -errno. */
enum {
    LOG_SLICE_BYTES = 1 << 20
};
struct log_slice {
    struct bytes *records;
    size_t count, capacity, wanted, bytes;
    bool ended;
};
int log_slice_read(struct store *store, struct dot first, size_t rows, struct log_slice *out);
void log_slice_free(struct log_slice *slice);

#endif

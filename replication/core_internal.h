/* What the core's files share. core.c: construction, dispatch, reading; core_load.c: the state
 * from the store; core_submit.c: local changes and their answers; core_receive.c: records of
 * others; core_stage.c: batches; core_pace.c: when they are made; core_retention.c: what is
 * kept; core_void.c: what does not count, as its author was removed; core_peers.c: the other
 * nodes; core_gossip.c: heartbeats, vectors, pulls; core_acks.c: pushing, resending;
 * core_evidence.c: who hears whom; core_advice.c: what that means for the election;
 * core_switch.c: asking for a planned switch; core_verdicts.c: what members' monitors say. */
#ifndef REPLICATION_CORE_INTERNAL_H
#define REPLICATION_CORE_INTERNAL_H

#include "lbnode/base/random.h"
#include "lbnode/model/message.h"
#include "replication/core.h"
#include "replication/core_verdicts.h"
#include "replication/core_wishes.h"
#include "replication/hlc.h"
#include "replication/snapshot_build.h"

enum {
    DATAGRAM_RECORD_MAXIMUM = 1100, /* larger records travel by stream */
    PENDING_PER_PEER = 1024,
    PENDING_PER_PEER_BYTES = 16 << 20,
    PENDING_BYTES = 64 << 20,
    UNWRITTEN_BYTES = 64 << 20, /* applied in memory alone, while the store fails */
    STAGE_RECORDS = 512,
    STAGE_SUBMITS = 64,
    COLLECT_CHANGES = 64,
    COLLECT_OWN_US = 5000,
    COLLECT_RECEIVED_US = 2000,
    SUBMIT_QUEUE = 1024,
    ANSWER_QUEUE = 1024,
    RECENT_RECORDS = 256, /* own records kept for resending */
    RUNNING_RING = 4096,
    RESEND_TRIES = 24,
    RESEND_WINDOW = 64,
    ACK_STREAMS = 16,      /* the latest of a peer; vectors tell about older ones */
    SNAPSHOT_AFTER = 5000, /* records that a node lacks */
    CHANGE_IDS = 100000,
    VOID_STREAMS = 1024,               /* of which nothing counts, and nothing is there */
    CLAIMS_MAXIMUM = VRRP_CLAIMS_TOLD, /* VRRP groups in a heartbeat */
    FACTS_MAXIMUM = 128,
    STORAGE_PROBE_US = 5000000, /* between attempts to write again */
    /* A day is promised; clocks may have jumped by a day either way since. */
    CHANGE_KEPT_MS = 3 * 24 * 3600 * 1000
};

static const uint64_t MS = 1000, SECOND = 1000000; /* microseconds */

/* Meta rows: one letter, then the name. */
static const char META_GENESIS = 'g', META_HLC = 'h', META_STREAM = 's', META_PEER = 'p';
static const char META_SETTLED = 'd';
/* There: something was purged or came as a snapshot, so applying the log from its beginning
 * does not give the state. What is not dead of it does. */
static const char META_RETAINED = 'r';

struct stream {
    uint64_t id;
    struct uuid node_id;
    uint8_t public_key[SIGN_PUBLIC_KEY_SIZE];
    uint64_t seq; /* applied in memory */
    uint8_t last_hash[HASH_SIZE];
    struct vv context;     /* dependencies of its last record, complete */
    uint64_t *hash_starts; /* of the records after hash_first; 0: not known */
    size_t hash_capacity;
    uint64_t hash_first;
    uint64_t incarnation; /* of the process that wrote it */
    uint64_t truncated;   /* the highest record that is no longer in the log */
    uint64_t kept;        /* records in the log */
    bool folded;          /* over, and nothing of it is left */
    uint64_t touched; /* the higher, the later a record of it came; 0: not in this process */
    bool refused;     /* equivocation */
    bool dirty;       /* to be written although no record came */
    uint8_t key_id[RECORD_KEY_ID_SIZE]; /* of the key that opened it */
    uint64_t limit;                     /* what counts of it, as the state is now */
    uint64_t lifted;                    /* its last record that removes a node; 0: none */
    uint64_t disowned;                  /* its first one that revokes its own; 0: none */
    struct uuid revokes; /* whom its first record revokes, doing nothing else; zero: nobody */
    /* What its author knew and this node had not, as it was void here then. */
    struct ahead *ahead;
    size_t ahead_count, ahead_capacity;
};

struct ahead {
    struct dot known;
    uint64_t since; /* the record of the stream that says so first */
};

struct change_row {
    struct uuid id;
    struct dot dot;
    struct change_row *older, *newer;
};

struct submission {
    struct change_set changes;
    struct uuid change_id, remove_node; /* remove_node: zero or whom to remove */
    bool compromised;                   /* its key is */
    struct uuid if_object;              /* zero, or what must have if_revision */
    uint64_t if_revision;
    char author[RECORD_AUTHOR_MAXIMUM + 1], via[RECORD_AUTHOR_MAXIMUM + 1];
    enum record_kind kind;
    uint64_t token, submitted_us;
    struct store_batch extra;
    struct uuid *known; /* objects that it says are alive and that were here already */
    size_t known_count, known_capacity;
    const struct sign_key *root; /* signs it; NULL: this node */
};

struct awaited {
    uint64_t token, submitted_us, durable_since_us; /* 0: no peer yet */
    struct uuid change_id;
    struct dot dot;
    bool persisted;
};

struct pending {
    struct record record; /* record.whole is owned */
    uint8_t hash[HASH_SIZE];
    struct uuid from;
    uint64_t arrived_us;
};

struct staged {
    struct dot dot;
    struct uuid node_id;
    char author[RECORD_AUTHOR_MAXIMUM + 1];
    size_t op_count;
    bool own;
};

struct advert_sources {
    struct ip_address items[VRRP_SOURCES_MAXIMUM];
    size_t count;
};

/* What a node says about its VRRP groups. */
struct claims {
    struct vrrp_claim items[CLAIMS_MAXIMUM];
    size_t count;
    struct advert_sources sources;
    uint64_t at_us; /* 0: it said nothing yet */
};

/* What follows for one claim of this node. */
struct advice {
    struct uuid group_id;
    uint8_t family;
    enum advice_kind kind;
    struct uuid rival; /* YIELD */
    bool winning;      /* a DUAL_ACTIVE that this node wins is going on */
    bool announce;
};

struct fact {
    struct evidence evidence;
    uint64_t since_us;
    bool reported;
};

struct facts {
    struct fact items[FACTS_MAXIMUM];
    size_t count;
};

/* A snapshot on its way here (core_snapshot.c). */
struct intake {
    struct snapshot_build *build;
    struct uuid from;
    uint64_t part_us; /* when the last part came */
    enum {
        INTAKE_PARTS,
        INTAKE_READY,      /* all is here: waits until no commit is under way */
        INTAKE_COLLECTING, /* what this node has above it is put on top */
        INTAKE_COMMITTING
    } state;
    size_t left_out; /* own records that did not fit on top */
};

struct peer {
    struct uuid id;
    enum peer_state state;
    bool heard;
    bool in_session; /* it answered a heartbeat of this process */
    uint64_t last_heard_us, rtt_us, next_heartbeat_us;
    int64_t offset_ms;
    bool skew_reported, divergence_reported;
    uint64_t their_sent_us, their_sent_at_us; /* to echo */
    uint64_t digest;                          /* of its vector, last heard */
    uint64_t differs_since_us, divergent_since_us, next_exchange_us, exchange_delay_us;
    uint64_t pull_until_us;                          /* a pull is under way until then */
    uint64_t pull_number, pulled_us, pull_resend_us; /* its number; last sent; 0: not again */
    unsigned pull_tries;
    uint64_t answered_pull;    /* number of the peer's that was answered */
    uint64_t vector_resend_us; /* 0: no VV is expected */
    unsigned vector_tries;
    uint64_t hash, hash_digest;          /* of its state at that digest */
    uint64_t unwanted_until_us, stop_us; /* its snapshots; when STOP was sent last */
    bool pull_again;
    /* Of the own stream: pushed up to here; received there without a gap, and beyond one (bit 0
     * is the number two above received). */
    uint64_t pushed, received, received_map;
    uint64_t resend_us; /* 0: no answer is expected */
    uint64_t resend_upto, resend_armed_us;
    unsigned resend_tries;
    bool resend_asks;          /* all is there, its commit is not known */
    uint64_t acked_us, ack_us; /* when the last ACK left; when the next one has to, or 0 */
    uint64_t last_ack;         /* hash of it: the same again is no news */
    struct vv durable, running;
    struct vv reported;     /* all that it had on disk at one moment, as it said last */
    uint64_t folded_digest; /* of its folded streams, as it said last */
    bool folded_known, durable_dirty;
    uint64_t seen_wall_ms; /* when it was heard last, before this start, too */
    bool absence_reported;
    uint64_t notice_us;
    struct verdict_exchange verdicts;
    uint64_t hears; /* bits of the roster */
    bool hears_known;
    uint64_t misses_us_since_us; /* it is heard and does not hear this node; 0: it does */
    bool storage_trouble;        /* it says that its store takes no writes */
    bool unheard;                /* it says that none of those it hears hears it */
    uint64_t full_exchange_us;   /* next comparison whatever the digests say */
    struct claims claims;
    uint64_t switch_asked_us; /* when it last asked for a planned switch; 0: never */
    struct probe_wish probe_wishes[PROBE_WISHES]; /* its last ones that were granted */
};

/* Changes that are collected for a commit. */
struct pace {
    size_t count;        /* queued */
    uint64_t since_us;   /* when the first of them came */
    size_t company;      /* the most that lately were under way at once */
    uint64_t arrived_us; /* when the last one came */
    uint64_t limit_us;   /* how long one may wait */
};

enum sweep_phase {
    SWEEP_RESTS,
    SWEEP_WAITS, /* until all nodes have the checkpoint */
    SWEEP_READS,
    SWEEP_EXPECTS_ROWS
};

/* See core_retention.c. */
struct sweep {
    enum sweep_phase phase;
    uint64_t next_us;
    struct vv checkpoint, stable; /* stable: what all nodes have */
    struct dot next_row;
    unsigned pressure;  /* how often the time that is kept has been halved */
    size_t needless;    /* records that stay for their youth alone */
    uint64_t review_us; /* when alarms are looked at next */
    bool tombstones_reported;
};

struct running_mark {
    uint64_t position;
    struct dot dot;
};

struct core {
    struct uuid node_id;
    const struct sign_key *key;
    uint8_t key_id[RECORD_KEY_ID_SIZE];
    uint64_t incarnation;
    struct random_sequence random;
    struct retention retention;
    struct core_now now; /* of the event being handled */

    bool initialised, removed;
    struct genesis genesis;
    uint64_t hlc;
    struct stream **streams; /* by id */
    size_t stream_count, stream_capacity;
    uint64_t own_stream; /* 0: none yet in this process */
    uint64_t log_bytes;
    unsigned log_holds; /* above 0: nothing is removed from the log */
    uint64_t snapshot_after;
    struct intake *intake; /* NULL: none */
    struct facet_table facets;
    struct roster roster;
    bool roster_dirty;
    struct uuid_map changes; /* change_id -> struct change_row */
    struct change_row *oldest_change, *newest_change;

    struct vv applied, durable, shown; /* shown: durable, clipped to the cut-offs */
    struct vv void_openings;
    uint64_t digest;      /* of shown */
    uint64_t hash_digest; /* the digest when state_hash was made */
    uint8_t state_hash[HASH_SIZE];
    bool hash_known;
    uint64_t position, durable_position, touches;
    struct uuid last_change; /* applied; zero: none yet */
    struct vv running;
    struct running_mark marks[RUNNING_RING];
    size_t mark_first, mark_count;

    struct submission *submissions;
    size_t submission_count, submission_capacity;
    struct pace own_pace, received_pace;
    struct awaited *awaited;
    size_t awaited_count, awaited_capacity;
    struct pending *pending;
    size_t pending_count, pending_capacity, pending_bytes;
    bool pending_dirty; /* something may have become applicable */
    bool streams_dirty;
    struct staged *staged;
    size_t staged_count, staged_capacity;
    bool committing;
    char storage_problem[200];
    uint64_t storage_probe_us;
    struct sweep sweep;
    struct vv settled;           /* all nodes have that: none of it can become void any more */
    uint64_t settle_us;          /* when that is looked at next */
    uint64_t unsettled_until_us; /* until then nothing is: a node was taken out lately */
    bool settled_dirty;
    size_t ahead_count;           /* of all streams */
    struct store_batch cleaning;  /* rows of a sweep, for the next batch */
    bool cleaned;                 /* the batch under way has some */
    struct store_batch unwritten; /* of records applied while the store fails; all staged */
    struct {
        uint64_t seq, pushed_us;
        struct bytes bytes;
    } recent[RECENT_RECORDS]; /* at seq % RECENT_RECORDS */

    struct peer **peers; /* active nodes but this one */
    size_t peer_count;
    uint64_t peers_saved_us;
    struct claims claims; /* of this node */
    struct facts facts;
    struct advice advice[CLAIMS_MAXIMUM]; /* as the claims of this node were last reviewed */
    size_t advice_count;
    bool has_news;       /* of what core_take_outlook tells */
    uint64_t started_us; /* of this process, or a little later */
    uint64_t health_seq;
};

/* core.c */
struct core_action *core_act(struct core_actions *actions, enum core_action_kind kind);
void core_act_event(struct core_actions *actions, enum event_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes the writer's bytes. */
void core_act_send(struct core_actions *actions,
                   const struct uuid *peer,
                   enum frame_type type,
                   struct wire_writer *body);
struct stream *core_stream(const struct core *core, uint64_t id);
struct stream *core_stream_add(struct core *core, uint64_t id);
void core_stream_note_hash(struct stream *stream, uint64_t seq, const uint8_t hash[HASH_SIZE]);
/* The start of that record's hash; 0: not known any more. */
uint64_t core_stream_hash(const struct stream *stream, uint64_t seq);
/* It is the newest now; for want of room the oldest one goes. */
void core_change_note(struct core *core, const struct uuid *id, struct dot dot);
void core_change_forget(struct core *core, const struct uuid *id);
/* After a change of node objects: roster, peers, and events about who came and went. */
void core_refresh_roster(struct core *core, struct core_actions *actions);
void core_refresh_shown(struct core *core);
bool core_refresh_hash(struct core *core);
const char *core_node_name(const struct core *core, const struct uuid *id);

/* core_void.c */
/* Between the record that names a new key and that key nobody would take what is signed. */
bool core_may_sign(const struct core *core, struct error *error);
/* The key named KEY_ID that node ID has or had, whatever the roster says of the node now: how
 * far its streams count is a matter of its own. False: not known. */
bool core_find_key(const struct core *core,
                   const struct uuid *id,
                   const uint8_t key_id[RECORD_KEY_ID_SIZE],
                   uint8_t out[SIGN_PUBLIC_KEY_SIZE]);
/* Notes whom RECORD revokes, the first of STREAM, if that is all that it does: it counts also
 * when that node revoked its author meanwhile. */
void core_note_revocation(struct stream *stream, const struct record *record);
/* Up to which seq records of STREAM count; UINT64_MAX: no limit. */
uint64_t core_cutoff(const struct core *core, const struct stream *stream);
/* The same of the stream that RECORD opens or goes on with. */
uint64_t core_cutoff_of(const struct core *core, const struct record *record);
/* After the roster has changed: what is void now no longer counts, what was no longer is. */
void core_judge(struct core *core, struct store_batch *batch, struct core_actions *actions);
/* RECORD is about to be applied to STREAM: notes what its author knew and this node does not
 * have. */
void core_note_ahead(struct core *core, struct stream *stream, const struct record *record);
/* Was a record applied whose author knew DOT, while that was void and not here? Then nothing
 * else waits for it either. */
bool core_goes_without(const struct core *core, struct dot dot);
/* For struct facet_stamp: NULL unless some record here knew RECORD. */
bool (*core_late_judge(const struct core *core,
                       const struct record *record))(const void *, struct dot, struct dot);
/* A void record that waits: does it, or what follows it, remove a node, by one that was itself
 * removed meanwhile? Then the stream counts up to there. */
bool core_lift(struct core *core, struct stream *stream);
/* May STREAM be lifted: is its node removed, and its key in good hands? */
bool core_may_lift(const struct core *core, const struct stream *stream);
/* The roster was BEFORE what it says now: who was taken out may have taken out others itself,
 * not knowing, and what it says counts. */
void core_note_departures(struct core *core, const struct roster *before);
/* That was lately: what all nodes have may yet become void, and what is void may count again.
 */
bool core_may_regain(const struct core *core);
/* What is replaced for good is forgotten: now and then, or at once. */
void core_settle(struct core *core);
void core_settle_now(struct core *core);
void core_put_settled(struct core *core, struct store_batch *batch);
/* With what authors knew of streams that are void here. */
void core_add_ahead(const struct core *core, const struct stream *own, struct vv *out);

/* core_submit.c */
void core_submission_free(struct submission *submission);
void core_submit(struct core *core,
                 const struct core_event *event,
                 struct core_actions *actions);
void core_check_answers(struct core *core, struct core_actions *actions);
void core_fail_answers(struct core *core, struct core_actions *actions);
void core_refuse_submissions(struct core *core, struct core_actions *actions);
unsigned core_changes_behind(const struct core *core, const struct vv *theirs);

/* core_receive.c */
void core_receive_record(struct core *core,
                         struct bytes whole,
                         const struct uuid *from,
                         struct core_actions *actions);
/* The void streams that the peer names in BODY, of PULL_END. */
void core_take_void_streams(struct core *core, struct bytes body);
/* Something has come that the next batch may take. */
bool core_has_arrivals(const struct core *core);
void core_expire_pending(struct core *core);
void core_pending_drop(struct core *core, size_t index);

/* core_stage.c */
void core_stage(struct core *core, struct core_actions *actions);
void core_persisted(struct core *core, int result, struct core_actions *actions);
void core_set_running(struct core *core, uint64_t position, struct core_actions *actions);
void core_encode_stream(const struct stream *stream, struct store_batch *batch);
/* Adds the stream that a row is about; false when malformed. */
bool core_decode_stream(struct core *core, uint64_t id, struct bytes row);

void core_put_record(struct store_batch *batch, const struct record *record);
void core_put_change(const struct core *core,
                     struct store_batch *batch,
                     const struct record *record);
void core_put_peers(struct core *core, struct store_batch *batch);
void core_put_clock(const struct core *core, struct store_batch *batch);
/* Applies a record that was verified before; false when it cannot be applied now. AS_VOID: it
 * opens a stream and is void: only what it would replace is noted, should it count again. */
bool core_apply_known(struct core *core,
                      const struct record *record,
                      bool as_void,
                      struct store_batch *batch,
                      struct core_actions *actions);

/* core_snapshot.c */
void core_snapshot_part(struct core *core,
                        struct peer *peer,
                        uint32_t frame_type,
                        struct bytes body,
                        struct core_actions *actions);
void core_snapshot_stop(const struct peer *peer,
                        struct bytes body,
                        struct core_actions *actions);
bool core_snapshot_is_ready(const struct core *core);
void core_collect(struct core *core, struct core_actions *actions);
void core_take_kept(struct core *core, struct bytes record);
void core_switch(struct core *core, int result, struct core_actions *actions);
void core_snapshot_persisted(struct core *core, int result, struct core_actions *actions);
void core_snapshot_tick(struct core *core, struct core_actions *actions);
/* Does a node that has HAVE lack so much, or something that the log no longer has? */
bool core_needs_snapshot(const struct core *core, const struct vv *have);
void core_intake_free(struct core *core);

/* core_retention.c */
/* What every active node has on its disk, as far as it said so. */
void core_stable(const struct core *core, struct vv *out);
void core_sweep_init(struct core *core);
void core_sweep(struct core *core, struct core_actions *actions);
uint64_t core_sweep_due_us(const struct core *core); /* UINT64_MAX: not now */
void core_put_retained(struct store_batch *batch);
void core_take_log_rows(struct core *core, const struct core_event *event);

/* core_vectors.c */
struct vector_frame {
    struct vv vector;
    bool is_complete; /* else folded streams may be missing in it */
    bool wants_reply;
};
/* Must the record of CHANGES name folded streams among its dependencies? */
bool core_names_folded(const struct core *core, const struct change_set *changes);
void core_put_vector(const struct core *core,
                     const struct peer *peer,
                     bool wants_reply,
                     struct wire_writer *out);
/* Notes what it tells about the peer's folded streams. False: malformed. */
bool core_take_vector(const struct core *core,
                      struct peer *peer,
                      struct bytes body,
                      struct vector_frame *out);

/* core_revive.c: notes which objects the change can only revive, as they were made before. */
void core_note_revivals(const struct core *core, struct submission *submission);
/* Adds what a change that revives an object has to say besides. False: that is too much, or
 * such an object is gone since it was noted. */
bool core_complete_revivals(const struct core *core,
                            struct submission *submission,
                            struct error *error);

/* core_removal.c: the change that marks a node removed, with how far its streams count. */
bool core_plan_removal(const struct core *core,
                       const struct uuid *id,
                       bool compromised,
                       struct change_set *out,
                       struct error *error);

/* core_peers.c */
struct peer *core_peer(const struct core *core, const struct uuid *id);
void core_peer_free(struct peer *peer);
void core_peers_refresh(struct core *core);
bool core_peer_is_alive(const struct peer *peer);

/* core_gossip.c */
/* Heartbeat to a peer that can be reached from now on. */
void core_greet(struct core *core, const struct uuid *id, struct core_actions *actions);
void core_frame(struct core *core,
                const struct core_event *event,
                struct core_actions *actions);
void core_tick(struct core *core, struct core_actions *actions);
void core_request_pull(struct core *core, struct peer *peer, struct core_actions *actions);

/* core_pace.c */
/* A change has been queued; UNDER_WAY, with it, are not answered or committed yet. */
void pace_arrival(struct pace *pace, uint64_t now_us, size_t under_way);
bool pace_is_due(const struct pace *pace, uint64_t now_us);
/* What is queued is committed now. */
void pace_commit(struct pace *pace, uint64_t now_us);
/* When the commit is due, at the latest NEXT_US. */
uint64_t pace_next_us(const struct pace *pace, uint64_t next_us);

/* core_acks.c */
enum ack_occasion {
    ACK_RECEIVED, /* the commit is most likely near: together with that */
    ACK_DURABLE,  /* what it changed runs shortly: together with that */
    ACK_RUNNING,
    ACK_ASKED /* also without news: the last one may have been lost */
};
/* Tells node ID what of its own streams is received, durable and running here, when it is time
 * for OCCASION. */
void core_acknowledge(struct core *core,
                      const struct uuid *id,
                      enum ack_occasion occasion,
                      struct core_actions *actions);
/* Own records are durable: to everybody who can hear. */
void core_push(struct core *core, struct core_actions *actions);
/* PEER has more than before: on to what was pushed meanwhile, and to what had no room. */
void core_follow_ack(struct core *core, struct peer *peer, struct core_actions *actions);
/* A new own stream: nobody has anything of it. */
void core_forget_pushes(struct core *core);
void core_handle_ack(struct core *core,
                     struct peer *peer,
                     struct bytes body,
                     struct core_actions *actions);
void core_tick_acks(struct core *core, struct peer *peer, struct core_actions *actions);
/* When something of PEER is due, at the latest NEXT_US. */
uint64_t core_next_ack_us(const struct peer *peer, uint64_t next_us);

/* core_evidence.c */
void core_put_liveness(const struct core *core, struct wire_writer *body);
void core_take_liveness(struct core *core, struct peer *peer, struct bytes body);
void core_set_claims(struct core *core, const struct vrrp_claim *claims, size_t count);
bool core_peer_hears(const struct core *core, const struct peer *peer, const struct uuid *whom);
/* Does none of those that this node hears hear it? Not so where it hears nobody. */
bool core_is_missed_by_all(const struct core *core);
void core_review_evidence(struct core *core, struct core_actions *actions);

bool core_claims_are_fresh(const struct core *core, const struct peer *peer);
/* The claim of CLAIMS for the same group as WANTED; NULL: none. */
const struct vrrp_claim *core_claim_for(const struct claims *claims,
                                        const struct vrrp_claim *wanted);
/* Active, and for longer than adverts need to settle it. */
bool core_claim_is_active(const struct core *core,
                          const struct claims *claims,
                          const struct vrrp_claim *claim);

/* core_advice.c */
/* A peer's claims as they were and as they are now. */
void core_compare_claims(struct core *core, const struct claims *old, const struct claims *now);
/* After the facts were reviewed. */
void core_review_advice(struct core *core);
void core_tell_outlook(struct core *core, struct core_actions *actions);

#endif

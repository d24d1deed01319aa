/* The replicated state: signed change sets, causal merge, LMDB, gossip. Owned by the control
 * process; one loop, all calls and callbacks on its thread. Commits run in an own writer
 * thread. Rules: docs/architecture.md, "Replication"; wire format: docs/protocol.md. */
#ifndef REPLICATION_REPLICATION_H
#define REPLICATION_REPLICATION_H

#include "lbnode/base/error.h"
#include "lbnode/base/event_codes.h"
#include "lbnode/base/ip_address.h"
#include "lbnode/base/text_list.h"
#include "lbnode/base/wire.h"
#include "lbnode/crypto/secret_box.h"
#include "lbnode/loop/loop.h"
#include "lbnode/model/change_set.h"
#include "lbnode/model/configuration.h"
#include "replication/errand.h"
#include "replication/history.h"
#include "replication/shared_verdict.h"

struct replication;

/* How long what was replaced or deleted is kept. Without limits (0) all of it is. */
struct retention {
    uint64_t keep_ms;    /* younger records and tombstones stay; 0: nothing ever goes */
    uint64_t keep_bytes; /* while the log has more, younger records go, too; 0: no limit */
};

/* How nodes speak to each other. The highest that a node speaks stands in its object. */
enum replication_protocol {
    REPLICATION_PROTOCOL_SIGNED = 1,  /* packets that are signed */
    REPLICATION_PROTOCOL_SESSIONS = 2 /* sessions; signed packets to who speaks 1 only */
};

struct replication_settings {
    const char *state_dir; /* exists, writable; holds node.key, config.mdb */
    int key_fd; /* above 0: instead of node.key; open until replication_open returned */
    const char *node_name;
    struct ip_endpoint listen;      /* gossip, UDP and TCP; address may be 0.0.0.0 or :: */
    struct text_list addresses;     /* endpoints that peers reach us at, 1..4 */
    struct ip_address vrrp_address; /* for adverts; family 0: the first of addresses */
    uint64_t incarnation;           /* at least this; raised to persisted + 1 */
    uint64_t snapshot_after;        /* records that a node lacks at most; 0: 5,000 */
    struct retention retention;
    uint16_t protocol; /* the highest to speak; 0: that of the release */
};

struct replication_handler {
    /* Facets changed durably (own or remote change). POSITION counts applied changes on this
     * node; control projects, hands the snapshot on and reports it with
     * replication_set_running. */
    void (*applied)(void *context, uint64_t position);
    void (*event)(void *context, enum event_code code, const char *text);
    /* A peer's verdict about MEMBER_KEY (first 8 bytes of the member's id). */
    void (*verdict)(void *context,
                    const struct uuid *author,
                    const uint8_t member_key[8],
                    const struct shared_verdict *verdict);
    /* The node ASKER wants a planned switch of what is active here: GROUP_ID (zero: all) to the
     * node TO (zero: whoever is best). At most once a second of each node. May be NULL. */
    void (*switch_asked)(void *context,
                         const struct uuid *asker,
                         const struct uuid *group_id,
                         const struct uuid *to);
    void *context;
    /* replication_take_outlook has news. May be NULL. */
    void (*outlook)(void *context);
    /* replication_visit_unconfirmed has news. May be NULL. */
    void (*unconfirmed)(void *context);
    /* The node ASKER wants the members of a pool probed now, and to hear of it by verdicts. At
     * most once a second of each node and pool. May be NULL. */
    void (*probe_asked)(void *context, const struct uuid *asker, const struct uuid *pool_id);
    /* PEER lacks verdicts of this node: replication_send_all_verdicts. At most once a second of
     * each node. May be NULL. */
    void (*verdicts_wanted)(void *context, const struct uuid *peer);
};

/* Opens or creates the store; does not touch the network before replication_start. NULL with
 * ERROR (what to do about it in the text). */
struct replication *replication_open(struct loop *loop,
                                     const struct replication_settings *settings,
                                     const struct replication_handler *handler,
                                     struct error *error);
/* Binds the sockets and starts to gossip. 0 or -errno with ERROR. */
int replication_start(struct replication *replication, struct error *error);
void replication_close(struct replication *replication); /* waits for the running commit */

/* ---- identity and membership ----------------------------------------------------------------
 */

enum {
    RECOVERY_CODE_SIZE = 80,
    JOIN_TOKEN_SIZE = 256,
    JOIN_FINGERPRINT_SIZE = 64
};

/* Who sealed values anew, in the `via` of such a change. */
#define REPLICATION_VIA_KEYS "keys"

/* The data keys that this node can open, the newest first, at most CAPACITY; returns how
 * many. Valid until the next turn of the loop. */
size_t replication_data_keys(const struct replication *replication,
                             struct secret_box_key *out,
                             size_t capacity);
bool replication_is_initialised(const struct replication *replication);
const struct uuid *replication_node_id(const struct replication *replication);
/* Is ID that of the cluster's root key, which wrote a change when a node was recovered? */
bool replication_is_root(const struct replication *replication, const struct uuid *id);
const struct uuid *replication_cluster_id(const struct replication *replication);
const char *replication_node_name(const struct replication *replication);
const char *replication_cluster_name(const struct replication *replication); /* "": none yet */

typedef void replication_done(void *context, const struct error *error); /* kind NONE: done */

/* A new key for this node: with the record that names it all that the old one signs is void.
 * Its tokens are void then, too. DONE: it is in force, and all nodes know it, or those that do
 * not learn it in the background (replication_visit_unaware). False with ERROR: nothing was
 * done. */
bool replication_rekey(struct replication *replication,
                       const char *author,
                       const char *via,
                       replication_done *done,
                       void *context,
                       struct error *error);
/* The nodes that do not know this node's new key yet. */
void replication_visit_unaware(const struct replication *replication,
                               void (*visit)(void *context, const char *name),
                               void *context);
/* This node was in the cluster, and others have removed it. It stays so. */
bool replication_was_removed(const struct replication *replication);

/* Starts a cluster of one: genesis, this node, the vrrp group "default". The recovery code is
 * shown once and kept nowhere. DONE is called after the commit. */
bool replication_init(struct replication *replication,
                      const char *cluster_name,
                      char out_recovery_code[RECOVERY_CODE_SIZE],
                      replication_done *done,
                      void *context,
                      struct error *error);
/* Virtual router ids (indexes, 256 of them) that the first group of a cluster should not get,
 * as long as others are left: call before replication_init. */
void replication_avoid_vrids(struct replication *replication, const bool *avoided);
/* A one-time token that lets one node join through this one within TTL_S seconds. */
bool replication_token_create(struct replication *replication,
                              uint32_t ttl_s,
                              char out_token[JOIN_TOKEN_SIZE],
                              struct error *error);
enum token_state {
    TOKEN_OPEN,
    TOKEN_USED, /* by NODE_ID, with that fingerprint */
    TOKEN_EXPIRED,
    TOKEN_SPOILT /* it was tried with wrong proofs too often */
};

struct token_view {
    char id[17]; /* names it; no secret */
    enum token_state state;
    uint64_t created_wall_ms, expires_wall_ms;
    unsigned wrong_proofs;
    struct uuid node_id;
    char fingerprint[JOIN_FINGERPRINT_SIZE]; /* "": none */
};

/* The tokens of this node, until they expire. */
void replication_visit_tokens(const struct replication *replication,
                              void (*visit)(void *context, const struct token_view *token),
                              void *context);
/* Takes a token back, by its id. */
bool replication_token_delete(struct replication *replication,
                              const char *id,
                              struct error *error);
/* The words that this node showed when NODE_ID joined by a token of it, or it itself by one of
 * another node. False, and "": it took no part in that. */
bool replication_fingerprint(const struct replication *replication,
                             const struct uuid *node_id,
                             char out[JOIN_FINGERPRINT_SIZE]);
/* Joins the cluster that TOKEN names; refused when this node has configuration of its own. */
void replication_join(struct replication *replication,
                      const char *token,
                      replication_done *done,
                      void *context);

/* ---- changes --------------------------------------------------------------------------------
 */

struct submit_options {
    struct uuid change_id; /* zero: a fresh one; same id again: same answer, nothing twice */
    const char *author;    /* principal, "root" */
    const char *via;       /* "cli", "api" */
    bool require_replica;  /* refuse when no peer is alive */
    /* Not zero: refuse unless this object still has this revision when the change is signed. */
    struct uuid if_object;
    uint64_t if_revision;
    /* Not zero: noted with the change on this node's disk that it is to be undone then unless
     * replication_confirm comes first; see replication_visit_unconfirmed. */
    uint64_t undo_at_ms, undo_after_ms;
    struct uuid settles; /* zero, or the change of which that note goes with this one */
};

struct submit_result {
    struct error error; /* kind NONE: committed on this node */
    struct uuid change_id;
    unsigned peers;         /* other active nodes of the roster */
    unsigned peers_alive;   /* of them reachable now */
    unsigned peers_durable; /* of them known to have it on disk */
    unsigned peers_running; /* of them known to run it */
    unsigned waiting;       /* own changes that no peer has yet */
    unsigned elapsed_ms;
    char text[256]; /* for people: "committed, replicated to 1/1 peers in 6 ms" */
};

typedef void submit_done(void *context, const struct submit_result *result);

/* Signs, commits (fsync) and pushes CHANGES (copied). DONE is called once: after the commit
 * when no peer is alive, else when a peer confirmed or 500 ms passed. */
void replication_submit(struct replication *replication,
                        const struct change_set *changes,
                        const struct submit_options *options,
                        submit_done *done,
                        void *context);
/* Marks a node removed, with cut-offs for its streams (a roster record): what has reached this
 * node counts. COMPROMISED: it is revoked, so of several such records the lowest cut-offs
 * count.
 */
void replication_remove_node(struct replication *replication,
                             const struct uuid *node_id,
                             bool compromised,
                             const struct submit_options *options,
                             submit_done *done,
                             void *context);
/* ---- keys ---------------------------------------------------------------------------------
 */

enum key_use {
    KEY_IN_USE,
    KEY_COMING, /* newer than the one in use: not all nodes have it yet */
    KEY_GOING   /* older: it goes in a moment */
};

/* A secret key of the cluster, as people see it. */
struct key_summary {
    char id[9]; /* first digits of its name */
    enum key_purpose purpose;
    enum key_use use;
    uint64_t created_ms; /* wall clock */
    const char *lacks;   /* node that does not have it on its disk, as far as is known; NULL */
    const char *knows;   /* node that was removed and had it; NULL */
};

/* The newest first, of each purpose. */
void replication_visit_keys(const struct replication *replication,
                            void (*visit)(void *context, const struct key_summary *key),
                            void *context);
/* A new key of each purpose in PURPOSES (bits, 1 << enum key_purpose) for all active nodes.
 * Once all of them have it, it is used, and the older ones go. Refused while too many are
 * there; the error tells which node the last one waits for. */
void replication_rotate_keys(struct replication *replication,
                             unsigned purposes,
                             const struct submit_options *options,
                             submit_done *done,
                             void *context);

/* A change of this node that somebody wants undone at that moment. Replication only remembers
 * it, over restarts; who undoes it is the caller. */
struct unconfirmed {
    struct uuid change_id;
    uint64_t undo_at_ms, undo_after_ms; /* wall clock; how long after the change that was */
    bool being_confirmed;               /* on its way to the disk: not to be undone now */
};

/* What is left of its time by the wall clock; never more than it had. */
static inline uint64_t unconfirmed_rest_ms(const struct unconfirmed *change, uint64_t wall_ms)
{
    uint64_t rest_ms = change->undo_at_ms > wall_ms ? change->undo_at_ms - wall_ms : 0;
    return rest_ms < change->undo_after_ms ? rest_ms : change->undo_after_ms;
}

void replication_visit_unconfirmed(const struct replication *replication,
                                   void (*visit)(void *context,
                                                 const struct unconfirmed *change),
                                   void *context);
/* The change stays: DONE is called when that is on disk, or could not be written; not when
 * replication is closed first. False with ERROR, and DONE is not called: it does not wait for
 * that on this node (any more). */
bool replication_confirm(struct replication *replication,
                         const struct uuid *change_id,
                         replication_done *done,
                         void *context,
                         struct error *error);
/* Applied changes up to now, as given to `applied`; grows over restarts too. */
uint64_t replication_position(const struct replication *replication);
/* The newest change applied since this process started; zero: none. */
const struct uuid *replication_last_change(const struct replication *replication);
/* The proxy runs everything up to POSITION (sent to the peers in acks). */
void replication_set_running(struct replication *replication, uint64_t position);

/* ---- reading --------------------------------------------------------------------------------
 */

/* Every facet with its winning value, grouped by object. Stops when VISIT returns false. */
void replication_visit_facets(const struct replication *replication,
                              bool (*visit)(void *context, const struct raw_facet *facet),
                              void *context);

/* What changed since replication_visit_changed was called last. ALL: everything there is, and
 * what the caller knew is void (the first time, and after the state was loaded anew). */
struct changed_objects {
    bool all;
    const struct uuid *ids; /* each once; valid until the next turn of the loop */
    size_t count;
};

struct changed_objects replication_changed(const struct replication *replication);
/* As replication_visit_facets, for the changed objects alone, each with all its facets; they
 * are no longer news then. */
void replication_visit_changed(struct replication *replication,
                               bool (*visit)(void *context, const struct raw_facet *facet),
                               void *context);

enum peer_state {
    PEER_NEVER_SEEN,
    PEER_IS_ALIVE,
    PEER_IS_SUSPECT,
    PEER_IS_UNREACHABLE
};

struct peer_view {
    struct uuid node_id;
    const char *name;
    enum peer_state state;
    uint64_t last_heard_ms_ago; /* UINT64_MAX: never */
    uint32_t round_trip_us;
    int64_t clock_offset_ms;
    unsigned changes_behind;  /* of ours that it lacks */
    bool in_sync;             /* its vector equals ours */
    uint64_t verdicts_ms_ago; /* since it last confirmed that the verdicts that came from it are
                                 all it has; UINT64_MAX: never */
    bool storage_trouble;     /* it answers, and says that its store takes no writes */
    uint64_t session_ms_ago;  /* when the session with it began; UINT64_MAX: there is none */
    uint16_t protocol;        /* that is spoken with it; 0: none */
    uint16_t key_version;     /* of the cluster's secret, in a session */
    struct ip_endpoint endpoint;
};

void replication_visit_peers(const struct replication *replication,
                             void (*visit)(void *context, const struct peer_view *peer),
                             void *context);

/* How many datagrams became what since the start: OUTCOME is a word. */
void replication_visit_datagrams(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const char *outcome,
                                               uint64_t count),
                                 void *context);
/* The same of TCP connections that others opened. */
void replication_visit_streams(const struct replication *replication,
                               void (*visit)(void *context,
                                             const char *outcome,
                                             uint64_t count),
                               void *context);

/* The state of a peer on its way here, because this node lacks too much for single records. */
struct bootstrap_view {
    struct uuid from;
    const char *name;          /* of that node */
    uint64_t taken, announced; /* records */
};

/* False: none is under way. */
bool replication_bootstrap(const struct replication *replication, struct bootstrap_view *out);

struct conflict_entry {
    struct bytes value; /* facet bytes */
    uint64_t wall_ms;
    struct uuid node_id;
    const char *author;
    bool is_active;
};

enum conflict_kind {
    CONFLICT_VALUE,    /* concurrent values of one facet */
    CONFLICT_LATE_EDIT /* deleted here, edited there: the deletion first, then the newest edit
                        */
};

struct conflict_view {
    struct uuid object_id;
    uint8_t type;
    uint16_t facet;
    const struct conflict_entry *entries; /* the active one first, the others by age */
    size_t entry_count;
    struct uuid owner;
    enum conflict_kind kind;
};

void replication_visit_conflicts(const struct replication *replication,
                                 void (*visit)(void *context,
                                               const struct conflict_view *conflict),
                                 void *context);

/* Every facet of one object with all its entries, whether in conflict or not. */
void replication_visit_entries(const struct replication *replication,
                               const struct uuid *object_id,
                               void (*visit)(void *context, const struct conflict_view *facet),
                               void *context);

/* ---- backup and restore ---------------------------------------------------------------------
 *
 * A backup is the concatenation of pages, one message: {1 version, 2 genesis, 3 wall ms, 4 node
 * that made it, 5 vector entries, 6 roster lines "ID NAME", 7 records in causal order}. When
 * the log is truncated, 7 are the parts of a snapshot instead (backup_parts.h). */

/* The page after what HAVE (empty: the first page; else the OUT_HAVE of the page before)
 * covers, up to 1 MiB of records. OUT_MORE: another one follows. */
bool replication_backup_page(struct replication *replication,
                             struct bytes have,
                             struct wire_writer *out_page,
                             struct wire_writer *out_have,
                             bool *out_more,
                             struct error *error);

struct restore_result {
    struct error error; /* kind NONE: everything that verifies is merged and on disk */
    size_t offered, merged;
};

typedef void restore_done(void *context, const struct restore_result *result);

/* Merges RECORDS (copied; field 7 of a backup, in its order) as if a peer had sent them:
 * nothing is rolled back, what is known already is skipped. A node in no cluster becomes part
 * of that of GENESIS; from the parts of a snapshot it takes the state when the last has come.
 * One at a time. */
void replication_restore(struct replication *replication,
                         struct bytes genesis,
                         const struct bytes *records,
                         size_t count,
                         restore_done *done,
                         void *context);

/* A new cluster out of a backup of another one, on a node that is in none: new id, new root
 * key, this node alone in the roster; the objects of the backup, nodes excepted, become changes
 * of this node. First its parts are gathered (copied): GENESIS and RECORDS as in the backup;
 * FIRST forgets earlier parts. Parts that nobody goes on with for a minute are forgotten. */
bool replication_refound_gather(struct replication *replication,
                                bool first,
                                struct bytes genesis,
                                const struct bytes *records,
                                size_t count,
                                struct error *error);

struct refound_result {
    size_t offered, applied, objects; /* records of the backup; good ones; objects kept */
    char recovery_code[RECOVERY_CODE_SIZE];
};

/* Starts the cluster, under CLUSTER_NAME (NULL: the old one's). All or nothing: DONE tells
 * whether it is on disk. False with ERROR, and DONE is not called, when it is refused. */
bool replication_refound(struct replication *replication,
                         const char *cluster_name,
                         struct refound_result *out,
                         replication_done *done,
                         void *context,
                         struct error *error);

/* Hash over the raw state: equal on nodes that have the same changes. */
void replication_state_hash(const struct replication *replication, uint8_t out[32]);
/* "" or why writes are refused. */
const char *replication_storage_problem(const struct replication *replication);

/* ---- who hears whom, who is active
 * ------------------------------------------------------------
 */

enum {
    VRRP_CLAIMS_TOLD = 16 /* in a heartbeat, at most */
};

/* What this node says about one VRRP group, for peers (replication.md 10). */
struct vrrp_claim {
    struct uuid group_id;
    uint8_t family, vrid;
    uint8_t state; /* enum vrrp_state */
    uint8_t priority;
    uint8_t hindrance; /* enum hindrance: why the node should not be active */
    uint32_t advert_ms;
    uint64_t since_ms_ago;    /* age of the state */
    uint64_t told_ms_ago;     /* when the election last said so: it may hang since */
    struct ip_address source; /* of its adverts; family 0: not known */
};

/* Replaces what heartbeats say of this node: the first 16 claims, and the first 16 different
 * sources of all of them; call again whenever a state changes, and at least each second. */
void replication_set_vrrp_claims(struct replication *replication,
                                 const struct vrrp_claim *claims,
                                 size_t count);

enum evidence_kind {
    EVIDENCE_LINK_DOWN,     /* E1: another node hears OTHER_ID, this one does not */
    EVIDENCE_ONE_WAY,       /* E2: OTHER_ID is heard and does not hear this node */
    EVIDENCE_TRANSMIT_DEAD, /* E3: nobody that this node hears hears it: VRRP must give way */
    EVIDENCE_DUAL_ACTIVE,   /* E4: this node and OTHER_ID are active for GROUP_ID at once */
    EVIDENCE_NO_ACTIVE,     /* E5: all nodes answer, and nobody is active for GROUP_ID */
    EVIDENCE_ISOLATED,      /* E6: no other node answers */
    EVIDENCE_CLONED         /* E7: OTHER_ID runs twice, with one key */
};

struct evidence {
    enum evidence_kind kind;
    struct uuid node_id, other_id, group_id; /* zero where the kind says nothing of them */
    uint8_t family;
    uint8_t other_priority; /* DUAL_ACTIVE: of the rival */
    uint64_t since_ms_ago;
    char text[200]; /* for people */
};

/* What holds now. Each begins with an event of its name (ISOLATED without). */
void replication_visit_evidence(const struct replication *replication,
                                void (*visit)(void *context, const struct evidence *evidence),
                                void *context);

/* What follows from all that for the election of this node. */
enum advice_kind {
    ADVICE_NONE,
    ADVICE_UNHEARD, /* TRANSMIT_DEAD, and a node that is heard can serve: give way */
    ADVICE_YIELD    /* DUAL_ACTIVE, and RIVAL comes first by VRRP's order: give way */
};

struct vrrp_advice {
    struct uuid group_id;
    uint8_t family;
    enum advice_kind kind;
    bool announce;     /* somebody else may have had the addresses: tell the neighbours again */
    const char *rival; /* YIELD: its name; else "" */
};

/* The addresses that adverts of a node come from, as it said in a live session: one in which it
 * answered a heartbeat of this process. */
struct vouched_node {
    struct uuid node_id;
    const struct ip_address *sources;
    size_t source_count;
};

struct outlook_visitor {
    void (*vouched)(void *context, const struct vouched_node *node);
    void (*advice)(void *context, const struct vrrp_advice *advice); /* each claimed group */
    void *context;
};

/* See errand.h. False, and nothing is done, while too many wait, or the store is being opened
 * anew. */
bool replication_run_errand(struct replication *replication, const struct errand *errand);

/* All of it as it is now; `announce` is said once. */
void replication_take_outlook(struct replication *replication,
                              const struct outlook_visitor *visitor);

/* The node, other than this one, that says it is active for the group and family (4, 6). As old
 * as its last heartbeat. False: none says so. */
bool replication_find_owner(const struct replication *replication,
                            const struct uuid *group_id,
                            uint8_t family,
                            struct uuid *out);

/* What the node says of the group and family, as old as its last heartbeat. False: the node
 * does not answer, or says nothing of it. */
bool replication_find_claim(const struct replication *replication,
                            const struct uuid *node_id,
                            const struct uuid *group_id,
                            uint8_t family,
                            struct vrrp_claim *out);

/* Asks the node to give the group away, as `switch_asked` of its handler. One datagram: whoever
 * asks sees by the claims whether it was heard. */
void replication_ask_switch(struct replication *replication,
                            const struct uuid *node_id,
                            const struct uuid *group_id,
                            const struct uuid *to);

/* ---- health verdicts for peers --------------------------------------------------------------
 */

/* Sends what changed to all peers. They ask for all verdicts when they notice that they lack
 * some; heartbeats tell them that what they have still holds. */
void replication_publish_verdicts(struct replication *replication,
                                  const struct shared_verdict *verdicts,
                                  size_t count);
/* All that this node has, for PEER; VERDICTS_MAXIMUM at most. */
void replication_send_all_verdicts(struct replication *replication,
                                   const struct uuid *peer,
                                   const struct shared_verdict *verdicts,
                                   size_t count);
/* Asks all peers to probe the members of a pool now, as `probe_asked` of their handlers. One
 * datagram each: whoever asks sees by the verdicts whether it was heard. */
void replication_ask_probe(struct replication *replication, const struct uuid *pool_id);

#endif

/* What the driver's files share: replication.c (stepping the core), replication_view.c (reading
 * the facets), replication_store.c (the store), membership.c (init, tokens, join), transport.c
 * (sockets), history*.c (questions about the past), unconfirmed.c (changes on probation). */
#ifndef REPLICATION_REPLICATION_INTERNAL_H
#define REPLICATION_REPLICATION_INTERNAL_H

#include "replication/core.h"
#include "replication/event_limit.h"
#include "replication/key_plan.h"
#include "replication/keyring.h"
#include "replication/replication.h"
#include "replication/store_copy.h"
#include "replication/writer.h"

struct transport;
struct join_client;
struct rekey;
struct join_server;
struct restore;
struct snapshot_sending;
struct snapshot_build;
struct backup_reading;
struct history;
struct confirming;

/* What the keyring was last read from, and what is about to be done about keys. */
struct key_watch {
    const struct core *core;
    uint64_t trust_version;
    struct grant_list grants;
    uint64_t started_us, looked_us, marked_us;
    /* What was due at the last look, and since when. */
    struct key_step steps[KEY_PURPOSE_COUNT];
    uint64_t since_us[KEY_PURPOSE_COUNT];
    unsigned committing; /* steps */
};

struct waiter {
    uint64_t token;
    submit_done *on_submit; /* one of the two */
    replication_done *on_done;
    void *context;
    struct submit_result result;
    bool answered;  /* delivered by the next turn of the loop */
    bool probation; /* of a change that somebody wants undone, or of what undoes one */
};

struct log_read {
    bool wanted;
    struct dot first;
    size_t rows;
};

struct replication {
    struct loop *loop;
    struct replication_settings settings; /* strings and list are copies */
    struct replication_handler handler;
    struct uuid node_id;
    struct sign_key *key;
    struct keyring *keyring;
    struct key_watch key_watch;
    uint64_t incarnation;
    struct store *store;
    bool committing, damaged; /* the writer has a batch; the store must be set aside */
    char storage_news[400];   /* of opening the store, told once the node runs */
    enum event_code storage_news_code;
    struct store_copy copy;
    struct log_read log_read;
    struct core *core;
    struct writer *writer;
    struct transport *transport; /* NULL before replication_start */
    struct loop_timer tick;
    struct loop_timer deliver; /* answers, never from inside a call */
    unsigned depth;            /* of replication_step */
    bool reload;
    uint64_t last_token;
    struct waiter *waiters;
    size_t waiter_count, waiter_capacity;
    struct join_client *join;
    struct join_server *join_servers; /* a list */
    struct rekey *rekey;              /* a new key that not all nodes know yet, or NULL */
    struct event_limit join_refusals;
    uint64_t join_attempts_since_us;       /* a minute */
    unsigned join_attempts;                /* that came to nothing, or are under way */
    bool avoided_vrids[256];               /* for the first group of a new cluster */
    struct backup_reading *backup_reading; /* a backup of parts, or NULL */
    struct snapshot_build *backup_build;   /* such a one being restored, or NULL */
    struct restore *restore;               /* under way, or NULL */
    struct refounding *refounding;         /* being gathered, or NULL */
    struct snapshot_sending *sending;
    struct history *history;       /* of questions about the past; NULL: none were asked */
    struct confirming *confirming; /* a list */
    uint64_t announce_us; /* when the node may next say what it speaks, see announce.c */
};

/* One event through the core, and everything that follows from it. */
void replication_step(struct replication *replication, const struct core_event *event);
/* Around several events that arrived together: they share a commit and packets. */
void replication_hold(struct replication *replication);
void replication_go_on(struct replication *replication);
/* The same without what follows: for replication_store.c. */
void replication_step_once(struct replication *replication, const struct core_event *event);
struct core_now replication_now(const struct replication *replication);
/* A token for CORE_SUBMIT whose answer goes to one of the two. */
uint64_t replication_await(struct replication *replication,
                           submit_done *on_submit,
                           replication_done *on_done,
                           void *context);
/* Answers TOKEN at the next turn of the loop. */
void replication_answer(struct replication *replication,
                        uint64_t token,
                        const struct submit_result *result);
void replication_finish(struct replication *replication,
                        uint64_t token,
                        const struct error *error);
void replication_event(struct replication *replication, enum event_code code, const char *text);
struct core *replication_load_core(struct replication *replication, struct error *error);

/* keys.c. The version before sessions knew nothing of keys. */
bool keys_are_known(const struct replication *replication);
/* Opens the keyring; again when the node has another key. */
void keys_open(struct replication *replication);
/* Reads the keyring anew when the state has other grants or nodes. */
void keys_follow(struct replication *replication);
/* At each tick: who has which key. */
void keys_tick(struct replication *replication);
void keys_close(struct replication *replication);
/* What key_plan decides on, now. */
struct key_view keys_view(const struct replication *replication);
/* By the hybrid clock: a key is newer than all that its maker knew of. */
uint64_t keys_now_ms(const struct replication *replication);
/* key_steps.c. At each tick: does what is due about the keys. */
void key_steps_tick(struct replication *replication);
/* Adds the first key of each purpose, for the nodes that are active. */
bool keys_plan_first(const struct replication *replication,
                     const struct roster *roster,
                     struct change_set *out);

/* replication_store.c. Opens the store (a damaged one is set aside), loads the core from it,
 * and starts the writer. */
bool replication_store_open(struct replication *replication, struct error *error);
void replication_store_close(struct replication *replication);
/* After a step: loads the core anew or replaces the store when that became necessary. */
void replication_store_care(struct replication *replication);
/* At each tick: keeps a copy of the file for salvage. */
void replication_store_tick(struct replication *replication);
/* The event about what opening the store found, if anything. */
void replication_store_tell(struct replication *replication);

/* backup.c. After a step: offers the next records of a restore while nothing is committed. */
void replication_restore_continue(struct replication *replication);
void replication_restore_cancel(struct replication *replication);

/* snapshot_send.c. A snapshot on its way to PEER, who asked with the PULL of NUMBER; one at a
 * time. */
void snapshot_send_start(struct replication *replication,
                         const struct uuid *peer,
                         uint64_t number);
/* The stream to PEER has room again (or something else changed). */
void snapshot_send_continue(struct replication *replication, const struct uuid *peer);
/* PEER does not want TRANSFER; or (0) the stream to it is gone. */
void snapshot_send_stop(struct replication *replication,
                        const struct uuid *peer,
                        uint64_t transfer);
/* The core or its store is about to be replaced: no snapshot is read from it any more, not for
 * joiners either. */
void snapshot_send_cancel(struct replication *replication);
/* Gives the core what is in the log above its new state. */
void snapshot_collect(struct replication *replication, struct bytes vector);

/* unconfirmed.c. The rows that go with a change. */
void unconfirmed_put(const struct submit_options *options, struct store_batch *batch);
/* Nobody is called back any more. */
void unconfirmed_cancel(struct replication *replication);
void replication_unconfirmed_changed(const struct replication *replication);

/* announce.c. The node's object says what protocol it speaks. */
void announce_tick(struct replication *replication);

/* refound.c */
void refound_cancel(struct replication *replication);
/* Forgets parts of a backup that nobody goes on with. */
void refound_tick(struct replication *replication);

/* membership.c. What a new cluster begins with, besides this node. */
struct founding {
    const char *cluster_name, *via;
    const struct change_set *sets; /* borrowed */
    size_t set_count;
    bool needs_group; /* a VRRP group `default` */
};
bool membership_found(struct replication *replication,
                      const struct founding *founding,
                      char out_recovery_code[RECOVERY_CODE_SIZE],
                      replication_done *done,
                      void *context,
                      struct error *error);

/* removal.c. This node was removed: kept on disk, as a peer may be all that says so, and told
 * to whoever follows the state. */
void removal_note(struct replication *replication);
bool removal_was_noted(const struct replication *replication);
bool removal_is_noted(struct store *store);
/* Adds to BATCH what takes the note away. */
void removal_forget(struct store_batch *batch);
/* This node is being removed: what it would write now might be lost. */
bool removal_is_under_way(const struct replication *replication);
/* The same for CHANGES: to nodes they are allowed, so that the removal can be taken back. */
bool removal_allows(const struct replication *replication,
                    const struct change_set *changes,
                    struct error *error);

/* rekey.c. Between reading the store and the first step: which of the two keys on disk is this
 * node's, if there are two. */
void rekey_open(struct replication *replication);
void rekey_close(struct replication *replication);
void rekey_tick(struct replication *replication);
/* False: nothing may be written: the record of a new key is on its way to the disk, or others
 * may have one that this disk lost, and what the old key signs is void to them. */
bool rekey_allows(const struct replication *replication, struct error *error);
/* The same for the removal of a node, which may be the one that a new key waits for. */
bool rekey_allows_removal(const struct replication *replication, struct error *error);
/* The key that the other nodes know this one by. */
const struct sign_key *rekey_spoken(const struct replication *replication);

/* membership.c: the ops that make this or another node part of the cluster. */
struct node_facts {
    struct uuid id;
    const char *name;
    const uint8_t *public_key;
    const struct text_list *addresses;
    struct ip_address vrrp_address; /* family 0: not set */
    uint64_t protocol;              /* the newest that it speaks; 0: not known */
    const char *version;            /* of its program; NULL: not known */
};
bool membership_plan_node(const struct facet_table *facets,
                          const struct node_facts *facts,
                          struct change_set *out);
/* The two attributes that name a node's key. */
bool membership_set_key(struct node *node, const uint8_t public_key[SIGN_PUBLIC_KEY_SIZE]);
/* The record that admits a node: its object, and whatever it needs to take part. */
bool membership_plan_admission(const struct replication *replication,
                               const struct node_facts *facts,
                               struct change_set *out);

#endif

/* A small world for the replication core: nodes with their stores, a network, disks and clocks
 * that fail in every way, and one seed that decides everything. Time is virtual.
 *   replication_world.c  time, network, commits, stepping the cores
 *   replication_nodes.c  nodes and the cluster: founding, joining, restarts
 *   replication_snapshot.c  streams that carry snapshots
 *   replication_return.c  a node with an old disk
 *   replication_disk.c   old images, copied disks, rot, crashes in a commit
 *   replication_writes.c what clients write
 *   replication_removal.c removals on both sides of a cut, stolen keys
 *   replication_recovery.c all are out, and one goes on with the recovery code
 *   replication_years.c  a year's absence, and what is left after it
 *   replication_check.c  the invariants
 *   replication_closings.c  which records count in what they say about nodes
 *   sim_replication.c    a life: what happens when */
#ifndef TESTS_SIM_REPLICATION_WORLD_H
#define TESTS_SIM_REPLICATION_WORLD_H

#include "lbnode/base/random.h"
#include "lbnode/base/uuid_map.h"
#include "replication/core.h"

enum {
    WORLD_NODES = 12,
    WORLD_COPY = WORLD_NODES, /* the place of a node started from a copied disk */
    WORLD_PLACES = WORLD_NODES + 1,
    WORLD_CHANGES = 400,
    WORLD_OBJECTS = 16
};

struct world;

enum commit_crash {
    CRASH_NONE,
    CRASH_BEFORE, /* nothing was written, or a torn transaction that the store discards */
    CRASH_AFTER   /* all is on disk, and nobody heard of it */
};

struct snapshot_reader;

/* A snapshot on its way; transfer 0: none. */
struct world_sending {
    struct uuid peer;
    uint64_t transfer, epoch; /* epoch: of the peer */
    struct snapshot_reader *reader;
};

struct world_node {
    struct world *world;
    unsigned number;
    struct uuid id;
    struct sign_key *key, *other;  /* other: that it had, or is to get; or NULL */
    const struct sign_key *chosen; /* of these: the one that it is to have; NULL: its first */
    bool is_key_known;             /* by all nodes: there is no other file any more */
    uint64_t known_us;             /* since when it, lacking that, has all that others have */
    bool is_member;                /* in the roster, or a copy of one */
    struct store *store, *image;   /* image: an older state of the disk, or NULL */
    struct core *core;             /* NULL: down */
    uint64_t incarnation;
    int64_t clock_offset_ms;
    uint64_t paused_until_us, next_tick_us;
    struct store_batch committing; /* on its way to the disk */
    bool is_committing;
    enum commit_crash crash_at_commit;
    uint64_t epoch;               /* of this start; messages to an older one are lost */
    struct vv persisted, seen;    /* acknowledged by the disk; shown to others last */
    uint64_t heard[WORLD_PLACES]; /* highest incarnation of each */
    unsigned events[EVENT_CODE_COUNT];
    bool left, has_rot;
    struct world_sending sending;
    bool switched_unheard; /* crashed when a snapshot was on disk, before it was told */
};

struct world_message {
    uint64_t at_us, order;
    unsigned to, from;
    uint64_t incarnation; /* of the sender */
    uint64_t epoch;       /* of the receiver for commits, else 0 */
    bool is_commit, is_pump;
    bool is_log_read;
    struct dot first_row; /* of a log read */
    size_t row_count;
    uint32_t type;
    uint8_t *body;
    size_t size;
};

struct world_change {
    struct uuid id;
    unsigned node;
    bool acknowledged;
};

/* A record as it was first committed anywhere. */
struct world_record {
    uint8_t *bytes;
    size_t size;
};

struct world {
    struct random_sequence random;
    uint64_t now_us, order, last_incarnation, transfers;
    bool crash_switches;     /* many a node that takes a snapshot crashes in a commit */
    uint64_t snapshot_after; /* records that a node lacks */
    uint64_t bulk_at_us[WORLD_PLACES][WORLD_PLACES]; /* a stream keeps its order */
    unsigned node_count; /* places in use, members or not, without the copy's */
    struct world_node nodes[WORLD_PLACES];
    struct sign_key *root;       /* of the cluster */
    struct world_message *queue; /* a heap by (at_us, order) */
    size_t queue_count, queue_capacity;
    bool cut[WORLD_PLACES][WORLD_PLACES];
    struct retention retention; /* of all nodes */
    int64_t years_ms;           /* added to all wall clocks */
    unsigned loss_percent, duplicate_percent, damage_percent;
    uint64_t delay_us;
    struct world_change changes[WORLD_CHANGES];
    size_t change_count;
    /* Nobody makes an object twice: ids are random. So one that was purged gets a new life
     * under a new id. */
    struct {
        unsigned life;
        bool made;
    } objects[WORLD_OBJECTS];
    struct uuid last_join;   /* change id of the roster record */
    bool may_repeat;         /* a disk forgot: a repeated request may be done twice */
    struct uuid_map records; /* stream and seq -> struct world_record */
    uint64_t trace;          /* of everything that happened: equal seeds, equal traces */
    char failure[256];       /* the first broken invariant, "" while all is well */
};

void world_init(struct world *world, uint64_t seed);
void world_free(struct world *world);
uint64_t world_below(struct world *world, uint64_t bound);
void world_fill(struct world *world, uint8_t *out, size_t size);
void world_fail(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_trace(struct world *world, const void *data, size_t size);
struct core_now world_now_of(const struct world_node *node);
/* Notes when NODE's next tick is due. */
void world_schedule(struct world_node *node);
void world_step(struct world *world, struct world_node *node, const struct core_event *event);
/* Without what follows. */
void world_step_once(struct world_node *node, const struct core_event *event);
void world_send(struct world_node *from,
                const struct uuid *peer,
                uint32_t type,
                struct bytes body,
                bool bulk);
/* Lets time pass; handles what happens meanwhile. */
void world_run(struct world *world, uint64_t duration_us);
/* Until all nodes have had the same for 6 seconds, longer than a divergence takes to be told.
 */
void world_settle(struct world *world, uint64_t limit_us);
/* Submits CHANGES (consumed) at NODE under change number INDEX. */
void world_submit(struct world *world,
                  struct world_node *node,
                  struct change_set *changes,
                  size_t index);
/* Runs, is a member and was not removed. */
bool world_is_up(const struct world_node *node);
/* All nodes of the roster, and more than one. */
bool world_all_are_up(const struct world *world);

/* ---- nodes ---- */

void world_form_cluster(struct world *world, unsigned node_count);
void world_start(struct world *world, struct world_node *node);
/* Power off: what was not on disk may or may not be there. */
void world_crash(struct world *world, struct world_node *node);
/* NODE gets a new key, if its record comes through. */
void world_rekey(struct world *world, struct world_node *node);
void world_look_at_key(struct world_node *node);
/* Its disk does not know the key that it is to have: it writes nothing. */
bool world_lacks_key(const struct world_node *node);
/* Its record is made, if it went with a disk. */
void world_resume_key(struct world_node *node);
bool world_has_rot(const struct world *world);
void world_forget_images(struct world *world);
/* A new node joins through INVITER; NULL when there is no place or it does not work now. */
struct world_node *world_join(struct world *world, struct world_node *inviter);
void world_copy_log(struct world_node *from, struct world_node *to);
/* Puts the genesis of OTHER into NODE's empty store and core. */
void world_adopt_genesis(struct world_node *node, const struct world_node *other);
struct core *world_load(struct world_node *node);
/* A core that has seen the log of NODE in random order. */
struct core *world_replay(struct world *world, struct world_node *node);

/* ---- snapshots ---- */

void world_send_snapshot(struct world_node *node, const struct core_action *action);
void world_stop_snapshot(struct world_node *node, const struct core_action *action);
void world_end_sending(struct world_node *node);
void world_pump_later(struct world_node *node);
void world_pump(struct world_node *node);
void world_collect(struct world_node *node, const struct core_action *action);
/* The whole state at once into the empty node TO, which knows the cluster; starts it anew. */
void world_copy_state(struct world_node *from, struct world_node *to);

/* ---- writes ---- */

/* Somebody changes something at NODE. */
void world_write(struct world *world, struct world_node *node);
/* Is there room for what the next three write, and no disk that forgets? */
bool world_can_make_again(const struct world *world);
/* NODE makes a load balancer and an opaque object, both with new ids. */
void world_make_other(struct world *world, struct world_node *node);
/* ONE deletes both while TWO adds a listener to the first and a value to the second. */
void world_delete_disputed(struct world *world, struct world_node *one, struct world_node *two);
/* A node that has purged both, while another has not, makes them again under their ids. False
 * when there is none. */
bool world_make_again(struct world *world);
/* A client that got no answer asks again, with the same change id. */
void world_retry(struct world *world);

/* ---- years ---- */

void world_spend_years(struct world *world);

/* ---- removals ---- */

void world_remove_across_cut(struct world *world);
/* Nodes fall out with each other; what one of them has is the cluster from then on. */
void world_recover(struct world *world);

/* A node goes on with an old disk, through crashes and cuts. */
void world_return(struct world *world);

/* ---- what records say about keys and ends of nodes ---- */

struct closings;

/* COUNTING: how far each stream counts. */
struct closings *world_closings(const struct world *world, const struct vv *counting);
/* Does it count what the record DOT says in facets 10 and 14 of NODE_ID? */
bool closings_count(const struct closings *closings,
                    struct dot dot,
                    const struct uuid *node_id);
void closings_free(struct closings *closings);

/* ---- disks ---- */

struct store *world_copy_store(struct store *store);
void world_take_image(struct world *world, struct world_node *node);
/* False: there is no image that it may go back to, and nothing changes. */
bool world_roll_back(struct world *world, struct world_node *node);
/* NODE's disk is copied and started a second time; until world_end_copy both run. */
void world_start_copy(struct world *world, struct world_node *node);
void world_end_copy(struct world *world);
/* Every member has the latest new node on its disk. */
bool world_join_is_known(struct world *world);
void world_rot(struct world *world, struct world_node *node);
/* The store is damaged: start from nothing, with what the others have. */
void world_quarantine(struct world_node *node);

/* ---- invariants ---- */

void world_note_records(struct world *world, const struct store_batch *batch);
/* NULL: nobody committed it. */
const struct world_record *world_recorded(const struct world *world, struct dot dot);
void world_check_queues(struct world *world, const struct world_node *node);
void world_check_growth(struct world *world, struct world_node *node);
void world_check_equal(struct world *world, struct core *a, struct core *b, const char *what);
void world_check_convergence(struct world *world, const char *when);
void world_check_acknowledged(struct world *world);
/* The facets of NODE against a model of the merge that knows nothing of the core. */
void world_check_model(struct world *world, const struct world_node *node);
void world_check_recomputed(struct world *world);
/* Damaged, foreign and repeated records change nothing. */
void world_forge(struct world *world);

#endif

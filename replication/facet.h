/* Raw state: objects, their facets, and in each facet the entries that no later record has
 * replaced (replication.md 3.2). One entry is the normal case; more are an open conflict.
 * Merging is commutative for concurrent records, so every node ends with the same entries. */
#ifndef REPLICATION_FACET_H
#define REPLICATION_FACET_H

#include "lbnode/base/uuid_map.h"
#include "lbnode/crypto/crypto.h"
#include "lbnode/model/change_set.h"
#include "lbnode/model/configuration.h"
#include "replication/record.h"
#include "replication/store.h"

enum {
    FACET_KEY_SIZE = 16 + 2 + 8 + 8,
    FACET_DEAD_KEY_SIZE = 8 + 8 + 4,
    FACET_LOSSES = 4096 /* more than that, and nobody follows them any more */
};

/* Nodes and key grants decide who may speak and what counts. What an operation of another type
 * says under the id of one is about another object: it replaces nothing of theirs, and is not
 * seen beside them. */
enum facet_realm {
    REALM_THINGS,
    REALM_GRANTS,
    REALM_NODES
};

struct facet_entry {
    struct dot dot;
    uint32_t op_index;
    uint64_t hlc, wall_ms;
    struct uuid owner, node_id; /* node_id: where it was made */
    uint8_t type;
    char *author;
    uint8_t *value;
    size_t value_size;
    uint8_t hash[HASH_SIZE]; /* of the canonical entry, for the state hash */
    /* The records that replaced it, of each stream the first. While it counts, all of them are
     * void. */
    struct dot *by;
    size_t by_count;
};

struct facet_state {
    uint16_t facet;
    struct facet_entry *entries;
    size_t count, capacity;
};

struct object {
    struct uuid id;
    struct facet_state *facets; /* ascending by number */
    size_t count, capacity;
    bool changed; /* stands in the table's list */
    bool summed;  /* its entries are part of the table's sum */
};

/* Objects that changed since the last facet_changes_taken, each once. */
struct facet_changes {
    bool followed; /* false: nobody took any yet, and all objects are news */
    struct uuid *ids;
    size_t count, capacity;
};

/* Records that lost an entry since facet_follow_losses, not each once. */
struct facet_losses {
    bool followed;
    struct dot *dots;
    size_t count, capacity;
};

/* The state hash, kept up to date with each change where that is cheap. */
struct facet_sum {
    bool known;   /* false: to be made from all objects */
    bool orphans; /* some objects are alive, but something above them is not */
    uint8_t hash[HASH_SIZE];
};

/* A value that does not count now, and may again: its own record is void, or what replaced it
 * may become so (facet_shadow.c). */
struct facet_shadow {
    uint16_t facet;
    struct facet_entry entry;
};

/* Those of one object. */
struct facet_shadows {
    struct uuid id;
    struct facet_shadow *items;
    size_t count, capacity;
    uint64_t common; /* a stream that is in `by` of all of them; 0: none is known */
};

struct facet_table {
    struct uuid_map objects;
    struct uuid_map owners;        /* how many entries name this owner */
    struct uuid_map shadows;       /* object -> struct facet_shadows */
    struct uuid_map shadow_owners; /* how many shadows name this owner */
    size_t shadow_count;
    struct facet_changes changes;
    struct facet_losses losses;
    struct facet_sum sum;
    uint64_t trust_version; /* rises when a node's or a key grant's entry comes or goes */
};

/* What a record's ops share. */
struct facet_stamp {
    struct dot dot;
    uint64_t hlc, wall_ms;
    struct uuid node_id;
    struct bytes author;
    const struct vv *context; /* applied at the author, without its own stream */
    /* Did record BY know the stamp's, though it is applied already? NULL: none did. */
    bool (*is_late)(const void *judge, struct dot by, struct dot of);
    const void *judge; /* for is_late */
};

enum facet_effect {
    FACET_WRITTEN,
    FACET_CONFLICT_OPENED,
    FACET_CONFLICT_CLOSED
};

/* Applies one operation of a record; adds what changed to BATCH. */
enum facet_effect facet_apply(struct facet_table *table,
                              const struct record_op *op,
                              uint32_t op_index,
                              const struct facet_stamp *stamp,
                              struct store_batch *batch);
/* A record makes object ID of REALM anew, whose author had none (any more): what it knew of an
 * earlier one of that id, and of what was directly below that, no longer counts. Some nodes
 * have purged it already. To be called before the record's operations are applied. True when
 * there was any. */
bool facet_end_earlier(struct facet_table *table,
                       const struct uuid *id,
                       enum facet_realm realm,
                       const struct facet_stamp *stamp,
                       struct store_batch *batch);
/* The entry of an operation that is known to count, whatever else the facet has: from a record
 * of a log that has been truncated. Of STAMP the context is not needed. */
void facet_restore(struct facet_table *table,
                   const struct record_op *op,
                   uint32_t op_index,
                   const struct facet_stamp *stamp,
                   struct bytes by, /* void records that replaced it, 16 bytes each, or none */
                   struct store_batch *batch);
/* The shadow of an operation of a record in the log. ROW: that of the table `dead`; without
 * BATCH it is there already. False: the operation is dead for good, and has no shadow. */
bool facet_restore_shadow(struct facet_table *table,
                          const struct record_op *op,
                          uint32_t op_index,
                          const struct facet_stamp *stamp,
                          struct bytes row,
                          struct store_batch *batch);
/* The row of one that nothing replaced: its record is void. */
extern const struct bytes facet_row_of_void;
/* Is the row of a dead operation one that has a shadow? */
bool facet_row_has_shadow(struct bytes row);

struct facet_judgement {
    bool (*is_void)(const void *context, struct dot dot);
    const void *context;
    bool changed, changed_nodes; /* out: anything; objects of type node or key grant */
    size_t hidden, restored;     /* out: how many values no longer count, and count again */
};
/* Values of records that are void no longer count, those that only such records replaced count
 * again, and the other way round: as if the void records had never been. */
void facet_judge(struct facet_table *table,
                 struct facet_judgement *judgement,
                 struct store_batch *batch);
bool facet_has_shadow(const struct facet_table *table,
                      const struct uuid *object_id,
                      struct dot dot);
/* Forgets the shadows of what was replaced by a record that is SETTLED: it can never become
 * void any more. */
void facet_shadows_prune(struct facet_table *table,
                         bool (*settled)(void *context, struct dot dot),
                         void *context);

/* Does operation OP_INDEX of record DOT still provide a value? */
bool facet_provides(const struct facet_table *table,
                    const struct record_op *op,
                    uint32_t op_index,
                    struct dot dot);
/* The key of an operation in the table `dead`. */
void facet_dead_key(struct dot dot, uint32_t op_index, uint8_t out[FACET_DEAD_KEY_SIZE]);
/* The row of an operation that never counted. */
void facet_put_dead(struct dot dot, uint32_t op_index, struct store_batch *batch);
/* From now on records that lose an entry are listed; while there are no more than FACET_LOSSES.
 */
void facet_follow_losses(struct facet_table *table);
/* Takes all entries of the object away, and the object. */
void facet_purge(struct facet_table *table, const struct uuid *id, struct store_batch *batch);
/* Puts a stored entry back (facet table row). False when malformed. */
bool facet_load(struct facet_table *table, struct bytes key, struct bytes value);

const struct object *facet_object(const struct facet_table *table, const struct uuid *id);
const struct facet_state *facet_of(const struct object *object, uint16_t facet); /* or NULL */
enum facet_realm facet_realm_of(uint8_t type);
/* The highest one in which it is alive, or if there is none, in which it has a life. */
enum facet_realm facet_object_realm(const struct object *object);
/* The entry that counts, of a life that of the object's realm, else of the highest realm
 * (replication.md 3.3). */
const struct facet_entry *facet_winner(const struct facet_state *state);
/* The same of the entries of REALM alone; NULL: there is none. */
const struct facet_entry *facet_winner_in(const struct facet_state *state,
                                          enum facet_realm realm);
/* The one of OBJECT's realm; NULL: there is none. */
const struct facet_entry *facet_seen(const struct object *object,
                                     const struct facet_state *state);
size_t facet_seen_count(const struct object *object, const struct facet_state *state);
/* Of concurrent values of FACET those of the greatest rank come first, whatever their stamps: a
 * deletion, the most restrictive admin_state_up. 0 for all values of other facets. */
uint64_t facet_safety_rank(uint16_t facet, struct bytes value);
/* What is seen of STATE, as others see it; its entry_count is 0 when that is nothing. */
struct raw_facet facet_view(const struct object *object, const struct facet_state *state);
/* 0: there is no such object. */
uint64_t facet_object_revision(const struct facet_table *table, const struct uuid *id);
/* Alive, and so is everything above it. */
bool facet_object_counts(const struct facet_table *table, const struct object *object);
/* Sum mod 2^256 of the entries' hashes over objects that count (replication.md 7.2). */
void facet_state_hash(const struct facet_table *table, uint8_t out[HASH_SIZE]);
/* The same from the table's sum. */
void facet_kept_hash(struct facet_table *table, uint8_t out[HASH_SIZE]);
/* For facet_apply: an entry of OBJECT comes or goes. */
void facet_sum_entry(struct facet_table *table,
                     const struct object *object,
                     const struct facet_entry *entry,
                     bool comes);
/* For facet_apply: OBJECT was created, deleted or got another owner. */
void facet_sum_life(struct facet_table *table, struct object *object);
/* Nothing is news any more; from now on changes are listed. */
void facet_changes_taken(struct facet_table *table);
void facet_table_free(struct facet_table *table);

#endif

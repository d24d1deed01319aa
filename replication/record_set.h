/* Records out of a store, a damaged file or a backup, and what becomes of a node's state when
 * they are applied anew, each one checked as if a stranger had sent it. */
#ifndef REPLICATION_RECORD_SET_H
#define REPLICATION_RECORD_SET_H

#include "replication/core.h"

enum {
    RECORD_SET_BYTES = 512 << 20 /* more are left out */
};

struct record_set {
    struct record *items; /* each owns its `whole` */
    size_t count, capacity, bytes;
    uint8_t *genesis; /* NULL: none */
    size_t genesis_size;
    /* Rows about streams (meta 's') and of dead operations, sorted with the records: what
     * a truncated log needs besides. */
    struct store_batch streams, dead;
    bool truncated; /* some stream's log has gaps, or something was purged */
};

/* Copies RECORD when it has the form of one and there is room. */
void record_set_add(struct record_set *set, struct bytes record);
/* Copies the first bytes that are a genesis. */
void record_set_add_genesis(struct record_set *set, struct bytes genesis);
/* Copies of a row about a stream, and of one of a dead operation. */
void record_set_add_stream(struct record_set *set, struct bytes key, struct bytes row);
void record_set_add_dead(struct record_set *set, struct bytes key, struct bytes row);
/* Everything in STORE. 0 or -errno. */
int record_set_read(struct record_set *set, struct store *store);
/* Everything in the data file PATH that still has its checksum, readable as a store or not. */
void record_set_scrape(struct record_set *set, const char *path);
/* Sorts by clock stamp, which respects causality, and drops doubles. */
void record_set_sort(struct record_set *set);
void record_set_free(struct record_set *set);

/* Applies a sorted SET to STORE, which has no genesis yet; signatures, hash chain, roster and
 * causality are checked, what fails is left out. Of a truncated set, each operation counts that
 * is not dead, whatever others say. The core, with OUT_APPLIED records in it and all of them
 * committed; NULL with ERROR when the set has no genesis or the store fails. */
struct core *record_set_replay(const struct record_set *set,
                               const struct core_settings *settings,
                               struct store *store,
                               struct core_now now,
                               size_t *out_applied,
                               struct error *error);

/* Applies what SET has beyond CORE's state, in the usual way: CORE stands on STORE. */
int record_set_merge(const struct record_set *set,
                     struct core *core,
                     struct store *store,
                     struct core_now now);
/* Has a truncated SET each record that its rows about streams tell of? */
bool record_set_is_complete(const struct record_set *set);

#endif

/* The store of a state directory, opened whatever happened to it: a damaged one is set aside,
 * and what can still be read of it goes into a new one (replication.md 13.4). */
#ifndef REPLICATION_STATE_STORE_H
#define REPLICATION_STATE_STORE_H

#include "replication/core.h"

#define STATE_STORE_COPY "config.mdb.copy" /* see store_copy.h */

enum {
    STATE_STORE_REPORT_SIZE = 400
};

struct state_store {
    struct store *store;
    bool quarantined;
    char report[STATE_STORE_REPORT_SIZE]; /* for people, when quarantined */
};

/* Opens STATE_DIR/config.mdb of the node that SETTINGS names. False with ERROR when it cannot
 * be opened, belongs to another node, or cannot be set aside. Not twice in a process. */
bool state_store_open(const char *state_dir,
                      const struct core_settings *settings,
                      struct state_store *out,
                      struct error *error);

/* Does the store in STATE_DIR belong to NODE_ID? Not while it is open. */
bool state_store_is_of(const char *state_dir, const struct uuid *node_id);
/* Adds to BATCH what makes the store that of NODE_ID. */
void state_store_give(const struct uuid *node_id, struct store_batch *batch);

#endif

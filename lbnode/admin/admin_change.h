/* From a checked change set to the answer: starts a cluster of one if this node is in none yet,
 * submits, waits until the result is visible here and runs in the proxy, then lets the handler
 * build the answer, with what replication says about it in the answer's head. */
#ifndef LBNODE_ADMIN_ADMIN_CHANGE_H
#define LBNODE_ADMIN_ADMIN_CHANGE_H

#include "lbnode/admin/admin_request.h"

enum {
    ADMIN_VISIBLE_POLL_MS = 2,
    ADMIN_VISIBLE_TIMEOUT_MS = 500,
};

struct admin_change {
    struct change_set changes;
    struct uuid object_id; /* what the answer shows */
    int status;            /* of the answer */
    void (*answer)(struct admin_request *request);
    uint64_t submitted_wall_ms;
    uint64_t built_before; /* generation of the snapshot at that time */
    struct submit_result result;
    struct json_value *summary; /* of an applied document */
    uint64_t undo_after_s;      /* unless it is confirmed; 0: it stays */
    bool started_cluster;       /* by this request */
    bool waited_for_cluster;    /* once is enough */
};

/* True when this node is in no cluster yet: one is being started, and the handler of the route
 * runs again when it is there. For what needs the cluster's keys before it can submit. */
bool admin_change_needs_cluster(struct admin_request *request);
/* ANSWER is called once, with request->change filled in, and ends the request. An error ends it
 * here. CHANGES are taken over. Until the cluster of a fresh node exists, the handler of the
 * route is run a second time, so it must not have side effects. */
void admin_change_submit(struct admin_request *request,
                         struct change_set *changes,
                         const struct uuid *object_id,
                         int status,
                         void (*answer)(struct admin_request *request));
/* Removes a node through replication instead of submitting a change set. */
void admin_change_remove_node(struct admin_request *request,
                              const struct uuid *node_id,
                              bool compromised,
                              void (*answer)(struct admin_request *request));
/* New keys of PURPOSES (as replication_rotate_keys) instead of a change set. */
void admin_change_rotate_keys(struct admin_request *request,
                              unsigned purposes,
                              void (*answer)(struct admin_request *request));
/* The fields X-Lbnode-Change, -Note, -Replicated of a finished change. */
void admin_change_report(struct admin_request *request);
void admin_change_free(struct admin_change *change); /* NULL-safe */

#endif

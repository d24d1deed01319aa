/* What is to be done about the secret keys of the cluster: pure decisions over the raw state,
 * what the nodes told of their disks, and the time. docs/protocol.md 11 has the rules. */
#ifndef REPLICATION_KEY_PLAN_H
#define REPLICATION_KEY_PLAN_H

#include "replication/key_grant.h"
#include "replication/roster.h"

/* What this node knows at a moment. */
struct key_view {
    const struct facet_table *facets;
    const struct roster *roster;
    const struct grant_list *grants; /* of FACETS */
    /* Has the node, as far as it told, the record on its disk? */
    bool (*has)(const void *context, const struct uuid *node_id, struct dot dot);
    const void *context;
};

/* Do all active nodes have the key on their disks, each by a grant that it can open? If not,
 * the first one of the roster that does not into OUT_LACKS (may be NULL). */
bool key_is_everywhere(const struct key_view *view,
                       enum key_purpose purpose,
                       const struct uuid *key_id,
                       const struct roster_node **out_lacks);

#endif

/* What each peer last told of each member: the views of other nodes. Bounded by
 * PEER_VIEWS_MAXIMUM times MEMBER_SLOTS; a peer's part is there from its first verdict on.
 * Pure. */
#ifndef LBNODE_NODE_PEER_VIEWS_H
#define LBNODE_NODE_PEER_VIEWS_H

#include "replication/replication.h"

#include <stddef.h>

enum {
    PEER_VIEWS_MAXIMUM = 64
};

struct peer_views;

struct peer_views *peer_views_new(void);
void peer_views_free(struct peer_views *verdicts); /* NULL-safe */
/* Of 65 peers the one that was heard longest ago is forgotten. NOW_MS: monotonic. */
void peer_views_put(struct peer_views *verdicts,
                    const struct uuid *node_id,
                    uint32_t slot,
                    uint32_t incarnation,
                    const struct shared_verdict *verdict,
                    uint64_t now_ms);
/* The last one, with its ages as of NOW_MS. False: it told nothing of this incarnation. */
bool peer_views_find(const struct peer_views *verdicts,
                     const struct uuid *node_id,
                     uint32_t slot,
                     uint32_t incarnation,
                     uint64_t now_ms,
                     struct shared_verdict *out);

#endif

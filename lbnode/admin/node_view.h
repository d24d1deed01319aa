/* A node as /v1/nodes and /v1/status show it: the roster entry and what this node knows of the
 * peer now. */
#ifndef LBNODE_ADMIN_NODE_VIEW_H
#define LBNODE_ADMIN_NODE_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"

/* What replication knows of the peer NODE_ID; false when it is no peer (this node itself). */
bool node_view_peer(const struct node_state *state,
                    const struct uuid *node_id,
                    struct peer_view *out);
/* {id, name, self, alive, state, in_sync, address, ...} */
struct json_value *node_view(const struct node_state *state, const struct effective *object);
/* A sentence about nodes that speak as a previous version did; null: there are none. */
struct json_value *node_view_versions(const struct node_state *state);
/* Those that are not removed; with REMOVED all of them. */
struct json_value *node_view_list(const struct node_state *state, bool removed);
bool node_view_is_self(const struct node_state *state, const struct uuid *node_id);

#endif

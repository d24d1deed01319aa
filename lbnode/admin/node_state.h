/* Everything that the API shows besides the configuration: what this node's processes reported.
 * Owned and filled by lbnode/node/control.c; read by admin on the same thread. */
#ifndef LBNODE_ADMIN_NODE_STATE_H
#define LBNODE_ADMIN_NODE_STATE_H

#include "lbnode/admin/event_ring.h"
#include "lbnode/model/configuration.h"
#include "lbnode/model/counter_board.h"
#include "lbnode/model/message.h"
#include "lbnode/model/snapshot_build.h"
#include "replication/replication.h"

enum {
    NODE_STATE_MAXIMUM_VRRP = 512,
    NODE_STATE_MAXIMUM_BINDINGS = 4096,
    VRID_HEARD_FOR_MS = 60000, /* after the last packet a VRID counts as free again */
};

struct binding_state {
    struct ip_endpoint endpoint;
    int error_number; /* 0: bound; -1: not answered yet */
};

/* The last packet for a VRID. */
struct vrid_heard {
    struct ip_address source; /* family 0: nothing was heard */
    uint64_t wall_ms;
    char interface[IFNAMSIZ];
    uint8_t version;
    bool is_node;
};

struct node_state {
    struct replication *replication;
    const struct configuration *configuration; /* replaced as a whole; never NULL */
    const struct slot_map *slots;
    const struct verdict_board *verdicts;
    const struct counter_board *counters;
    struct event_ring *events;
    uint32_t worker_count;
    uint64_t started_wall_ms;
    uint64_t built_generation, running_generation; /* of the snapshot */
    struct message_vrrp_status vrrp[NODE_STATE_MAXIMUM_VRRP];
    size_t vrrp_count;
    struct vrid_heard vrids[256];
    struct message_process processes[PROCESS_ROLE_COUNT];
    struct binding_state bindings[NODE_STATE_MAXIMUM_BINDINGS];
    size_t binding_count;
    /* Asks the election for a planned switch. */
    void (*hand_over)(void *context, const struct uuid *group_id, const struct uuid *node_id);
    void *hand_over_context;
    /* All nodes probe the members of a pool now, at most once a second: results from the
     * returned moment (wall clock, ms) on answer that. */
    uint64_t (*probe_pool)(void *context, const struct uuid *pool_id);
    void *probe_pool_context;
    /* What the node told last of the member, as old as it is now; false: nothing. */
    bool (*peer_verdict)(void *context,
                         const struct uuid *node_id,
                         const struct uuid *member_id,
                         struct shared_verdict *out);
    void *peer_verdict_context;
    struct uuid undoing;    /* the unconfirmed change that is being undone now; zero: none */
    bool manages_addresses; /* a vrrp process with the rights to do its work runs */
};

#endif

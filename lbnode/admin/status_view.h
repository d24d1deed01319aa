/* operating_status and its sources on this node: verdict board, counters, bindings. */
#ifndef LBNODE_ADMIN_STATUS_VIEW_H
#define LBNODE_ADMIN_STATUS_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/status.h"

/* What the model's roll-up asks; its context is STATE. */
enum operating_status status_now(const struct node_state *state,
                                 const struct resource *resource);
/* "ONLINE", ... */
const char *status_name_of(const struct node_state *state, const struct resource *resource);

struct status_detail {
    bool own_fields; /* lbnode's keys beside Octavia's: weight, reason, vip_address */
};

/* Octavia's status tree of one load balancer, the object inside "loadbalancer". */
struct json_value *status_tree(const struct node_state *state,
                               const struct effective *load_balancer,
                               const struct status_detail *detail);

/* The five numbers of Octavia's statistics, added up over this node's workers. */
struct traffic_counters {
    uint64_t active_connections, bytes_in, bytes_out, request_errors, total_connections;
};

void traffic_add_listener(const struct node_state *state,
                          const struct uuid *listener_id,
                          struct traffic_counters *counters);
/* {"stats": {...}} */
struct json_value *traffic_to_json(const struct traffic_counters *counters);

#endif

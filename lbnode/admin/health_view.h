/* What each node's health process says of a member, and whose word counts: that of the node
 * which is active for the load balancer, so that statuses are the same on all nodes. */
#ifndef LBNODE_ADMIN_HEALTH_VIEW_H
#define LBNODE_ADMIN_HEALTH_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/health_reason.h"

enum {
    HEALTH_NEVER_MS = -1,
    HEALTH_HISTORY = 64 /* results */
};

/* One node's view of one member. */
struct health_view {
    struct uuid node_id;
    const char *node; /* its name */
    bool is_self, decides, answers;
    enum verdict_state state; /* UNKNOWN: nothing is known of its view */
    bool last_failed;         /* the last probe did */
    bool imported;            /* the state is a peer's, taken over until a probe of its own */
    enum verdict_reason reason;
    uint16_t status; /* of the last answer; 0: none */
    uint32_t round_trip_us;
    int64_t since_ms_ago, probed_ms_ago; /* HEALTH_NEVER_MS: never */
    /* Only of this node itself. */
    uint32_t probes, failures;
    uint64_t history; /* as on the board; the newest min(probes, HEALTH_HISTORY) bits count */
};

/* What this node's health process says of the member; NULL: nothing. */
const struct verdict_slot *health_slot_of(const struct node_state *state,
                                          const struct uuid *member_id);
/* The view that counts for the member's status on every node: that of the active node of its
 * load balancer's VRRP group, or this node's own when there is none or nothing is known of it.
 * Its `node` and `answers` are not set. */
void health_decision(const struct node_state *state,
                     const struct uuid *member_id,
                     struct health_view *out);
/* Its state alone. */
enum verdict_state health_decided(const struct node_state *state, const struct uuid *member_id);
/* Of this node first, then of the others that are active in the roster. */
void health_visit(const struct node_state *state,
                  const struct effective *member,
                  void (*visit)(void *context, const struct health_view *view),
                  void *context);
/* Why the view is not ONLINE, what the last probe failed with, or why the node cannot probe; ""
 * when all is well or waited for. */
void health_words(const struct node_state *state,
                  const struct effective *member,
                  const struct health_view *view,
                  char out[HEALTH_REASON_TEXT_SIZE]);
/* "lb1 ONLINE, lb2 ERROR: connect timeout after 5 s"; NULL when all nodes that know it agree.
 */
struct json_value *health_differences(const struct node_state *state,
                                      const struct effective *member);
/* {state, since, ..., nodes: [...]}; SINCE_MS (wall clock): only probes that ended then or
 * later are `answered`. */
struct json_value *health_of_member(const struct node_state *state,
                                    const struct effective *member,
                                    uint64_t since_ms);
/* Is MEMBER probed: enabled, in use, with a monitor that is enabled? */
bool health_is_probed(const struct node_state *state, const struct effective *member);

#endif

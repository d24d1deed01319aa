/* What each node of the cluster is for a VRRP group, and why it should not be active if so:
 * from this node's own election and from what the others say in their heartbeats. */
#ifndef LBNODE_ADMIN_ELIGIBILITY_VIEW_H
#define LBNODE_ADMIN_ELIGIBILITY_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"

struct eligibility {
    bool known;     /* false: it does not answer, or does not take part in the group */
    bool eligible;  /* it is active, or backup without anything that speaks against it */
    uint8_t state;  /* enum vrrp_state */
    uint8_t kind;   /* enum hindrance */
    char text[128]; /* why not, or "" */
    const char *remedy;
};

void eligibility_find(const struct node_state *state,
                      const struct message_vrrp_status *group,
                      const struct uuid *node_id,
                      struct eligibility *out);
/* [{name, state, eligible, reason, remedy}, ...], all active nodes of the roster. */
struct json_value *eligibility_view(const struct node_state *state,
                                    const struct message_vrrp_status *group);
/* ["lb1 (IPv4): backup, not eligible: it cannot bind ...; there: ss ...", ...] */
struct json_value *eligibility_sentences(const struct node_state *state,
                                         const struct uuid *group_id);
/* Who is active for the group, as far as this node knows. */
bool eligibility_find_owner(const struct node_state *state,
                            const struct message_vrrp_status *group,
                            struct uuid *out);

#endif

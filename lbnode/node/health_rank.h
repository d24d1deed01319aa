/* This node's place among those that may be active for a vrrp group, which decides how often it
 * probes the group's members (replication.md 11.1); pure. */
#ifndef LBNODE_NODE_HEALTH_RANK_H
#define LBNODE_NODE_HEALTH_RANK_H

#include "lbnode/model/message.h"

#include <stddef.h>

/* What is known of one node and a group, or of one family of it. */
struct rank_candidate {
    uint8_t state;    /* enum vrrp_state */
    uint8_t priority; /* 0: not known */
    bool is_fit;      /* nothing speaks against it being active */
    struct ip_address address;
};

/* OTHER only if one of PEERS is active and another one, a fit backup, comes before OWN without
 * a doubt: too many may probe often, too few never. */
enum health_rank health_rank_find(const struct rank_candidate *own,
                                  const struct rank_candidate *peers,
                                  size_t count);

#endif

/* What is wrong with this node and its cluster, in sentences, and how bad it is. */
#ifndef LBNODE_ADMIN_PROBLEMS_H
#define LBNODE_ADMIN_PROBLEMS_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"

enum health {
    HEALTH_HEALTHY,
    HEALTH_DEGRADED, /* serves, with less safety than configured */
    HEALTH_ERROR,    /* something does not serve */
};

struct problem_list {
    enum health health;           /* the worst of them */
    struct json_value *sentences; /* an array that the caller made */
};

void problems_find(const struct node_state *state, struct problem_list *problems);
const char *health_name(enum health health); /* "healthy", "degraded", "error" */

#endif

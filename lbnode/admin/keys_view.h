/* The secret keys of the cluster as people see them: names, ages and states. */
#ifndef LBNODE_ADMIN_KEYS_VIEW_H
#define LBNODE_ADMIN_KEYS_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"

/* [{"id", "purpose", "state", "created_at", "age_s", "waits_for", "known_to"}], the newest of
 * each purpose first. */
struct json_value *keys_view_list(const struct node_state *state);

#endif

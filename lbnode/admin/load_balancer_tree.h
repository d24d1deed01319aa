/* A load balancer with everything below it in one body (Octavia's single-call creation): turned
 * into a document, so that one plan checks and makes it, all or nothing. */
#ifndef LBNODE_ADMIN_LOAD_BALANCER_TREE_H
#define LBNODE_ADMIN_LOAD_BALANCER_TREE_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"

/* Does the body name listeners or pools? */
bool load_balancer_tree_is_given(const struct json_value *root);
/* The document that stands for ROOT, the inside of {"loadbalancer": ...}; NULL with ERROR when
 * pools have no names or the same one twice. */
struct json_value *load_balancer_tree_document(const struct json_value *root,
                                               struct error *error);
/* The view of OBJECT with listeners, pools, members and monitors in full instead of stubs. */
struct json_value *load_balancer_tree_view(const struct node_state *state,
                                           const struct effective *object);

#endif

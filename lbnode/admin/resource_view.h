/* A resource as the API shows it: Octavia's keys in Octavia's order, with ids, statuses, times
 * and stubs around the attributes of the field table. */
#ifndef LBNODE_ADMIN_RESOURCE_VIEW_H
#define LBNODE_ADMIN_RESOURCE_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/field_table.h"

/* All keys of OBJECT; the caller owns the result. */
struct json_value *resource_view(const struct node_state *state,
                                 const struct effective *object);
/* Does the view of TYPE have the key NAME? */
bool resource_view_has(enum resource_type type, const char *name);
/* The value that stands for an attribute of Octavia that lbnode does not have ("null", "[]",
 * "false", ...), or NULL when NAME is none. A client may send exactly this value. */
const char *resource_view_constant(const char *name);

/* The ids of the synthetic subnet, network and ports (neutron_api.c shows them). */
struct uuid synthetic_subnet_id(void);
struct uuid synthetic_network_id(void);
struct uuid synthetic_port_id(const struct load_balancer *load_balancer);

#endif

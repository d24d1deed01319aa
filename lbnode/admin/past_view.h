/* Changes of the past as the API shows them: who, when, where, and attribute by attribute what
 * was before and after. */
#ifndef LBNODE_ADMIN_PAST_VIEW_H
#define LBNODE_ADMIN_PAST_VIEW_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/json_value.h"
#include "lbnode/model/field_table.h"

enum {
    PAST_OBJECT_NAME_SIZE = 256
};

/* {"id", "time", "author", "via", "node", "operations", "changes": []} */
struct json_value *past_change_json(const struct node_state *state,
                                    const struct past_change *change);
/* Adds what OP did to the list `changes` of CHANGE. */
void past_add_op(const struct node_state *state,
                 struct json_value *change,
                 const struct past_op *op);
/* {"object_id", "object_type", "object_name", "action", "attributes": []} */
struct json_value *past_object_json(const struct node_state *state,
                                    const struct uuid *id,
                                    uint8_t type,
                                    const char *action);
/* Adds {"name", "before", "after"} for each attribute of the facet in which the two differ; of
 * one that is NULL all attributes are null. */
void past_add_differences(struct json_value *attributes,
                          uint8_t type,
                          uint16_t facet,
                          const struct bytes *before,
                          const struct bytes *after);
/* The name that the object has, or had when it was deleted; "" if none is known. */
void past_object_name(const struct node_state *state,
                      const struct uuid *id,
                      char out[PAST_OBJECT_NAME_SIZE]);
/* By id, or by the name that exactly one object has; one that was deleted is found by its last
 * name if none that exists has it. */
bool past_find_object(const struct node_state *state,
                      const char *name_or_id,
                      struct uuid *out,
                      struct error *error);

#endif

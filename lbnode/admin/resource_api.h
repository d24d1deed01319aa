/* What the handlers of all resource families share. */
#ifndef LBNODE_ADMIN_RESOURCE_API_H
#define LBNODE_ADMIN_RESOURCE_API_H

#include "lbnode/admin/admin_change.h"
#include "lbnode/model/field_table.h"

/* The object of TYPE that ID_TEXT names; NULL with Octavia's "... not found." */
const struct effective *resource_api_find(const struct admin_request *request,
                                          enum resource_type type,
                                          const char *id_text,
                                          struct error *error);
/* A copy of OBJECT without what only OpenStack knows, as far as it says what is so anyway
 * (flavor_id: null), with addresses of additional_vips as plain text. */
struct json_value *resource_api_normalise(const struct json_value *object);
/* RESOURCE from the attributes in OBJECT (taken over), checked against the configuration. NULL
 * with ERROR. */
struct resource *resource_api_build(const struct admin_request *request,
                                    enum resource_type type,
                                    struct json_value *object,
                                    struct error *error);
/* Answers with the existing object when the client repeats a creation (same change id). */
bool resource_api_is_repeat(struct admin_request *request, const struct uuid *id);
/* Submits the creation of RESOURCE (taken over) together with CHANGES (taken over, may be
 * empty); answers 201 with the object. */
void resource_api_submit_create(struct admin_request *request,
                                struct resource *resource,
                                struct change_set *changes);
/* Answers with the object of request->change. */
void resource_api_answer_object(struct admin_request *request);
/* Answers with the status of request->change and no body. */
void resource_api_answer_empty(struct admin_request *request);

#endif

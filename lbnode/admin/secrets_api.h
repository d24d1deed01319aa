/* What the handlers of all resources ask about those with a sensitive attribute. */
#ifndef LBNODE_ADMIN_SECRETS_API_H
#define LBNODE_ADMIN_SECRETS_API_H

#include "lbnode/admin/admin_request.h"
#include "lbnode/model/sensitive.h"

/* The data keys of this node. */
struct sensitive_keys secrets_keys(const struct node_state *state);
/* Takes payload_content_encoding, which is no attribute, out of OBJECT. False with ERROR when
 * it is none that is known. */
bool secrets_take_encoding(struct json_value *object, bool *out_is_base64, struct error *error);
/* Decodes what IS_BASE64 says is encoded, and seals it. */
bool secrets_seal(const struct admin_request *request,
                  struct resource *resource,
                  const struct resource *before,
                  bool is_base64,
                  struct error *error);
/* "secret_ref" into VIEW, the address of the secret at this node. */
void secrets_add_reference(const struct admin_request *request, struct json_value *view);

#endif

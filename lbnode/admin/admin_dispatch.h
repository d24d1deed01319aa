/* From a complete HTTP message to the handler of its route. */
#ifndef LBNODE_ADMIN_ADMIN_DISPATCH_H
#define LBNODE_ADMIN_ADMIN_DISPATCH_H

#include "lbnode/admin/admin_request.h"
#include "lbnode/http/http_message.h"

/* Fills in the question and calls the handler, or answers the refusal. REQUEST may be gone
 * afterwards. */
void admin_dispatch(struct admin_request *request, const struct http_message *message);

#endif

/* Revisions: has anything of an object been written since a client read it? Each answer that
 * shows one object says its revision (X-Lbnode-Revision); a change that names one
 * (X-Lbnode-If-Rev) is refused when the object has another by then. No ETag, since the answer
 * also shows statuses, which change without a write. */
#ifndef LBNODE_ADMIN_REVISION_H
#define LBNODE_ADMIN_REVISION_H

#include "lbnode/admin/admin_request.h"

enum {
    REVISION_TEXT_SIZE = 17
};

bool revision_parse(const char *text, uint64_t *out);
void revision_format(uint64_t revision, char out[REVISION_TEXT_SIZE]);
/* Adds X-Lbnode-Revision to the answer. */
void revision_tell(struct admin_request *request, const struct effective *object);
/* False with ERROR_CONFLICT, which says what was written last, by whom and where. */
bool revision_check(const struct admin_request *request,
                    const struct effective *object,
                    struct error *error);

#endif

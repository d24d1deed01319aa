/* What the handlers of questions about the past share. */
#ifndef LBNODE_ADMIN_HISTORY_API_H
#define LBNODE_ADMIN_HISTORY_API_H

#include "lbnode/admin/admin_request.h"

/* Calls GO_ON once the past can be asked for; ends the request with an error if it cannot. */
void history_ask(struct admin_request *request, void (*go_on)(struct admin_request *request));

/* What came up to and with this stamp; more than any, "now". */
struct past_point {
    struct change_stamp upto;
    uint64_t wall_ms;
};

/* TEXT is a change's id (the point right after it), a moment or an age. False with ERROR that
 * names FIELD. */
bool history_point(const struct admin_request *request,
                   const char *field,
                   const char *text,
                   struct past_point *out,
                   struct error *error);
/* The next stamp after the point. */
struct change_stamp history_after(const struct past_point *point);
int history_stamp_compare(const struct change_stamp *a, const struct change_stamp *b);

#endif

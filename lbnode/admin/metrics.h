/* The node's counters as Prometheus' text. */
#ifndef LBNODE_ADMIN_METRICS_H
#define LBNODE_ADMIN_METRICS_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/text.h"

void metrics_append(const struct node_state *state, struct text *out);
/* NAME="VALUE" with quotes, backslashes and newlines escaped. */
void metrics_append_label(struct text *out, const char *name, const char *value);

#endif

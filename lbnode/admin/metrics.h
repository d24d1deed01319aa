/* The node's counters as Prometheus' text. */
#ifndef LBNODE_ADMIN_METRICS_H
#define LBNODE_ADMIN_METRICS_H

#include "lbnode/admin/node_state.h"
#include "lbnode/base/text.h"

void metrics_append(const struct node_state *state, struct text *out);
/* What the proxy counts about all objects of TYPE: listener, pool or member.
 * (traffic_metrics.c) */
void metrics_append_counters(const struct node_state *state,
                             enum resource_type type,
                             struct text *out);
void metrics_append_latencies(const struct node_state *state,
                              enum resource_type type,
                              struct text *out);
/* Verdicts and probes of members, and how many members of a pool are what. (health_metrics.c)
 */
void metrics_append_health(const struct node_state *state, struct text *out);
void metrics_append_heading(struct text *out,
                            const char *name,
                            const char *kind,
                            const char *help);
/* NAME="VALUE" with quotes, backslashes and newlines escaped. */
void metrics_append_label(struct text *out, const char *name, const char *value);

#endif

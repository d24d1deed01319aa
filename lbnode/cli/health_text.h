/* How commands show what nodes think of a member. */
#ifndef LBNODE_CLI_HEALTH_TEXT_H
#define LBNODE_CLI_HEALTH_TEXT_H

#include "lbnode/cli/output.h"

/* "3 min ago", "0.4 s ago"; "never" for null. */
void health_age_write(const struct json_value *age_ms, struct text *out);
/* How long a node's last probe took: "0.7 ms", "-" when there was none. */
void health_took_add(struct table *table, const struct json_value *node);
/* A member's health as GET .../health tells it: a table of the nodes, and the bar of this one.
 */
void health_print(const struct json_value *health);
/* In one line, for lists: why it is in ERROR and since when, or how the nodes differ; "". */
void health_line_write(const struct json_value *health, struct text *out);

#endif

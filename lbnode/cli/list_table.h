/* Lists for people: chosen columns of each resource, other objects by their names. */
#ifndef LBNODE_CLI_LIST_TABLE_H
#define LBNODE_CLI_LIST_TABLE_H

#include "lbnode/cli/client.h"
#include "lbnode/cli/output.h"
#include "lbnode/model/resource.h"

/* Prints LIST, objects of TYPE, to stdout. Asks CLIENT for the names of what they refer to. */
void list_table_print(const struct client *client,
                      enum resource_type type,
                      const struct json_value *list);

#endif

/* lbnode db verify | rebuild: work on the store of a node that is not running. */
#ifndef LBNODE_NODE_DB_COMMAND_H
#define LBNODE_NODE_DB_COMMAND_H

#include "lbnode/node/settings.h"

/* ARGV after `db`; exit status. */
int db_command(int argc, char **argv);
/* Finds a node that is not running by the options in ARGV, which are those of lbnode run. A
 * descriptor that keeps others from running it until it is closed; -1 with ERROR. */
int db_lock_stopped_node(struct node_settings *out, int argc, char **argv, struct error *error);

#endif

/* lbnode db verify | rebuild: work on the store of a node that is not running. */
#ifndef LBNODE_NODE_DB_COMMAND_H
#define LBNODE_NODE_DB_COMMAND_H

/* ARGV after `db`; exit status. */
int db_command(int argc, char **argv);

#endif

/* lbnode cluster recover: makes a node that was removed the first one of its cluster again,
 * with the recovery code. On the host of that node, while it is stopped. */
#ifndef LBNODE_NODE_RECOVER_COMMAND_H
#define LBNODE_NODE_RECOVER_COMMAND_H

/* ARGV after `cluster recover`; exit status. */
int recover_command(int argc, char **argv);

#endif

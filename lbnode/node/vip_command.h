/* lbnode vip release: takes this software's addresses off the interfaces, without a daemon. */
#ifndef LBNODE_NODE_VIP_COMMAND_H
#define LBNODE_NODE_VIP_COMMAND_H

/* ARGV after `vip`; exit status. */
int vip_command(int argc, char **argv);

#endif

/* `lbnode run`: from settings to a running node. */
#ifndef LBNODE_NODE_NODE_RUN_H
#define LBNODE_NODE_NODE_RUN_H

/* Arguments after `run`. Returns the exit status: 0 after an orderly end, 1 when the node could
 * not start, 2 for bad settings. */
int node_run(int argc, char **argv);

#endif

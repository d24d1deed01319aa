/* The control process: the replicated state, its projection, and the API. Holds the node's
 * keys; has no capability. Wires replication, model and admin together and tells the supervisor
 * what to run. */
#ifndef LBNODE_NODE_CONTROL_H
#define LBNODE_NODE_CONTROL_H

#include "lbnode/model/process.h"
#include "lbnode/node/settings.h"

/* Exit status: 0 after MESSAGE_STOP or the end of the channel; EXIT_UNUSABLE (supervisor.h)
 * when the store, a port or the socket cannot be opened. */
int control_main(const struct process_context *context, const struct node_settings *settings);

#endif

/* The API server: HTTP+JSON on the Unix socket and, when configured, on TCP. Octavia's
 * resources under /v2.0/lbaas and /v2/lbaas, lbnode's own under /v1, /metrics, /healthz,
 * /readyz. */
#ifndef LBNODE_ADMIN_ADMIN_SERVER_H
#define LBNODE_ADMIN_ADMIN_SERVER_H

#include "lbnode/admin/node_state.h"
#include "lbnode/loop/loop.h"

struct admin_server;

struct admin_settings {
    const char *socket_path; /* /run/lbnode/lbnode.sock; mode 0660 */
    struct ip_endpoint
        tcp_listen; /* family 0: none; loopback only unless the user says otherwise */
};

/* NULL with ERROR. STATE outlives the server. */
struct admin_server *admin_server_new(struct loop *loop,
                                      const struct admin_settings *settings,
                                      const struct node_state *state,
                                      struct error *error);
void admin_server_free(struct admin_server *server);

#endif

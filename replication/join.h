/* Both ends of a join, over one TCP connection (docs/protocol.md, "Joining"). */
#ifndef REPLICATION_JOIN_H
#define REPLICATION_JOIN_H

#include "replication/connection.h"
#include "replication/replication_internal.h"

enum {
    JOIN_ATTEMPTS = 5 /* in a minute, those that end well not counted */
};

/* Is MESSAGE the first one of a joiner? */
bool join_is_hello(struct bytes message);
/* Serves a joiner; takes CONNECTION over. */
void join_serve(struct replication *replication,
                struct connection *connection,
                struct bytes hello);
/* Ends this node's own attempt to join, if one runs. */
void join_client_cancel(struct replication *replication);
/* From time to time: tells how many refusals were not told one by one. */
void join_refusals_tick(struct replication *replication);
/* The store or the state changes under a snapshot that is being sent: joiners try again. */
void join_servers_end_sending(struct replication *replication);
/* Ends the attempts of others that run here. */
void join_servers_cancel(struct replication *replication);

#endif

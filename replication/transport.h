/* The gossip sockets: UDP and TCP on one port. Datagrams are those of sessions (session.h); to
 * and from nodes that do not know these, packets that are signed and checked (packet.h). */
#ifndef REPLICATION_TRANSPORT_H
#define REPLICATION_TRANSPORT_H

#include "replication/replication_internal.h"

/* Binds and listens; sets replication->transport. 0 or -errno with ERROR. */
int transport_start(struct replication *replication, struct error *error);
/* Queues one frame for PEER: a datagram, or the stream to it when BULK. Best effort. */
void transport_send(struct transport *transport,
                    const struct uuid *peer,
                    uint32_t frame_type,
                    struct bytes body,
                    bool bulk);
/* Bytes that wait for the stream to PEER. */
size_t transport_queued(struct transport *transport, const struct uuid *peer);
/* Sends what waits for a datagram; at the end of each step. NULL-safe. */
void transport_flush(struct transport *transport);
/* The keyring has other keys, or other ones in use. NULL-safe. */
void transport_keys_changed(struct transport *transport);
/* Are there secrets, so that other nodes can have sessions with this one? NULL-safe. */
bool transport_has_secrets(const struct transport *transport);
/* Fills in how the peer is spoken with. NULL-safe. */
void transport_view_peer(const struct transport *transport, struct peer_view *view);
/* How many datagrams became what, since the start. NULL-safe. */
void transport_visit_counts(const struct transport *transport,
                            void (*visit)(void *context, const char *outcome, uint64_t count),
                            void *context);
/* The same of connections that others opened. NULL-safe. */
void transport_visit_stream_counts(const struct transport *transport,
                                   void (*visit)(void *context,
                                                 const char *outcome,
                                                 uint64_t count),
                                   void *context);
/* The nodes that run twice (clone_watch.h), as evidence. NULL-safe. */
void transport_visit_clones(const struct transport *transport,
                            void (*visit)(void *context, const struct evidence *evidence),
                            void *context);
void transport_free(struct transport *transport); /* NULL-safe */

#endif

/* What the files of the transport share. transport.c: sending, start and end;
 * transport_receive.c: datagrams, and whether a packet is genuine; inbound.c: connections that
 * others opened. */
#ifndef REPLICATION_TRANSPORT_INTERNAL_H
#define REPLICATION_TRANSPORT_INTERNAL_H

#include "lbnode/loop/acceptor.h"
#include "replication/clone_watch.h"
#include "replication/connection.h"
#include "replication/packet.h"
#include "replication/snapshot_frames.h"
#include "replication/transport.h"

#include <sys/socket.h>

enum {
    DATAGRAMS_PER_TURN = 64,
    STRANGERS = 64, /* accepted connections that have not proved who they are */
    STREAM_MESSAGE_MAXIMUM = SNAPSHOT_PART_MAXIMUM + PACKET_OVERHEAD + 64,
    VERIFICATIONS_PER_SECOND = 4000,
    STREAM_PACKET_BYTES = 16 << 10, /* several frames share a signature up to here */
    IDLE_MS = 60000
};

struct link { /* what is kept per other node */
    struct transport *transport;
    struct uuid id;
    struct replay_window seen[2]; /* by channel */
    struct clone_watch clones;
    uint64_t clone_reported_us;
    struct wire_writer frames; /* waiting for a datagram */
    struct wire_writer bulk;   /* waiting for the stream */
    struct connection *stream; /* ours, to it */
    size_t best_endpoint;
    uint64_t heard_us;
};

struct inbound {
    struct connection *connection;
    struct transport *transport;
    uint64_t number; /* the lower, the older */
    bool from_node;  /* comes from an address in the roster */
    bool known;      /* has proved which node it is */
};

struct transport {
    struct replication *replication;
    struct loop_io udp;
    struct acceptor tcp;
    int tcp_fd;
    bool has_udp, has_tcp, is_ipv6;
    uint64_t counters[2]; /* by channel, over all peers */
    struct link *links[ROSTER_MAXIMUM];
    size_t link_count;
    struct inbound *inbound[STRANGERS + ROSTER_ACTIVE_MAXIMUM * 2];
    uint64_t inbound_number;
    uint64_t budget_second, verifications, forged_reported_us;
};

/* transport.c. NULL: too many. */
struct link *transport_link(struct transport *transport, const struct uuid *id);

/* transport_receive.c */
void transport_on_datagram(struct loop_io *io, unsigned readiness);
/* The sender when the packet is for us, genuine and new; else NULL. FROM is NULL on streams. */
struct link *transport_check_packet(struct transport *transport,
                                    const struct packet *packet,
                                    const struct sockaddr_storage *from);
/* The packet's frames, one by one, to the core. */
void transport_hand_over(struct transport *transport,
                         const struct link *link,
                         const struct packet *packet);

/* inbound.c */
void inbound_on_connection(struct acceptor *acceptor,
                           int fd,
                           const struct sockaddr_storage *from);
void inbound_free_all(struct transport *transport);

#endif

/* What the files of the transport share. transport.c: sending, start and end;
 * transport_receive.c: datagrams, and whether a packet is genuine; transport_session.c:
 * sessions with the other nodes; transport_removal.c: how a removed node learns of it;
 * transport_stream.c: streams to the other nodes; inbound.c: connections that others opened. */
#ifndef REPLICATION_TRANSPORT_INTERNAL_H
#define REPLICATION_TRANSPORT_INTERNAL_H

#include "lbnode/loop/acceptor.h"
#include "replication/clone_watch.h"
#include "replication/connection.h"
#include "replication/keyring.h"
#include "replication/packet.h"
#include "replication/session.h"
#include "replication/snapshot_frames.h"
#include "replication/source_table.h"
#include "replication/transport.h"

#include <sys/socket.h>

enum {
    DATAGRAMS_PER_TURN = 64, /* in one call; as many calls as fill READ_PER_TURN */
    READ_PER_TURN = 256,
    FLOOD_PER_TURN = 16, /* so many of no use are a flood */
    FLOOD_REST_US = 1000,
    STRANGERS = 64, /* accepted connections that have not proved who they are, of nobody's
                     * address; as many of those of nodes */
    BACKLOG = 512,  /* connections that wait to be accepted, so that strangers delay no peer */
    STREAM_MESSAGE_MAXIMUM = SNAPSHOT_PART_MAXIMUM + PACKET_OVERHEAD + 64,
    VERIFICATIONS_PER_SECOND = 4000,
    STREAM_PACKET_BYTES = 16 << 10, /* several frames share a signature up to here */
    IDLE_MS = 60000,
    KNOCK_AFTER_US = 1000000,  /* so long INITs had no answer */
    KNOCK_PAUSE_US = 750000,   /* a later knock voids the answer to this one */
    FORGED_PAUSE_US = 10000000 /* between events about forged ones */
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
    bool is_sealed;            /* it has a session, under the secret of that version */
    uint16_t stream_secret;
    uint64_t opened_us;
    struct stream_gate gate; /* its streams to this node */
    uint64_t incarnation;    /* under which it was heard last, in a session */
    size_t best_endpoint;
    int place;                                /* in the sessions; -1: none */
    uint8_t public_key[SIGN_PUBLIC_KEY_SIZE]; /* that it was put there with */
    uint64_t heard_us;                        /* in a session */
    uint64_t tried_us;                  /* since when INITs get no answer; 0: none went out */
    uint64_t knock_counter, knocked_us; /* of the last knock */
};

/* Datagrams that are dropped before a session looks at them, or are none of a session. */
enum datagram_outcome {
    DATAGRAM_STRANGER, /* from an address that no node has */
    DATAGRAM_SIGNED,
    DATAGRAM_DOWNGRADE, /* signed, in the name of a node that speaks in sessions */
    DATAGRAM_OUTCOMES
};

/* What became of the connections of others. */
enum stream_outcome {
    STREAM_CAME_MALFORMED,
    STREAM_CAME_FOREIGN, /* from nobody, or by whoever does not have the secret */
    STREAM_CAME_REPLAYED,
    STREAM_CAME_EXHAUSTED,
    STREAM_CAME_FORGED,
    STREAM_CAME_INCOMPATIBLE,
    STREAM_CAME_STRANGER, /* no join, from an address that no node has */
    STREAM_CAME_DOWNGRADE,
    STREAM_CAME_SILENT,    /* too long before it was known */
    STREAM_CAME_DISPLACED, /* by younger ones */
    STREAM_CAME_SIGNED,    /* a stream, of signed packets */
    STREAM_CAME_ANSWERED,  /* a stream, encrypted */
    STREAM_CAME_ENDED,
    STREAM_CAME_CUT, /* an encrypted one, without its end */
    STREAM_OUTCOMES
};

struct inbound {
    struct connection *connection;
    struct transport *transport;
    struct ip_address source;
    uint64_t number;   /* the lower, the older */
    bool from_node;    /* comes from an address in the roster */
    bool is_counted;   /* among the streams of its node */
    struct link *link; /* which node it is; NULL: not known yet */
    bool is_sealed;    /* it has a session, under the secret of that version */
    uint16_t secret_version;
};

struct stream_secret {
    uint16_t version;
    uint8_t secret[SESSION_SECRET_SIZE], psk[NOISE_KEY_SIZE];
    uint8_t mac_key[HASH_KEY_SIZE]; /* of what this node receives */
};

/* In guarded memory. */
struct stream_keys {
    struct dh_key own;
    struct stream_secret secrets[KEYRING_MAXIMUM];
    size_t count;
    uint16_t use_version;
};

/* The terms of one handshake and what they point to. Wiped after use. */
struct stream_with {
    struct stream_terms terms;
    uint8_t peer[DH_KEY_SIZE], peer_mac_key[HASH_KEY_SIZE], ephemeral[DH_KEY_SIZE];
};

/* Read together. A byte more than any may have, to tell larger ones. */
struct datagrams {
    struct mmsghdr headers[DATAGRAMS_PER_TURN];
    struct iovec parts[DATAGRAMS_PER_TURN];
    struct sockaddr_storage from[DATAGRAMS_PER_TURN];
    uint8_t bytes[DATAGRAMS_PER_TURN][DATAGRAM_MAXIMUM + 1];
};

struct transport {
    struct replication *replication;
    struct loop_io udp;
    struct acceptor tcp;
    int tcp_fd;
    bool has_udp, has_tcp, is_ipv6;
    struct datagrams datagrams;
    uint64_t handed_over;   /* packets whose frames the core got */
    struct loop_timer rest; /* of a flood: see transport_on_datagram */
    uint64_t counters[2];   /* by channel, over all peers */
    struct link *links[ROSTER_MAXIMUM];
    size_t link_count;
    struct inbound *inbound[2 * STRANGERS + ROSTER_ACTIVE_MAXIMUM * 2];
    uint64_t inbound_number;
    uint64_t budget_second, verifications, forged_reported_us;

    /* transport_session.c */
    struct sessions *sessions;    /* NULL: in no cluster, or this node does not know sessions */
    struct uuid sessions_cluster; /* what they were made for */
    uint8_t sessions_key[SIGN_PUBLIC_KEY_SIZE];
    uint64_t sessions_number; /* of the last INIT of those before */
    bool has_secrets;
    struct link *peers[SESSION_PEERS]; /* by place */
    struct source_table *sources;
    uint64_t roster_version; /* that the peers are of */
    struct loop_timer handshakes;
    uint64_t handshakes_due_us;
    uint64_t counts[DATAGRAM_OUTCOMES];
    uint64_t downgrade_reported_us, incompatible_reported_us;
    uint64_t knock_second;
    unsigned knocks; /* of removed nodes that were looked at in that second */

    /* transport_stream.c */
    struct stream_keys *stream_keys; /* NULL: no secrets yet */
    uint64_t stream_number;          /* of the last stream's INIT */
    uint64_t stream_counts[STREAM_OUTCOMES];
};

/* transport.c. NULL: too many. */
struct link *transport_link(struct transport *transport, const struct uuid *id);
void transport_send_to(const struct transport *transport,
                       struct ip_endpoint endpoint,
                       struct bytes datagram);
/* Appends a packet of FRAMES, signed. */
void transport_sign(struct transport *transport,
                    const struct link *link,
                    enum packet_channel channel,
                    struct bytes frames,
                    struct wire_writer *out);
/* A packet of FRAMES, signed; its counter. */
uint64_t transport_send_signed(struct transport *transport,
                               const struct link *link,
                               struct ip_endpoint endpoint,
                               struct bytes frames);

/* transport_receive.c */
void transport_on_datagram(struct loop_io *io, unsigned readiness);
/* The sender when the packet is for us, genuine and new; else NULL. FROM is NULL on streams. */
struct link *transport_check_packet(struct transport *transport,
                                    const struct packet *packet,
                                    const struct sockaddr_storage *from);
/* Is PACKET for this node, in its cluster, in the name of a node of the roster? Then that one.
 */
const struct roster_node *transport_claimed_sender(const struct transport *transport,
                                                   const struct packet *packet);
/* The frames, one by one, to the core. */
void transport_hand_over(struct transport *transport,
                         const struct link *link,
                         struct bytes frames);
/* What came from the node, genuine and new, came FROM there. */
void transport_note_source(struct transport *transport,
                           struct link *link,
                           const struct ip_endpoint *from);
void transport_watch_for_clone(struct transport *transport,
                               struct link *link,
                               uint64_t incarnation,
                               const struct ip_endpoint *from);
/* Events, not too many of them. */
void transport_report_downgrade(struct transport *transport, const struct roster_node *claimed);
void transport_report_forged_from(struct transport *transport, const struct ip_address *from);
void transport_report_incompatible_from(struct transport *transport,
                                        const struct ip_address *from);
/* True once in PAUSE_US. */
bool transport_is_news(const struct transport *transport,
                       uint64_t *reported_us,
                       uint64_t pause_us);

/* transport_filter.c */
void transport_renew_filter(const struct transport *transport);

/* transport_session.c. Follows the roster; at once where nothing changed. */
void transport_follow_roster(struct transport *transport);
/* May the node be sent signed packets? */
bool transport_may_sign(const struct transport *transport, const struct roster_node *node);
/* May the node send signed packets? Also one that speaks in sessions, as long as it cannot know
 * that this node does. */
bool transport_takes_signed(const struct transport *transport, const struct roster_node *node);
/* Is a session with the node in use, since FOR_US at least? */
bool transport_is_in_session(const struct transport *transport,
                             const struct roster_node *node,
                             uint64_t for_us);
/* Frames to the node in a session. False: there is none. */
bool transport_send_sealed(struct transport *transport,
                           const struct link *link,
                           struct ip_endpoint endpoint,
                           struct bytes frames);
/* A heartbeat is about to go to the node: is it time to ask for a new session? */
void transport_watch_silence(struct transport *transport, const struct link *link);
/* Sets the timer for the next handshake. */
void transport_plan_handshakes(struct transport *transport);
void transport_take_sealed(struct transport *transport,
                           struct bytes datagram,
                           const struct ip_endpoint *from);
void transport_end_sessions(struct transport *transport);

/* transport_removal.c */
void removal_knock(struct transport *transport,
                   struct link *link,
                   const struct roster_node *node);
/* In the session that ends by it. */
void removal_tell_in_session(struct transport *transport, const struct link *link);
/* Answers a signed packet of a node that was removed. */
void removal_answer(struct transport *transport,
                    const struct roster_node *node,
                    const struct packet *packet,
                    const struct ip_endpoint *from);
/* Is PACKET, in the name of a node that speaks in sessions, the answer to a knock? Then it is
 * checked and taken. */
bool removal_take_answer(struct transport *transport,
                         const struct roster_node *node,
                         const struct packet *packet);

/* transport_stream.c. The secrets of the cluster, or the key of this node, are others now:
 * streams under old ones are closed. */
void transport_stream_keys_changed(struct transport *transport);
bool transport_stream_terms(const struct transport *transport,
                            const struct roster_node *node,
                            const struct stream_secret *secret,
                            struct stream_with *out);
/* Sends what waits for the stream, which it opens if there is none. */
void transport_flush_stream(struct transport *transport, struct link *link);
/* This node's stream to the node; all streams of the node. */
void transport_drop_stream(struct link *link);
void transport_drop_streams(struct transport *transport, struct link *link);

/* inbound.c */
void inbound_drop(struct inbound *inbound);
void inbound_on_connection(struct acceptor *acceptor,
                           int fd,
                           const struct sockaddr_storage *from);
void inbound_free_all(struct transport *transport);

#endif

/* Connections that others opened: peers that send what no datagram holds, and joiners. Who they
 * are is known with the first bytes; up to then there are few of them, with small buffers, and
 * who is no node hears nothing. */
#include "replication/join.h"
#include "replication/memory.h"
#include "replication/transport_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FIRST_MAXIMUM = 1000, /* bytes of the first message */
    STRANGERS_PER_ADDRESS = 8,
    STREAMS_PER_NODE = 2
};

static void count(struct transport *transport, enum stream_outcome outcome)
{
    transport->stream_counts[outcome]++;
}

/* Forgets INBOUND, not its connection. */
static void forget(struct inbound *inbound)
{
    struct transport *transport = inbound->transport;
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++)
        if (transport->inbound[i] == inbound)
            transport->inbound[i] = NULL;
    free(inbound);
}

void inbound_drop(struct inbound *inbound)
{
    connection_free(inbound->connection);
    forget(inbound);
}

static void refuse(struct inbound *inbound, enum stream_outcome outcome)
{
    count(inbound->transport, outcome);
    inbound_drop(inbound);
}

static bool is_stranger(const struct inbound *inbound)
{
    return connection_is_stranger(inbound->connection);
}

static void inbound_closed(struct connection *connection, void *context, const char *why)
{
    struct inbound *inbound = context;
    switch (connection_fate(connection)) {
    case CONNECTION_SILENT:
        refuse(inbound, is_stranger(inbound) ? STREAM_CAME_SILENT : STREAM_CAME_ENDED);
        break;
    case CONNECTION_MALFORMED: refuse(inbound, STREAM_CAME_MALFORMED); break;
    case CONNECTION_FORGED: refuse(inbound, STREAM_CAME_FORGED); break;
    case CONNECTION_CUT:
        refuse(inbound, inbound->is_sealed ? STREAM_CAME_CUT : STREAM_CAME_ENDED);
        break;
    default: refuse(inbound, STREAM_CAME_ENDED); break;
    }
}

/* ---- sessions -----------------------------------------------------------------------------
 */

static bool is_from(const struct roster_node *node, const struct ip_address *source)
{
    for (size_t i = 0; i < node->endpoint_count; i++)
        if (ip_address_equal(&node->endpoints[i].address, source))
            return true;
    return false;
}

static const struct stream_secret *secret_of(const struct stream_keys *keys,
                                             const struct stream_init *init)
{
    for (size_t i = 0; keys && i < keys->count; i++)
        if (keys->secrets[i].version == init->secret_version &&
            stream_init_mac_is_right(init, keys->secrets[i].mac_key))
            return &keys->secrets[i];
    return NULL;
}

/* Who the INIT says it is from, if that one may speak from there. */
static const struct roster_node *sender_of(const struct inbound *inbound,
                                           const struct stream_init *init)
{
    const struct replication *replication = inbound->transport->replication;
    const struct roster_node *node =
        core_is_initialised(replication->core)
            ? roster_by_key(core_roster(replication->core), init->sender)
            : NULL;
    return node && node->status == NODE_ACTIVE && is_from(node, &inbound->source) &&
                   !uuid_equal(&node->id, &replication->node_id)
               ? node
               : NULL;
}

/* Of one node, one that has not proved to be there: whoever recorded INITs of it has no use of
 * more. */
static void drop_unproved(struct transport *transport, const struct link *link)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++) {
        struct inbound *other = transport->inbound[i];
        if (other && other->link == link && is_stranger(other))
            refuse(other, STREAM_CAME_DISPLACED);
    }
}

static void report(struct inbound *inbound, enum stream_verdict verdict)
{
    if (verdict == STREAM_FORGED)
        transport_report_forged_from(inbound->transport, &inbound->source);
    else if (verdict == STREAM_INCOMPATIBLE)
        transport_report_incompatible_from(inbound->transport, &inbound->source);
}

static enum stream_verdict answer(struct inbound *inbound, const struct stream_init *init)
{
    struct transport *transport = inbound->transport;
    const struct stream_secret *secret = secret_of(transport->stream_keys, init);
    const struct roster_node *node = secret ? sender_of(inbound, init) : NULL;
    struct link *link = node ? transport_link(transport, &node->id) : NULL;
    uint64_t now_us = replication_now(transport->replication).mono_us;
    uint8_t response[STREAM_HANDSHAKE_MAXIMUM];
    struct stream_with with;
    size_t size;
    if (!link)
        return STREAM_FOREIGN;
    if (init->incarnation < link->gate.incarnation && init->incarnation == link->incarnation)
        link->gate.incarnation = link->gate.number = 0; /* its disk went back in time */
    enum stream_verdict verdict = stream_gate_ask(&link->gate, init, now_us);
    if (verdict != STREAM_ANSWERED)
        return verdict;
    if (!transport_stream_terms(transport, node, secret, &with))
        return STREAM_FORGED;
    struct stream_session *session = stream_session_new();
    verdict = stream_session_answer(session, &with.terms, init, with.ephemeral, now_us,
                                    response, &size);
    secret_wipe(&with, sizeof(with));
    if (verdict != STREAM_ANSWERED) {
        stream_session_free(session);
        return verdict;
    }
    stream_gate_close(&link->gate, init);
    drop_unproved(transport, link);
    inbound->link = link;
    inbound->is_sealed = true;
    inbound->secret_version = init->secret_version;
    connection_answer_session(inbound->connection, session, (struct bytes){response, size},
                              STREAM_MESSAGE_MAXIMUM, IDLE_MS);
    return verdict;
}

static void inbound_init(struct connection *connection, void *context, struct bytes frame)
{
    static const enum stream_outcome outcomes[] = {
        [STREAM_MALFORMED] = STREAM_CAME_MALFORMED,
        [STREAM_FOREIGN] = STREAM_CAME_FOREIGN,
        [STREAM_REPLAYED] = STREAM_CAME_REPLAYED,
        [STREAM_EXHAUSTED] = STREAM_CAME_EXHAUSTED,
        [STREAM_FORGED] = STREAM_CAME_FORGED,
        [STREAM_INCOMPATIBLE] = STREAM_CAME_INCOMPATIBLE,
        [STREAM_PARTIAL] = STREAM_CAME_MALFORMED,
        [STREAM_ANSWERED] = STREAM_CAME_ANSWERED,
    };
    struct inbound *inbound = context;
    struct stream_init init;
    if (!inbound->from_node) {
        refuse(inbound, STREAM_CAME_STRANGER);
        return;
    }
    enum stream_verdict verdict = stream_init_parse(frame, &init);
    if (verdict == STREAM_ANSWERED)
        verdict = answer(inbound, &init);
    report(inbound, verdict);
    if (verdict == STREAM_ANSWERED)
        count(inbound->transport, STREAM_CAME_ANSWERED);
    else
        refuse(inbound, outcomes[verdict]);
}

/* ---- messages -----------------------------------------------------------------------------
 */

/* Of more streams of one node than it may have the oldest goes. */
static void bound_streams(struct transport *transport, const struct link *link)
{
    struct inbound *oldest = NULL;
    size_t streams = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++) {
        struct inbound *inbound = transport->inbound[i];
        if (!inbound || inbound->link != link || is_stranger(inbound))
            continue;
        streams++;
        if (!oldest || inbound->number < oldest->number)
            oldest = inbound;
    }
    if (streams > STREAMS_PER_NODE)
        refuse(oldest, STREAM_CAME_DISPLACED);
}

/* The frames of a signed packet of a node that does not speak in sessions. False: the
 * connection is gone. */
static bool take_signed(struct inbound *inbound, struct bytes message, struct bytes *out_frames)
{
    struct transport *transport = inbound->transport;
    struct packet packet;
    if (!packet_parse(message, &packet) || packet.channel != PACKET_STREAM) {
        refuse(inbound, STREAM_CAME_MALFORMED);
        return false;
    }
    const struct roster_node *node = transport_claimed_sender(transport, &packet);
    if (!node || node->status != NODE_ACTIVE) {
        refuse(inbound, STREAM_CAME_FOREIGN);
        return false;
    }
    if (!transport_takes_signed(transport, node)) {
        transport_report_downgrade(transport, node);
        refuse(inbound, STREAM_CAME_DOWNGRADE);
        return false;
    }
    struct link *link = transport_check_packet(transport, &packet, NULL);
    if (!link) {
        refuse(inbound, STREAM_CAME_FORGED);
        return false;
    }
    if (is_stranger(inbound)) {
        count(transport, STREAM_CAME_SIGNED);
        connection_set_limits(inbound->connection, STREAM_MESSAGE_MAXIMUM, IDLE_MS);
    }
    inbound->link = link;
    *out_frames = packet.frames;
    return true;
}

static void inbound_message(struct connection *connection, void *context, struct bytes message)
{
    struct inbound *inbound = context;
    struct transport *transport = inbound->transport;
    struct bytes frames = message;
    if (is_stranger(inbound) && join_is_hello(message)) {
        forget(inbound);
        join_serve(transport->replication, connection, message);
        return;
    }
    if (!inbound->from_node) {
        refuse(inbound, STREAM_CAME_STRANGER);
        return;
    }
    if (!inbound->is_sealed && !take_signed(inbound, message, &frames))
        return;
    struct link *link = inbound->link;
    if (!inbound->is_counted) {
        inbound->is_counted = true;
        bound_streams(transport, link);
    }
    transport_hand_over(transport, link, frames); /* which may close this connection */
}

/* ---- taking connections -------------------------------------------------------------------
 */

static const struct connection_handler inbound_handler = {inbound_message, inbound_closed, NULL,
                                                          inbound_init};

/* The address proves nothing, but who floods the port from elsewhere must not keep nodes out.
 */
static bool is_from_node(const struct transport *transport, const struct ip_address *source)
{
    const struct roster *roster = core_roster(transport->replication->core);
    for (size_t i = 0; i < roster->count; i++)
        if (roster->nodes[i].status == NODE_ACTIVE && is_from(&roster->nodes[i], source))
            return true;
    return false;
}

/* Of too many strangers the oldest goes: who means to speak does so at once. Those from the
 * addresses of nodes are counted apart. */
static void
make_room(struct transport *transport, const struct ip_address *source, bool from_node)
{
    struct inbound *oldest[2] = {NULL, NULL}; /* of all; of that address */
    size_t strangers[2] = {0, 0};
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++) {
        struct inbound *inbound = transport->inbound[i];
        if (!inbound || !is_stranger(inbound) || inbound->from_node != from_node)
            continue;
        for (int of = 0; of < 2; of++) {
            if (of == 1 && !ip_address_equal(&inbound->source, source))
                continue;
            strangers[of]++;
            if (!oldest[of] || inbound->number < oldest[of]->number)
                oldest[of] = inbound;
        }
    }
    if (strangers[1] >= STRANGERS_PER_ADDRESS)
        refuse(oldest[1], STREAM_CAME_DISPLACED);
    else if (strangers[0] >= STRANGERS)
        refuse(oldest[0], STREAM_CAME_DISPLACED);
}

static void
take_connection(struct transport *transport, int fd, const struct ip_address *source)
{
    bool from_node = is_from_node(transport, source);
    size_t slot = 0;
    make_room(transport, source, from_node);
    while (slot < ARRAY_LENGTH(transport->inbound) && transport->inbound[slot])
        slot++;
    if (slot == ARRAY_LENGTH(transport->inbound)) {
        close(fd);
        return;
    }
    struct inbound *inbound = memory_new(sizeof(*inbound));
    inbound->transport = transport;
    inbound->source = *source;
    inbound->from_node = from_node;
    inbound->number = transport->inbound_number++;
    inbound->connection = connection_accept(transport->replication->loop, fd, FIRST_MAXIMUM,
                                            &inbound_handler, inbound);
    if (!inbound->connection) {
        free(inbound);
        return;
    }
    transport->inbound[slot] = inbound;
}

void inbound_on_connection(struct acceptor *acceptor,
                           int fd,
                           const struct sockaddr_storage *from)
{
    struct transport *transport = CONTAINER_OF(acceptor, struct transport, tcp);
    struct ip_endpoint source;
    if (ip_endpoint_from_sockaddr((const struct sockaddr *)from, &source))
        take_connection(transport, fd, &source.address);
    else
        close(fd);
}

void inbound_free_all(struct transport *transport)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++)
        if (transport->inbound[i])
            inbound_drop(transport->inbound[i]);
}

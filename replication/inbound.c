/* Connections that others opened: peers that send what no datagram holds, and joiners. Who they
 * are is known with the first packet; up to then there are few of them, with small buffers. */
#include "replication/join.h"
#include "replication/memory.h"
#include "replication/transport_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void drop_inbound(struct inbound *inbound)
{
    struct transport *transport = inbound->transport;
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++)
        if (transport->inbound[i] == inbound)
            transport->inbound[i] = NULL;
    free(inbound);
}

static void inbound_closed(struct connection *connection, void *context, const char *why)
{
    connection_free(connection);
    drop_inbound(context);
}

/* The first message tells what a connection is: packets of a peer, or somebody who joins. */
static void inbound_message(struct connection *connection, void *context, struct bytes message)
{
    struct inbound *inbound = context;
    struct transport *transport = inbound->transport;
    struct packet packet;
    if (!inbound->known && join_is_hello(message)) {
        drop_inbound(inbound);
        join_serve(transport->replication, connection, message);
        return;
    }
    struct link *link = packet_parse(message, &packet) && packet.channel == PACKET_STREAM
                            ? transport_check_packet(transport, &packet, NULL)
                            : NULL;
    if (!link) {
        inbound_closed(connection, context, "");
        return;
    }
    if (!inbound->known)
        connection_set_limits(connection, STREAM_MESSAGE_MAXIMUM, IDLE_MS);
    inbound->known = true;
    transport_hand_over(transport, link, packet.frames);
}

static const struct connection_handler inbound_handler = {inbound_message, inbound_closed};

static bool is_stranger(const struct inbound *inbound)
{
    return !inbound->known && !inbound->from_node;
}

/* The address proves nothing, but who floods the port from elsewhere must not keep nodes out.
 */
static bool is_from_node(const struct transport *transport, const struct sockaddr_storage *from)
{
    const struct roster *roster = core_roster(transport->replication->core);
    struct ip_endpoint source;
    if (!ip_endpoint_from_sockaddr((const struct sockaddr *)from, &source))
        return false;
    for (size_t i = 0; i < roster->count; i++) {
        const struct roster_node *node = &roster->nodes[i];
        for (size_t k = 0; k < node->endpoint_count; k++)
            if (node->status == NODE_ACTIVE &&
                ip_address_equal(&node->endpoints[k].address, &source.address))
                return true;
    }
    return false;
}

/* Of too many strangers the oldest goes: who means to speak does so at once. */
static void make_room_for_stranger(struct transport *transport)
{
    struct inbound *oldest = NULL;
    size_t strangers = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++) {
        struct inbound *inbound = transport->inbound[i];
        if (!inbound || !is_stranger(inbound))
            continue;
        strangers++;
        if (!oldest || inbound->number < oldest->number)
            oldest = inbound;
    }
    if (strangers >= STRANGERS)
        inbound_closed(oldest->connection, oldest, "");
}

static void take_connection(struct transport *transport, int fd, bool from_node)
{
    size_t slot = 0;
    if (!from_node)
        make_room_for_stranger(transport);
    while (slot < ARRAY_LENGTH(transport->inbound) && transport->inbound[slot])
        slot++;
    if (slot == ARRAY_LENGTH(transport->inbound)) {
        close(fd);
        return;
    }
    struct inbound *inbound = memory_new(sizeof(*inbound));
    inbound->transport = transport;
    inbound->from_node = from_node;
    inbound->number = transport->inbound_number++;
    inbound->connection =
        connection_accept(transport->replication->loop, fd, &inbound_handler, inbound);
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
    take_connection(transport, fd, is_from_node(transport, from));
}

void inbound_free_all(struct transport *transport)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++)
        if (transport->inbound[i]) {
            connection_free(transport->inbound[i]->connection);
            free(transport->inbound[i]);
        }
}

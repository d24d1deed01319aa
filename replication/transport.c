/* The only file with gossip sockets. Small frames wait for the end of the event that made them
 * and share datagrams; large ones take a TCP connection per peer, opened on demand. */
#include "replication/transport.h"

#include "replication/clone_watch.h"
#include "replication/connection.h"
#include "replication/join.h"
#include "replication/memory.h"
#include "replication/packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DATAGRAMS_PER_TURN = 64,
    STRANGERS = 64, /* accepted connections that have not proved who they are */
    ACCEPTS_PER_TURN = 64,
    STREAM_MESSAGE_MAXIMUM = RECORD_MAXIMUM_SIZE + PACKET_OVERHEAD + 64,
    VERIFICATIONS_PER_SECOND = 4000,
    STREAM_PACKET_BYTES = 64 << 10, /* several frames share a signature up to here */
    IDLE_MS = 60000
};

struct link { /* what is kept per other node */
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
    struct loop_io udp, tcp;
    bool has_udp, has_tcp, is_ipv6;
    uint64_t counters[2]; /* by channel, over all peers */
    struct link *links[ROSTER_MAXIMUM];
    size_t link_count;
    struct inbound *inbound[STRANGERS + ROSTER_ACTIVE_MAXIMUM * 2];
    uint64_t inbound_number;
    uint64_t budget_second, verifications, forged_reported_us;
};

/* ---- sending ---------------------------------------------------------------------------- */

static struct link *link_of(struct transport *transport, const struct uuid *id)
{
    for (size_t i = 0; i < transport->link_count; i++)
        if (uuid_equal(&transport->links[i]->id, id))
            return transport->links[i];
    if (transport->link_count == ROSTER_MAXIMUM)
        return NULL;
    struct link *link = memory_new(sizeof(*link));
    link->id = *id;
    transport->links[transport->link_count++] = link;
    return link;
}

static void seal(struct transport *transport,
                 const struct link *link,
                 enum packet_channel channel,
                 struct bytes frames,
                 struct wire_writer *out)
{
    const struct replication *replication = transport->replication;
    struct packet packet = {
        .channel = channel,
        .incarnation = replication->incarnation,
        .counter = ++transport->counters[channel],
        .frames = frames,
    };
    memcpy(packet.cluster, core_genesis(replication->core)->cluster_id.bytes, 8);
    memcpy(packet.sender, replication->node_id.bytes, 8);
    memcpy(packet.receiver, link->id.bytes, 8);
    packet_seal(&packet, replication->key, out);
}

static void
send_to(const struct transport *transport, struct ip_endpoint endpoint, struct bytes packet)
{
    struct sockaddr_storage address;
    if (transport->is_ipv6 && endpoint.address.family == 4) { /* an IPv4-mapped address */
        struct ip_address mapped = {.family = 6};
        mapped.bytes[10] = mapped.bytes[11] = 0xff;
        memcpy(mapped.bytes + 12, endpoint.address.bytes, 4);
        endpoint.address = mapped;
    }
    socklen_t size = ip_endpoint_to_sockaddr(&endpoint, &address);
    /* Lost datagrams are sent again by the core; a full socket counts as loss. */
    (void)sendto(transport->udp.fd, packet.data, packet.size, MSG_NOSIGNAL,
                 (struct sockaddr *)&address, size);
}

static void flush_link(struct transport *transport, struct link *link)
{
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    if (link->frames.size == 0)
        return;
    if (node && node->endpoint_count > 0) {
        struct wire_writer packet = {0};
        size_t best = link->best_endpoint < node->endpoint_count ? link->best_endpoint : 0;
        seal(transport, link, PACKET_DATAGRAM, wire_written(&link->frames), &packet);
        send_to(transport, node->endpoints[best], wire_written(&packet));
        wire_writer_free(&packet);
    }
    wire_writer_free(&link->frames);
}

/* A heartbeat tries every way to the peer; whichever is heard last carries the rest. */
static void
send_everywhere(struct transport *transport, struct link *link, const struct roster_node *node)
{
    for (size_t i = 1; i < node->endpoint_count; i++) {
        struct wire_writer packet = {0};
        size_t other = (link->best_endpoint + i) % node->endpoint_count;
        seal(transport, link, PACKET_DATAGRAM, wire_written(&link->frames), &packet);
        send_to(transport, node->endpoints[other], wire_written(&packet));
        wire_writer_free(&packet);
    }
    flush_link(transport, link);
}

static void send_small(struct transport *transport,
                       struct link *link,
                       uint32_t frame_type,
                       struct bytes body)
{
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    const size_t frame_overhead = 8;
    if (link->frames.size + body.size + frame_overhead > DATAGRAM_MAXIMUM - PACKET_OVERHEAD)
        flush_link(transport, link);
    frame_append(&link->frames, frame_type, body);
    if (frame_type == FRAME_HEARTBEAT && node && node->endpoint_count > 1)
        send_everywhere(transport, link, node);
}

/* ---- streams to peers ------------------------------------------------------------------- */

static void stream_message(struct connection *connection, void *context, struct bytes message)
{
    /* Peers answer by their own stream. */
}

static void stream_closed(struct connection *connection, void *context, const char *why)
{
    struct link *link = context;
    connection_free(connection);
    link->stream = NULL;
}

static void send_packet(struct transport *transport, struct link *link, struct bytes frames)
{
    struct wire_writer packet = {0};
    seal(transport, link, PACKET_STREAM, frames, &packet);
    connection_send(link->stream, wire_written(&packet));
    wire_writer_free(&packet);
}

static void open_stream(struct transport *transport, struct link *link)
{
    static const struct connection_handler handler = {stream_message, stream_closed};
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    if (!node || node->endpoint_count == 0)
        return;
    size_t best = link->best_endpoint < node->endpoint_count ? link->best_endpoint : 0;
    link->stream =
        connection_open(transport->replication->loop, &node->endpoints[best], &handler, link);
    if (!link->stream)
        return;
    connection_set_limits(link->stream, CONNECTION_STRANGER_MAXIMUM, IDLE_MS / 2);
    send_packet(transport, link, (struct bytes){0}); /* small: proves who we are */
}

static void flush_bulk(struct transport *transport, struct link *link)
{
    if (link->bulk.size == 0)
        return;
    if (!link->stream)
        open_stream(transport, link);
    if (link->stream)
        send_packet(transport, link, wire_written(&link->bulk));
    wire_writer_free(&link->bulk);
}

static void send_bulk(struct transport *transport,
                      struct link *link,
                      uint32_t frame_type,
                      struct bytes body)
{
    if (link->bulk.size + body.size > STREAM_PACKET_BYTES)
        flush_bulk(transport, link);
    frame_append(&link->bulk, frame_type, body);
}

void transport_flush(struct transport *transport)
{
    for (size_t i = 0; transport && i < transport->link_count; i++) {
        flush_link(transport, transport->links[i]);
        flush_bulk(transport, transport->links[i]);
    }
}

void transport_send(struct transport *transport,
                    const struct uuid *peer,
                    uint32_t frame_type,
                    struct bytes body,
                    bool bulk)
{
    struct link *link = transport ? link_of(transport, peer) : NULL;
    if (!link)
        return;
    if (bulk)
        send_bulk(transport, link, frame_type, body);
    else
        send_small(transport, link, frame_type, body);
}

/* ---- receiving -------------------------------------------------------------------------- */

static bool within_budget(struct transport *transport)
{
    uint64_t second = replication_now(transport->replication).mono_us / 1000000;
    if (second != transport->budget_second) {
        transport->budget_second = second;
        transport->verifications = 0;
    }
    return transport->verifications++ < VERIFICATIONS_PER_SECOND;
}

static void report_forged(struct transport *transport, const struct roster_node *claimed)
{
    const uint64_t pause_us = 10000000;
    uint64_t now = replication_now(transport->replication).mono_us;
    char text[200];
    if (transport->forged_reported_us && now - transport->forged_reported_us < pause_us)
        return;
    transport->forged_reported_us = now;
    snprintf(text, sizeof(text), "a packet in the name of %.64s has a wrong signature",
             claimed->name);
    replication_event(transport->replication, EVENT_GOSSIP_FORGED, text);
}

static bool
find_clone(const struct transport *transport, const struct link *link, struct evidence *out)
{
    const struct replication *replication = transport->replication;
    const struct roster_node *node = roster_find(core_roster(replication->core), &link->id);
    uint64_t now_us = replication_now(replication).mono_us;
    char places[CLONE_RANKS][IP_ADDRESS_TEXT_SIZE];
    if (!node || !clone_watch_is_cloned(&link->clones, now_us))
        return false;
    *out = (struct evidence){
        .kind = EVIDENCE_CLONED,
        .other_id = link->id,
        .since_ms_ago = (now_us - link->clones.first_turn_us) / 1000,
    };
    for (int i = 0; i < CLONE_RANKS; i++)
        ip_address_format(&link->clones.places[i], places[i]);
    snprintf(out->text, sizeof(out->text),
             "node %.32s runs twice, at %s and %s: its disk was copied; stop one, empty its "
             "state directory, join it anew",
             node->name, places[CLONE_OLDER], places[CLONE_NEWER]);
    return true;
}

static void watch_for_clone(struct transport *transport,
                            struct link *link,
                            const struct packet *packet,
                            const struct sockaddr_storage *from)
{
    const uint64_t pause_us = 600000000;
    uint64_t now_us = replication_now(transport->replication).mono_us;
    struct ip_endpoint source;
    struct evidence evidence;
    if (!ip_endpoint_from_sockaddr((const struct sockaddr *)from, &source))
        return;
    clone_watch_hear(&link->clones, packet->incarnation, packet->counter, &source.address,
                     now_us);
    if ((link->clone_reported_us && now_us - link->clone_reported_us < pause_us) ||
        !find_clone(transport, link, &evidence))
        return;
    link->clone_reported_us = now_us;
    replication_event(transport->replication, EVENT_NODE_CLONED, evidence.text);
}

void transport_visit_clones(const struct transport *transport,
                            void (*visit)(void *context, const struct evidence *evidence),
                            void *context)
{
    struct evidence evidence;
    for (size_t i = 0; transport && i < transport->link_count; i++)
        if (find_clone(transport, transport->links[i], &evidence))
            visit(context, &evidence);
}

/* The sender when the packet is for us, genuine and new; else NULL. FROM is NULL on streams. */
static struct link *check_packet(struct transport *transport,
                                 const struct packet *packet,
                                 const struct sockaddr_storage *from)
{
    struct replication *replication = transport->replication;
    if (!core_is_initialised(replication->core) ||
        memcmp(packet->cluster, core_genesis(replication->core)->cluster_id.bytes, 8) != 0 ||
        memcmp(packet->receiver, replication->node_id.bytes, 8) != 0 ||
        memcmp(packet->sender, replication->node_id.bytes, 8) == 0)
        return NULL;
    const struct roster_node *node =
        roster_by_key(core_roster(replication->core), packet->sender);
    if (!node || !within_budget(transport))
        return NULL;
    if (!packet_verify(packet, node->public_key)) {
        report_forged(transport, node);
        return NULL;
    }
    struct link *link = link_of(transport, &node->id);
    if (link && from)
        watch_for_clone(transport, link, packet, from);
    if (!link ||
        !replay_accept(&link->seen[packet->channel], packet->incarnation, packet->counter))
        return NULL;
    return link;
}

static void
hand_over(struct transport *transport, const struct link *link, const struct packet *packet)
{
    struct wire_reader frames = wire_reader_of(packet->frames);
    struct core_event event = {.kind = CORE_FRAME, .node = link->id};
    replication_hold(transport->replication);
    while (frame_next(&frames, &event.frame_type, &event.body))
        replication_step(transport->replication, &event);
    replication_go_on(transport->replication);
}

static void note_endpoint(struct transport *transport,
                          struct link *link,
                          const struct sockaddr_storage *from)
{
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    struct ip_endpoint source;
    if (!node || !ip_endpoint_from_sockaddr((const struct sockaddr *)from, &source))
        return;
    for (size_t i = 0; i < node->endpoint_count; i++)
        if (ip_address_equal(&node->endpoints[i].address, &source.address))
            link->best_endpoint = i;
}

/* False: nothing is left to read. */
static bool take_datagram(struct transport *transport)
{
    uint8_t data[2048];
    struct sockaddr_storage from;
    socklen_t from_size = sizeof(from);
    struct packet packet;
    ssize_t size = recvfrom(transport->udp.fd, data, sizeof(data), 0, (struct sockaddr *)&from,
                            &from_size);
    if (size < 0 && errno == EAGAIN)
        return false;
    if (size <= 0 || size > DATAGRAM_MAXIMUM ||
        !packet_parse((struct bytes){data, (size_t)size}, &packet) ||
        packet.channel != PACKET_DATAGRAM)
        return true;
    struct link *link = check_packet(transport, &packet, &from);
    if (!link)
        return true;
    note_endpoint(transport, link, &from);
    hand_over(transport, link, &packet);
    return true;
}

static void on_datagram(struct loop_io *io, unsigned readiness)
{
    struct transport *transport = CONTAINER_OF(io, struct transport, udp);
    replication_hold(transport->replication);
    for (int i = 0; i < DATAGRAMS_PER_TURN && take_datagram(transport); i++)
        continue;
    replication_go_on(transport->replication);
}

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
                            ? check_packet(transport, &packet, NULL)
                            : NULL;
    if (!link) {
        inbound_closed(connection, context, "");
        return;
    }
    if (!inbound->known)
        connection_set_limits(connection, STREAM_MESSAGE_MAXIMUM, IDLE_MS);
    inbound->known = true;
    hand_over(transport, link, &packet);
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

static void on_connection(struct loop_io *io, unsigned readiness)
{
    struct transport *transport = CONTAINER_OF(io, struct transport, tcp);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof(from);
        int fd = accept4(io->fd, (struct sockaddr *)&from, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        take_connection(transport, fd, is_from_node(transport, &from));
    }
}

/* ---- start and end ---------------------------------------------------------------------- */

static int open_socket(const struct ip_endpoint *endpoint, int type)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    const int on = 1, off = 0, discover = IP_PMTUDISC_DO;
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    else if (address.ss_family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
    if (bind(fd, (struct sockaddr *)&address, size) == 0 &&
        (type == SOCK_DGRAM || listen(fd, STRANGERS) == 0))
        return fd;
    int reason = errno;
    close(fd);
    return -reason;
}

static int bind_failed(struct replication *replication, int reason, struct error *error)
{
    char endpoint[IP_ENDPOINT_TEXT_SIZE];
    ip_endpoint_format(&replication->settings.listen, endpoint);
    error_set(error, ERROR_REFUSED, "the gossip port %s cannot be used: %s", endpoint,
              strerror(-reason));
    transport_free(replication->transport);
    replication->transport = NULL;
    return reason;
}

int transport_start(struct replication *replication, struct error *error)
{
    struct transport *transport = memory_new(sizeof(*transport));
    replication->transport = transport;
    transport->replication = replication;
    transport->is_ipv6 = replication->settings.listen.address.family == 6;
    int udp = open_socket(&replication->settings.listen, SOCK_DGRAM);
    if (udp < 0)
        return bind_failed(replication, udp, error);
    transport->udp.fd = udp;
    transport->has_udp = true;
    int tcp = open_socket(&replication->settings.listen, SOCK_STREAM);
    if (tcp < 0)
        return bind_failed(replication, tcp, error);
    transport->tcp.fd = tcp;
    transport->has_tcp = true;
    int result =
        loop_io_start(replication->loop, &transport->udp, udp, LOOP_READABLE, on_datagram);
    if (result == 0)
        result = loop_io_start(replication->loop, &transport->tcp, tcp, LOOP_READABLE,
                               on_connection);
    return result == 0 ? 0 : bind_failed(replication, result, error);
}

void transport_free(struct transport *transport)
{
    if (!transport)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(transport->inbound); i++)
        if (transport->inbound[i]) {
            connection_free(transport->inbound[i]->connection);
            free(transport->inbound[i]);
        }
    for (size_t i = 0; i < transport->link_count; i++) {
        connection_free(transport->links[i]->stream);
        wire_writer_free(&transport->links[i]->frames);
        wire_writer_free(&transport->links[i]->bulk);
        free(transport->links[i]);
    }
    loop_io_stop(&transport->udp);
    loop_io_stop(&transport->tcp);
    if (transport->has_udp)
        close(transport->udp.fd);
    if (transport->has_tcp)
        close(transport->tcp.fd);
    free(transport);
}

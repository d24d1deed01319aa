/* The gossip sockets: sending, start and end. Small frames wait for the end of the event that
 * made them and share datagrams; large ones take a TCP connection per peer, opened on demand.
 */
#include "replication/memory.h"
#include "replication/transport_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- sending ----------------------------------------------------------------------------- */

struct link *transport_link(struct transport *transport, const struct uuid *id)
{
    for (size_t i = 0; i < transport->link_count; i++)
        if (uuid_equal(&transport->links[i]->id, id))
            return transport->links[i];
    if (transport->link_count == ROSTER_MAXIMUM)
        return NULL;
    struct link *link = memory_new(sizeof(*link));
    link->transport = transport;
    link->id = *id;
    link->place = -1;
    transport->links[transport->link_count++] = link;
    return link;
}

void transport_sign(struct transport *transport,
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
    packet_seal(&packet, rekey_spoken(replication), out);
}

void transport_send_to(const struct transport *transport,
                       struct ip_endpoint endpoint,
                       struct bytes datagram)
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
    (void)sendto(transport->udp.fd, datagram.data, datagram.size, MSG_NOSIGNAL,
                 (struct sockaddr *)&address, size);
}

uint64_t transport_send_signed(struct transport *transport,
                               const struct link *link,
                               struct ip_endpoint endpoint,
                               struct bytes frames)
{
    struct wire_writer packet = {0};
    transport_sign(transport, link, PACKET_DATAGRAM, frames, &packet);
    transport_send_to(transport, endpoint, wire_written(&packet));
    wire_writer_free(&packet);
    return transport->counters[PACKET_DATAGRAM];
}

/* Where there is no session yet, and nothing else may be sent, it counts as lost. */
static void send_frames(struct transport *transport,
                        const struct link *link,
                        const struct roster_node *node,
                        size_t endpoint)
{
    struct bytes frames = wire_written(&link->frames);
    if (!transport_send_sealed(transport, link, node->endpoints[endpoint], frames) &&
        transport_may_sign(transport, node))
        transport_send_signed(transport, link, node->endpoints[endpoint], frames);
}

static void flush_link(struct transport *transport, struct link *link)
{
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    if (link->frames.size == 0)
        return;
    if (node && node->endpoint_count > 0)
        send_frames(transport, link, node,
                    link->best_endpoint < node->endpoint_count ? link->best_endpoint : 0);
    wire_writer_free(&link->frames);
}

/* A heartbeat tries every way to the peer; whichever is heard last carries the rest. */
static void
send_everywhere(struct transport *transport, struct link *link, const struct roster_node *node)
{
    for (size_t i = 1; i < node->endpoint_count; i++)
        send_frames(transport, link, node, (link->best_endpoint + i) % node->endpoint_count);
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
    size_t overhead =
        !node || transport_may_sign(transport, node) ? PACKET_OVERHEAD : SESSION_DATA_OVERHEAD;
    if (link->frames.size + body.size + frame_overhead > DATAGRAM_MAXIMUM - overhead)
        flush_link(transport, link);
    frame_append(&link->frames, frame_type, body);
    if (frame_type != FRAME_HEARTBEAT)
        return;
    transport_watch_silence(transport, link);
    if (node && node->endpoint_count > 1)
        send_everywhere(transport, link, node);
}

static void send_bulk(struct transport *transport,
                      struct link *link,
                      uint32_t frame_type,
                      struct bytes body)
{
    if (link->bulk.size + body.size > STREAM_PACKET_BYTES)
        transport_flush_stream(transport, link);
    frame_append(&link->bulk, frame_type, body);
}

size_t transport_queued(struct transport *transport, const struct uuid *peer)
{
    const struct link *link = transport_link(transport, peer);
    if (!link)
        return 0;
    return link->bulk.size + (link->stream ? connection_queued(link->stream) : 0);
}

void transport_flush(struct transport *transport)
{
    if (!transport)
        return;
    transport_follow_roster(transport);
    for (size_t i = 0; i < transport->link_count; i++) {
        flush_link(transport, transport->links[i]);
        transport_flush_stream(transport, transport->links[i]);
    }
    transport_plan_handshakes(transport);
}

void transport_send(struct transport *transport,
                    const struct uuid *peer,
                    uint32_t frame_type,
                    struct bytes body,
                    bool bulk)
{
    struct link *link = transport ? transport_link(transport, peer) : NULL;
    if (!link)
        return;
    if (bulk)
        send_bulk(transport, link, frame_type, body);
    else
        send_small(transport, link, frame_type, body);
}

/* ---- start and end ----------------------------------------------------------------------- */

static int open_socket(const struct ip_endpoint *endpoint, int type)
{
    struct sockaddr_storage address;
    socklen_t size = ip_endpoint_to_sockaddr(endpoint, &address);
    /* As much as net.core.rmem_max lets: under a flood the datagrams of peers wait among the
     * others, and are lost when there is no room. */
    const int on = 1, off = 0, discover = IP_PMTUDISC_DO, queue = 8 << 20;
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    else if (address.ss_family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
    if (type == SOCK_DGRAM)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
    if (bind(fd, (struct sockaddr *)&address, size) == 0 &&
        (type == SOCK_DGRAM || listen(fd, BACKLOG) == 0))
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
    transport->tcp_fd = tcp;
    transport->has_tcp = true;
    int result = loop_io_start(replication->loop, &transport->udp, udp, LOOP_READABLE,
                               transport_on_datagram);
    if (result == 0)
        result = acceptor_start(replication->loop, &transport->tcp, tcp, inbound_on_connection);
    return result == 0 ? 0 : bind_failed(replication, result, error);
}

void transport_free(struct transport *transport)
{
    if (!transport)
        return;
    inbound_free_all(transport);
    transport_end_sessions(transport);
    secret_free(transport->stream_keys);
    for (size_t i = 0; i < transport->link_count; i++) {
        connection_free(transport->links[i]->stream);
        wire_writer_free(&transport->links[i]->frames);
        wire_writer_free(&transport->links[i]->bulk);
        free(transport->links[i]);
    }
    loop_io_stop(&transport->udp);
    loop_timer_stop(&transport->rest);
    acceptor_stop(&transport->tcp);
    if (transport->has_udp)
        close(transport->udp.fd);
    if (transport->has_tcp)
        close(transport->tcp_fd);
    free(transport);
}

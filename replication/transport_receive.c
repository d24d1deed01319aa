/* What arrives: whose packet it is, and whether it is genuine and new. */
#include "replication/transport_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

struct link *transport_check_packet(struct transport *transport,
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
    struct link *link = transport_link(transport, &node->id);
    if (link && from)
        watch_for_clone(transport, link, packet, from);
    if (!link ||
        !replay_accept(&link->seen[packet->channel], packet->incarnation, packet->counter))
        return NULL;
    return link;
}

void transport_hand_over(struct transport *transport,
                         const struct link *link,
                         const struct packet *packet)
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
    struct link *link = transport_check_packet(transport, &packet, &from);
    if (!link)
        return true;
    note_endpoint(transport, link, &from);
    transport_hand_over(transport, link, &packet);
    return true;
}

void transport_on_datagram(struct loop_io *io, unsigned readiness)
{
    struct transport *transport = CONTAINER_OF(io, struct transport, udp);
    replication_hold(transport->replication);
    for (int i = 0; i < DATAGRAMS_PER_TURN && take_datagram(transport); i++)
        continue;
    replication_go_on(transport->replication);
}

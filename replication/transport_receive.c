/* What arrives: whose packet it is, and whether it is genuine and new. */
#include "replication/transport_internal.h"

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

bool transport_is_news(const struct transport *transport,
                       uint64_t *reported_us,
                       uint64_t pause_us)
{
    uint64_t now = replication_now(transport->replication).mono_us;
    if (*reported_us && now - *reported_us < pause_us)
        return false;
    *reported_us = now;
    return true;
}

static void report_forged(struct transport *transport, const struct roster_node *claimed)
{
    char text[200];
    if (!transport_is_news(transport, &transport->forged_reported_us, FORGED_PAUSE_US))
        return;
    snprintf(text, sizeof(text), "a packet in the name of %.64s has a wrong signature",
             claimed->name);
    replication_event(transport->replication, EVENT_GOSSIP_FORGED, text);
}

/* It is news only where the node has no reason to do that: while both learn what the other one
 * speaks, or it finds this node silent and knocks, it has. */
void transport_report_downgrade(struct transport *transport, const struct roster_node *claimed)
{
    const uint64_t pause_us = 60000000, settled_us = 1000000;
    char text[200];
    if (!transport_is_in_session(transport, claimed, settled_us) ||
        !transport_is_news(transport, &transport->downgrade_reported_us, pause_us))
        return;
    snprintf(text, sizeof(text),
             "a packet in the name of %.64s came outside of a session; it was dropped",
             claimed->name);
    replication_event(transport->replication, EVENT_GOSSIP_DOWNGRADE, text);
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

static void report_clone(struct transport *transport, struct link *link)
{
    const uint64_t pause_us = 600000000;
    struct evidence evidence;
    if (find_clone(transport, link, &evidence) &&
        transport_is_news(transport, &link->clone_reported_us, pause_us))
        replication_event(transport->replication, EVENT_NODE_CLONED, evidence.text);
}

void transport_watch_for_clone(struct transport *transport,
                               struct link *link,
                               uint64_t incarnation,
                               const struct ip_endpoint *from)
{
    clone_watch_hear_fresh(&link->clones, incarnation, &from->address,
                           replication_now(transport->replication).mono_us);
    report_clone(transport, link);
}

static void watch_for_clone(struct transport *transport,
                            struct link *link,
                            const struct packet *packet,
                            const struct sockaddr_storage *from)
{
    struct ip_endpoint source;
    if (!ip_endpoint_from_sockaddr((const struct sockaddr *)from, &source))
        return;
    clone_watch_hear(&link->clones, packet->incarnation, packet->counter, &source.address,
                     replication_now(transport->replication).mono_us);
    report_clone(transport, link);
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

const struct roster_node *transport_claimed_sender(const struct transport *transport,
                                                   const struct packet *packet)
{
    const struct replication *replication = transport->replication;
    if (!core_is_initialised(replication->core) ||
        memcmp(packet->cluster, core_genesis(replication->core)->cluster_id.bytes, 8) != 0 ||
        memcmp(packet->receiver, replication->node_id.bytes, 8) != 0 ||
        memcmp(packet->sender, replication->node_id.bytes, 8) == 0)
        return NULL;
    return roster_by_key(core_roster(replication->core), packet->sender);
}

struct link *transport_check_packet(struct transport *transport,
                                    const struct packet *packet,
                                    const struct sockaddr_storage *from)
{
    const struct roster_node *node = transport_claimed_sender(transport, packet);
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
                         struct bytes frames)
{
    struct wire_reader reader = wire_reader_of(frames);
    struct core_event event = {.kind = CORE_FRAME, .node = link->id};
    transport->handed_over++;
    replication_hold(transport->replication);
    while (frame_next(&reader, &event.frame_type, &event.body))
        replication_step(transport->replication, &event);
    replication_go_on(transport->replication);
}

void transport_note_source(struct transport *transport,
                           struct link *link,
                           const struct ip_endpoint *from)
{
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    for (size_t i = 0; node && i < node->endpoint_count; i++)
        if (ip_address_equal(&node->endpoints[i].address, &from->address))
            link->best_endpoint = i;
}

/* Signed packets are for nodes that do not know sessions, and for those that were removed:
 * these have no other way to learn of it. */
static void take_signed(struct transport *transport,
                        struct bytes datagram,
                        const struct sockaddr_storage *from,
                        const struct ip_endpoint *source)
{
    struct packet packet;
    if (!packet_parse(datagram, &packet) || packet.channel != PACKET_DATAGRAM)
        return;
    const struct roster_node *node = transport_claimed_sender(transport, &packet);
    if (!node)
        return;
    transport->counts[DATAGRAM_SIGNED]++;
    if (node->status != NODE_ACTIVE) {
        removal_answer(transport, node, &packet, source);
        return;
    }
    if (!transport_takes_signed(transport, node)) {
        if (!removal_take_answer(transport, node, &packet)) {
            transport->counts[DATAGRAM_DOWNGRADE]++;
            transport_report_downgrade(transport, node);
        }
        return;
    }
    struct link *link = transport_check_packet(transport, &packet, from);
    if (!link)
        return;
    transport_note_source(transport, link, source);
    transport_hand_over(transport, link, packet.frames);
}

static void take_datagram(struct transport *transport,
                          struct bytes datagram,
                          const struct sockaddr_storage *from)
{
    struct ip_endpoint source;
    if (datagram.size == 0 || datagram.size > DATAGRAM_MAXIMUM ||
        !ip_endpoint_from_sockaddr((const struct sockaddr *)from, &source))
        return;
    if (datagram.data[0] == PACKET_FIRST_BYTE)
        take_signed(transport, datagram, from, &source);
    else
        transport_take_sealed(transport, datagram, &source);
}

/* How many datagrams came, up to DATAGRAMS_PER_TURN: in one call, since under a flood the calls
 * cost more than the datagrams. */
static int read_datagrams(struct transport *transport)
{
    struct datagrams *all = &transport->datagrams;
    for (int i = 0; i < DATAGRAMS_PER_TURN; i++) {
        all->parts[i] = (struct iovec){all->bytes[i], sizeof(all->bytes[i])};
        all->headers[i].msg_hdr = (struct msghdr){.msg_name = &all->from[i],
                                                  .msg_namelen = sizeof(all->from[i]),
                                                  .msg_iov = &all->parts[i],
                                                  .msg_iovlen = 1};
    }
    return recvmmsg(transport->udp.fd, all->headers, DATAGRAMS_PER_TURN, 0, NULL);
}

static void take_datagrams(struct transport *transport, int count)
{
    const struct datagrams *all = &transport->datagrams;
    for (int i = 0; i < count; i++)
        take_datagram(transport, (struct bytes){all->bytes[i], all->headers[i].msg_len},
                      &all->from[i]);
}

static void on_rest_over(struct loop_timer *timer)
{
    struct transport *transport = CONTAINER_OF(timer, struct transport, rest);
    struct loop *loop = transport->replication->loop;
    if (loop_io_start(loop, &transport->udp, transport->udp.fd, LOOP_READABLE,
                      transport_on_datagram) != 0)
        loop_timer_start_us(loop, &transport->rest, FLOOD_REST_US, on_rest_over);
}

/* What comes in a flood waits for a millisecond, so that it is read in few turns: waking up
 * costs more than a hundred datagrams that do not open. */
void transport_on_datagram(struct loop_io *io, unsigned readiness)
{
    struct transport *transport = CONTAINER_OF(io, struct transport, udp);
    int count, total = 0;
    uint64_t before = transport->handed_over;
    replication_hold(transport->replication);
    transport_follow_roster(transport);
    do {
        count = read_datagrams(transport);
        take_datagrams(transport, count);
        total += count > 0 ? count : 0;
    } while (count == DATAGRAMS_PER_TURN && total < READ_PER_TURN);
    uint64_t useless = (uint64_t)total - (transport->handed_over - before);
    if (useless >= FLOOD_PER_TURN) {
        loop_io_stop(&transport->udp);
        loop_timer_start_us(transport->replication->loop, &transport->rest, FLOOD_REST_US,
                            on_rest_over);
    }
    replication_go_on(transport->replication);
}

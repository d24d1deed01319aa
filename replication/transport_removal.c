/* How a node that was removed learns of it. While it has a session it is told as the session
 * ends. One that was away has none to come back with: its secret may be an old one, and nobody
 * knows it any more. When handshakes got no answer for some seconds it knocks: a signed packet.
 * The others check these of removed nodes only, a few each second, and answer by a signed
 * notice that names the packet which it answers, so that an old one proves nothing. */
#include "replication/transport_internal.h"

#include <string.h>

enum {
    KNOCKS_PER_SECOND = 10,
    ANSWER_US = 2000000, /* how long after a knock an answer is looked at */
    NOTICE_SIZE = 16,
    ECHO_SIZE = 16
};

static void put_notice(struct wire_writer *out, const struct uuid *removed)
{
    frame_append(out, FRAME_ROSTER_NOTICE,
                 (struct bytes){removed->bytes, sizeof(removed->bytes)});
}

void removal_tell_in_session(struct transport *transport, const struct link *link)
{
    const struct roster_node *node =
        roster_find(core_roster(transport->replication->core), &link->id);
    struct wire_writer frames = {0};
    put_notice(&frames, &link->id);
    for (size_t i = 0; i < node->endpoint_count; i++)
        transport_send_sealed(transport, link, node->endpoints[i], wire_written(&frames));
    wire_writer_free(&frames);
}

void removal_knock(struct transport *transport,
                   struct link *link,
                   const struct roster_node *node)
{
    size_t endpoint = link->knock_counter % (node->endpoint_count ? node->endpoint_count : 1);
    if (node->endpoint_count == 0)
        return;
    link->knocked_us = replication_now(transport->replication).mono_us;
    link->knock_counter =
        transport_send_signed(transport, link, node->endpoints[endpoint], (struct bytes){0});
}

static bool within_limit(struct transport *transport)
{
    uint64_t second = replication_now(transport->replication).mono_us / 1000000;
    if (second != transport->knock_second) {
        transport->knock_second = second;
        transport->knocks = 0;
    }
    return transport->knocks++ < KNOCKS_PER_SECOND;
}

void removal_answer(struct transport *transport,
                    const struct roster_node *node,
                    const struct packet *packet,
                    const struct ip_endpoint *from)
{
    uint8_t echo[ECHO_SIZE];
    struct wire_writer frames = {0};
    struct link *link =
        within_limit(transport) ? transport_check_packet(transport, packet, NULL) : NULL;
    if (!link)
        return;
    store_be64(echo, packet->incarnation);
    store_be64(echo + 8, packet->counter);
    put_notice(&frames, &node->id);
    frame_append(&frames, FRAME_NOTICE_ECHO, (struct bytes){echo, sizeof(echo)});
    transport_send_signed(transport, link, *from, wire_written(&frames));
    wire_writer_free(&frames);
}

static bool answers(const struct transport *transport,
                    const struct link *link,
                    struct bytes frames,
                    struct bytes *out_notice)
{
    struct wire_reader reader = wire_reader_of(frames);
    struct bytes body, echo = {0};
    uint32_t type;
    *out_notice = (struct bytes){0};
    while (frame_next(&reader, &type, &body)) {
        if (type == FRAME_ROSTER_NOTICE)
            *out_notice = body;
        else if (type == FRAME_NOTICE_ECHO)
            echo = body;
    }
    return out_notice->size == NOTICE_SIZE && echo.size == ECHO_SIZE &&
           load_be64(echo.data) == transport->replication->incarnation &&
           load_be64(echo.data + 8) == link->knock_counter;
}

bool removal_take_answer(struct transport *transport,
                         const struct roster_node *node,
                         const struct packet *packet)
{
    struct link *link = transport_link(transport, &node->id);
    struct core_event event = {
        .kind = CORE_FRAME, .node = node->id, .frame_type = FRAME_ROSTER_NOTICE};
    uint64_t now_us = replication_now(transport->replication).mono_us;
    if (!link || !link->knock_counter || now_us - link->knocked_us > ANSWER_US ||
        !answers(transport, link, packet->frames, &event.body) ||
        !transport_check_packet(transport, packet, NULL))
        return false;
    link->knock_counter = 0;
    replication_step(transport->replication, &event);
    return true;
}

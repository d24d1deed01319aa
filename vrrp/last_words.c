/* Adverts in the name of a vrrp process that is dead, sent by the supervisor: either the bridge
 * until its successor speaks, or the resignation. Sends only; its sockets are closed at once.
 */
#include "lbnode/base/bytes.h"
#include "vrrp/vrrp.h"
#include "vrrp/vrrp_config.h"
#include "vrrp/vrrp_packet.h"
#include "vrrp/vrrp_place.h"
#include "vrrp/vrrp_socket.h"

#include <net/if.h>
#include <string.h>

enum {
    ADDRESSES_IPV6 = 77 /* what one packet of the smallest IPv6 MTU holds */
};

static bool read_set(const union message_buffer *set, size_t count, struct vrrp_config *out)
{
    if (count == 0 || set[0].header.type != MESSAGE_VRRP_BEGIN)
        return false;
    vrrp_config_begin(out, &set[0].member_VRRP_BEGIN);
    for (size_t i = 1; i < count; i++) {
        if (set[i].header.type != MESSAGE_VRRP_COMMIT)
            vrrp_config_add(out, &set[i].header);
    }
    return !out->overflowed;
}

static uint8_t collect_addresses(const struct vrrp_config *config,
                                 const struct message_vrrp_status *status,
                                 uint8_t *out)
{
    size_t limit = status->family == 4 ? VRRP_MAXIMUM_ADDRESSES : ADDRESSES_IPV6;
    size_t size = status->family == 4 ? 4 : 16, count = 0;
    if (status->family == 6) {
        struct ip_address link_local = vrrp_link_local(status->vrid);
        memcpy(out, link_local.bytes, size);
        count = 1;
    }
    for (size_t i = 0; i < config->address_count && count < limit; i++) {
        const struct message_vrrp_address *address = &config->addresses[i];
        if (address->address.family == status->family &&
            uuid_equal(&address->group_id, &status->group_id))
            memcpy(out + size * count++, address->address.bytes, size);
    }
    return (uint8_t)count;
}

static void send_to(struct vrrp_socket *socket,
                    const struct vrrp_packet *packet,
                    const struct ip_address *source,
                    const struct ip_address *destination)
{
    uint8_t message[VRRP_PACKET_MAXIMUM_SIZE];
    struct vrrp_envelope envelope = {
        .source = *source, .destination = *destination, .hop_limit = VRRP_HOP_LIMIT};
    size_t size = vrrp_packet_encode(packet, &envelope, message, sizeof(message));
    if (size)
        vrrp_socket_send(socket, &envelope, (struct bytes){message, size});
}

/* IPv4 leaves by whatever route leads to the peer; IPv6 from a link-local address needs its
 * interface, on which all peers hear the multicast. */
static void speak(const struct vrrp_config *config,
                  const struct message_vrrp_status *status,
                  uint8_t priority)
{
    uint8_t addresses[16 * VRRP_MAXIMUM_ADDRESSES];
    const struct message_vrrp_group *group = vrrp_config_group(config, &status->group_id);
    bool on_link = group && (status->family == 6 || group->multicast);
    unsigned index = on_link ? if_nametoindex(status->interface) : 0;
    struct ip_address multicast = vrrp_multicast_address(status->family);
    struct vrrp_socket *socket;
    if (!group || group->vrid != status->vrid ||
        vrrp_socket_open(NULL, index ? status->interface : NULL, index, status->family, NULL,
                         &socket) != 0)
        return;
    struct vrrp_packet packet = {
        .family = status->family,
        .vrid = status->vrid,
        .priority = priority,
        .address_count = collect_addresses(config, status, addresses),
        .interval_cs = vrrp_interval_cs(group->advert_interval_ms * 1000),
        .checksum = group->pseudo ? VRRP_CHECKSUM_PSEUDO : VRRP_CHECKSUM_MESSAGE,
        .addresses = addresses,
    };
    for (size_t i = 0; i < config->peer_count; i++) {
        const struct ip_address *peer = &config->peers[i].address;
        if (peer->family == status->family && !group->multicast)
            send_to(socket, &packet, &status->active_address, peer);
    }
    for (size_t i = 0; group->compat && i < group->router_count; i++) {
        if (group->routers[i].family == status->family)
            send_to(socket, &packet, &status->active_address, &group->routers[i]);
    }
    if (on_link)
        send_to(socket, &packet, &status->active_address, &multicast);
    vrrp_socket_close(socket);
}

void vrrp_speak_for_dead(const struct vrrp_last_words *words)
{
    struct vrrp_config config = {0};
    if (read_set(words->set, words->set_count, &config)) {
        for (size_t i = 0; i < words->status_count; i++) {
            const struct message_vrrp_status *status = &words->statuses[i];
            if (status->state == VRRP_ACTIVE && status->active_address.family)
                speak(&config, status, words->resign ? 0 : status->priority);
        }
    }
    vrrp_config_free(&config);
}

#include "vrrp/vrrp_router_io.h"

#include "lbnode/base/log.h"
#include "vrrp/guard_program.h"
#include "vrrp/ndisc.h"
#include "vrrp/neighbour.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    KNOW_ACTIVE_US = 10000000, /* the kernel forgets neighbours that nobody talks to */
};

/* Makes the list that adverts carry, unless it is known. */
static bool list_addresses(struct vrrp_router *router)
{
    if (router->advert.message)
        return true;
    if (!advert_image_start(&router->advert, router->family, router->vip_count))
        return false;
    for (size_t i = 0; i < router->vip_count; i++) {
        if (!router->vips[i].left_alone)
            advert_image_add(&router->advert, &router->vips[i].address);
    }
    return true;
}

static void send_to(struct vrrp_router *router,
                    const struct vrrp_packet *packet,
                    const struct ip_address *destination)
{
    struct vrrp_envelope envelope = {.source = router->machine.settings.own_address,
                                     .destination = *destination,
                                     .hop_limit = VRRP_HOP_LIMIT};
    struct bytes message = advert_image_message(&router->advert, packet, &envelope);
    if (message.size && vrrp_socket_send(router->socket, &envelope, message) == 0)
        router->adverts_sent++;
}

/* IPv6 has multicast to fall back to where a peer's address is not on the link of the adverts.
 */
static bool is_in_reach(const struct vrrp_router *router,
                        const struct vrrp_host *host,
                        const struct ip_address *peer)
{
    if (peer->family != router->family || router->family == 4)
        return peer->family == router->family;
    const struct interface *toward = interface_table_toward(&host->table, peer);
    return toward && toward->index == router->socket->interface_index;
}

/* To each address in our family that its adverts may come from: which of them is on this link
 * only the network knows. */
static void send_to_node(struct vrrp_router *router,
                         const struct vrrp_host *host,
                         const struct vrrp_packet *packet,
                         const struct ip_address *one)
{
    const struct message_vrrp_vouched *node = vouch_table_node(&host->vouched, one);
    for (uint32_t i = 0; node && i < node->count; i++) {
        if (node->addresses[i].family == router->family)
            send_to(router, packet, &node->addresses[i]);
    }
}

static struct vrrp_packet header_of(const struct vrrp_router *router, uint8_t priority)
{
    return (struct vrrp_packet){
        .family = router->family,
        .vrid = router->group.vrid,
        .priority = priority,
        .interval_cs = vrrp_interval_cs(router->machine.settings.advert_interval_us),
        .checksum = router->group.pseudo ? VRRP_CHECKSUM_PSEUDO : VRRP_CHECKSUM_MESSAGE,
    };
}

static bool can_send(struct vrrp_router *router)
{
    return router->socket && router->machine.settings.own_address.family &&
           list_addresses(router);
}

void vrrp_router_send_advert(struct vrrp_router *router,
                             struct vrrp_host *host,
                             uint8_t priority,
                             const struct ip_address *only)
{
    struct vrrp_packet packet = header_of(router, priority);
    bool one = only->family == router->family;
    bool multicast = router->group.multicast && !one;
    if (!can_send(router))
        return;
    if (one && ip_address_is_link_local(only))
        send_to_node(router, host, &packet, only);
    for (size_t i = 0; i < host->config.peer_count && !multicast; i++) {
        const struct ip_address *peer = &host->config.peers[i].address;
        if (one && !ip_address_equal(peer, only))
            continue;
        if (is_in_reach(router, host, peer))
            send_to(router, &packet, peer);
        else
            multicast = router->family == 6;
    }
    for (size_t i = 0; router->group.compat && i < router->group.router_count && !one; i++) {
        if (router->group.routers[i].family == router->family)
            send_to(router, &packet, &router->group.routers[i]);
    }
    if (multicast) {
        struct ip_address group = vrrp_multicast_address(router->family);
        send_to(router, &packet, &group);
    }
}

/* Some address of each node is enough to tell nodes apart. */
static bool has_third_node(const struct vrrp_config *config)
{
    for (size_t i = 1; i < config->peer_count; i++) {
        if (!uuid_equal(&config->peers[i].node_id, &config->peers[0].node_id))
            return true;
    }
    return false;
}

void vrrp_router_reassure(struct vrrp_router *router,
                          struct vrrp_host *host,
                          const struct ip_address *asked)
{
    struct vrrp_packet packet = header_of(router, router->machine.settings.priority);
    bool multicast = router->group.multicast;
    if (!can_send(router) || (!router->group.compat && !has_third_node(&host->config)))
        return;
    for (size_t i = 0; i < host->config.peer_count && !multicast; i++) {
        const struct ip_address *peer = &host->config.peers[i].address;
        if (ip_address_equal(peer, asked))
            continue;
        if (is_in_reach(router, host, peer))
            send_to(router, &packet, peer);
        else
            multicast = router->family == 6;
    }
    for (size_t i = 0; router->group.compat && i < router->group.router_count; i++) {
        if (router->group.routers[i].family == router->family &&
            !ip_address_equal(&router->group.routers[i], asked))
            send_to(router, &packet, &router->group.routers[i]);
    }
    if (multicast) {
        struct ip_address group = vrrp_multicast_address(router->family);
        send_to(router, &packet, &group);
    }
}

void vrrp_router_announce(const struct vrrp_router *router, struct vrrp_host *host)
{
    for (size_t i = 0; i < router->vip_count; i++) {
        const struct vrrp_vip *vip = &router->vips[i];
        const struct interface *interface =
            interface_table_by_index(&host->table, vip->owned_index);
        if (!interface || !interface->has_mac || host->frame_fd < 0)
            continue;
        if (router->family == 4) {
            uint8_t frame[ARP_FRAME_SIZE];
            arp_build_gratuitous(interface->mac, &vip->address, frame);
            frame_send(host->frame_fd, interface->index, frame, sizeof(frame));
        } else {
            uint8_t frame[NDISC_FRAME_SIZE];
            ndisc_build_advertisement(interface->mac, &vip->address, frame);
            frame_send(host->frame_fd, interface->index, frame, sizeof(frame));
        }
    }
}

void vrrp_router_greet(const struct vrrp_router *router, struct vrrp_host *host)
{
    const struct interface *interface =
        router->socket ? interface_table_by_index(&host->table, router->socket->interface_index)
                       : NULL;
    if (router->family != 4 || !interface || !interface->has_mac || host->frame_fd < 0)
        return;
    for (size_t i = 0; i < host->config.peer_count; i++) {
        const struct ip_address *peer = &host->config.peers[i].address;
        uint8_t frame[ARP_FRAME_SIZE];
        if (peer->family != 4)
            continue;
        arp_build_request(interface->mac, &router->machine.settings.own_address, peer, frame);
        frame_send(host->frame_fd, interface->index, frame, sizeof(frame));
    }
}

void vrrp_router_discard_queued(const struct vrrp_router *router,
                                struct vrrp_host *host,
                                unsigned interface_index)
{
    for (size_t i = 0; i < host->config.peer_count; i++) {
        const struct ip_address *peer = &host->config.peers[i].address;
        if (peer->family == router->family)
            neighbour_forget(interface_index, peer);
    }
}

void vrrp_router_guard(struct vrrp_router *router, struct vrrp_host *host, uint64_t until_us)
{
    struct ip_address addresses[GUARD_PROGRAM_MAXIMUM_ADDRESSES];
    size_t count = 0;
    unsigned index =
        router->vip_count ? router->vips[router->vip_count - 1].interface_index : 0;
    const struct interface *interface = interface_table_by_index(&host->table, index);
    if (!interface || !interface->has_mac)
        return;
    for (size_t i = 0; i < router->vip_count && count < GUARD_PROGRAM_MAXIMUM_ADDRESSES; i++) {
        if (router->vips[i].interface_index == index)
            addresses[count++] = router->vips[i].address;
    }
    struct switch_guard_settings settings = {
        .loop = host->loop,
        .interface_index = index,
        .family = router->family,
        .old_owner = router->machine.resigned,
        .addresses = addresses,
        .address_count = count,
    };
    memcpy(settings.mac, interface->mac, MAC_SIZE);
    vrrp_router_end_guard(router);
    int rv = switch_guard_open(&settings, &router->guard);
    router->guard_until_us = until_us;
    if (rv != 0)
        log_debug("no guard for the connections of the old owner: %s", strerror(-rv));
}

void vrrp_router_end_guard(struct vrrp_router *router)
{
    switch_guard_close(router->guard);
    router->guard = NULL;
}

void vrrp_router_know_active(struct vrrp_router *router, uint64_t now_us)
{
    const struct ip_address *active = &router->machine.active_address;
    bool known = ip_address_equal(active, &router->known_active) &&
                 now_us - router->known_active_us < KNOW_ACTIVE_US;
    if (known || router->machine.state != VRRP_BACKUP || active->family == 0 || !router->socket)
        return;
    neighbour_resolve(router->socket->interface_index, active);
    router->known_active = *active;
    router->known_active_us = now_us;
}

static void note_added(struct vrrp_vip *vip,
                       struct vrrp_host *host,
                       const struct vrrp_router *router,
                       int result)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    if (result == 0 && vip->owned_index != vip->interface_index)
        vrrp_report_owned(&host->report, &vip->address, vip->interface_index, true);
    if (result == 0)
        vip->owned_index = vip->interface_index;
    /* An interface that has just gone is told by the next look at the interfaces. */
    if (result != 0 && result != -ENODEV && result != vip->error) {
        ip_address_format(&vip->address, text);
        vrrp_report_event(&host->report, EVENT_VIP_FAILED,
                          "address %s of group %s could not be added: %s", text,
                          router->group.name, strerror(-result));
    }
    vip->error = result;
}

void vrrp_router_add_addresses(struct vrrp_router *router, struct vrrp_host *host)
{
    struct vip_change *changes = calloc(router->vip_count + 1, sizeof(*changes));
    size_t count = 0;
    if (!changes)
        return; /* the next renewal tries again */
    for (size_t i = 0; i < router->vip_count; i++) {
        struct vrrp_vip *vip = &router->vips[i];
        if (!vip->left_alone && vip->interface_index)
            changes[count++] = (struct vip_change){vip->address, vip->interface_index, true, 0};
    }
    vip_netlink_apply(host->netlink, changes, count);
    size_t at = 0;
    for (size_t i = 0; i < router->vip_count; i++) {
        struct vrrp_vip *vip = &router->vips[i];
        if (!vip->left_alone && vip->interface_index)
            note_added(vip, host, router, changes[at++].result);
    }
    free(changes);
}

static bool is_to_go(const struct vrrp_vip *vip, bool misplaced)
{
    bool wrong = vip->owned_index != vip->interface_index || vip->left_alone;
    return vip->owned_index && (wrong || !misplaced);
}

void vrrp_router_remove_addresses(struct vrrp_router *router,
                                  struct vrrp_host *host,
                                  bool misplaced)
{
    struct vip_change *changes = calloc(router->vip_count + 1, sizeof(*changes));
    size_t count = 0;
    for (size_t i = 0; changes && i < router->vip_count; i++) {
        struct vrrp_vip *vip = &router->vips[i];
        vip->error = 0;
        if (!is_to_go(vip, misplaced))
            continue;
        changes[count++] = (struct vip_change){vip->address, vip->owned_index, false, 0};
        vip->owned_index = 0; /* before the kernel tells that it is gone */
    }
    vip_netlink_apply(host->netlink, changes, count);
    for (size_t i = 0; i < count; i++)
        vrrp_report_owned(&host->report, &changes[i].address, changes[i].interface_index,
                          false);
    free(changes);
}

struct vrrp_socket *vrrp_host_socket(struct vrrp_host *host,
                                     const struct interface *interface,
                                     uint8_t family,
                                     int *out_error)
{
    struct vrrp_socket *socket = host->sockets;
    while (socket && (socket->interface_index != interface->index || socket->family != family))
        socket = socket->next;
    if (!socket) {
        *out_error = vrrp_socket_open(host->loop, interface->name, interface->index, family,
                                      &host->socket_handler, &socket);
        if (*out_error != 0)
            return NULL;
        socket->next = host->sockets;
        host->sockets = socket;
    }
    return socket;
}

#include "vrrp/vrrp_place.h"

#include <stdio.h>

struct ip_address vrrp_link_local(uint8_t vrid)
{
    return (struct ip_address){
        6, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0x00, 0x5e, 0xff, 0xfe, 0x00, 0x02, vrid}};
}

static const struct interface *toward_peers(const struct vrrp_config *config,
                                            const struct interface_table *table,
                                            uint8_t family)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        const struct ip_address *peer = &config->peers[i].address;
        const struct interface *found = interface_table_toward(table, peer);
        if (found && !found->loopback && (family == 0 || peer->family == family))
            return found;
    }
    return NULL;
}

const struct interface *vrrp_place_address(const struct vrrp_config *config,
                                           const struct message_vrrp_group *group,
                                           const struct interface_table *table,
                                           const struct ip_address *address)
{
    if (group->interface[0])
        return interface_table_by_name(table, group->interface);
    const struct interface *found = interface_table_toward(table, address);
    return found && !found->loopback ? found : toward_peers(config, table, 0);
}

/* The peers know this node by one address and take adverts from no other. */
static const struct interface *known_to_peers(const struct vrrp_config *config,
                                              const struct interface_table *table)
{
    const struct interface *found =
        config->peer_count ? interface_table_with(table, &config->own_address) : NULL;
    return found && !found->loopback ? found : NULL;
}

/* Where adverts leave, and from which address. */
static void choose_source(struct vrrp_place *place,
                          const struct vrrp_config *config,
                          const struct interface_table *table,
                          const struct interface *carrier,
                          uint8_t family)
{
    place->interface = family == 4 ? known_to_peers(config, table) : NULL;
    if (place->interface) {
        place->own_address = config->own_address;
        return;
    }
    if (family == 4)
        place->interface = toward_peers(config, table, 4);
    if (!place->interface)
        place->interface = carrier;
    place->own_address = interface_table_source(table, place->interface->index, family,
                                                vrrp_config_first_peer(config, family));
}

static struct vrrp_place
fault(struct vrrp_place place, enum event_code code, enum hindrance hindrance)
{
    place.fault = code;
    place.hindrance = hindrance;
    return place;
}

struct vrrp_place vrrp_place_router(const struct vrrp_config *config,
                                    const struct message_vrrp_group *group,
                                    const struct interface_table *table,
                                    const struct ip_address *address)
{
    struct vrrp_place place = {0};
    char text[IP_ADDRESS_TEXT_SIZE];
    const struct interface *carrier = vrrp_place_address(config, group, table, address);
    if (!carrier && group->interface[0]) {
        snprintf(place.reason, sizeof(place.reason), "there is no interface %s",
                 group->interface);
        return fault(place, EVENT_VIP_NO_INTERFACE, HINDRANCE_IS_INTERFACE);
    }
    if (!carrier) {
        ip_address_format(address, text);
        snprintf(place.reason, sizeof(place.reason),
                 "no interface has a subnet with %s or with a peer", text);
        return fault(place, EVENT_VIP_NO_INTERFACE, HINDRANCE_IS_INTERFACE);
    }
    choose_source(&place, config, table, carrier, address->family);
    if (!place.interface->up || !carrier->up) {
        const struct interface *down = carrier->up ? place.interface : carrier;
        snprintf(place.reason, sizeof(place.reason), "interface %s %s", down->name,
                 down->settling ? "has just come back; it counts when it stays" : "is down");
        return fault(place, EVENT_VRRP_FAULT, HINDRANCE_IS_INTERFACE);
    }
    if (place.own_address.family == 0) {
        snprintf(place.reason, sizeof(place.reason), "interface %s has no %s address",
                 place.interface->name, address->family == 4 ? "IPv4" : "link-local IPv6");
        return fault(place, EVENT_VRRP_FAULT, HINDRANCE_IS_ADDRESS);
    }
    return place;
}

uint32_t vrrp_place_tie_delay_us(const struct vrrp_config *config,
                                 const struct interface_table *table,
                                 uint32_t advert_interval_us)
{
    enum {
        STEPS = 8
    };
    uint32_t rank = 0;
    for (size_t i = 0; i < config->peer_count && rank < STEPS; i++) {
        const struct ip_address *peer = &config->peers[i].address;
        const struct interface *toward = interface_table_toward(table, peer);
        if (!toward || peer->family != 4)
            continue;
        struct ip_address own = known_to_peers(config, table)
                                    ? config->own_address
                                    : interface_table_source(table, toward->index, 4, peer);
        rank += ip_address_compare(peer, &own) > 0;
    }
    return rank * (advert_interval_us / STEPS);
}

#include "vrrp/hand_over.h"

/* The address of the node in FAMILY; family 0 when it has none. */
static struct ip_address
peer_address(const struct vrrp_config *config, const struct uuid *node_id, uint8_t family)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        const struct message_vrrp_peer *peer = &config->peers[i];
        if (uuid_equal(&peer->node_id, node_id) && peer->address.family == family)
            return peer->address;
    }
    return (struct ip_address){0};
}

void hand_over_start(struct vrrp_router *routers,
                     struct vrrp_host *host,
                     const struct message_vrrp_hand_over *message,
                     uint64_t now_us)
{
    bool all = uuid_is_zero(&message->group_id);
    for (struct vrrp_router *router = routers; router; router = router->next) {
        struct vrrp_event event = {.kind = VRRP_EVENT_HAND_OVER};
        if (router->machine.state != VRRP_ACTIVE || router->passive)
            continue;
        if (!all && !uuid_equal(&router->group.group_id, &message->group_id))
            continue;
        event.source = peer_address(&host->config, &message->node_id, router->family);
        vrrp_router_step(router, host, &event, now_us);
    }
}

bool hand_over_is_done(const struct vrrp_router *routers)
{
    for (const struct vrrp_router *router = routers; router; router = router->next) {
        if (router->machine.hand_over_until_us || router->machine.linger != VRRP_LINGER_NONE)
            return false;
    }
    return true;
}

bool hand_over_any_active(const struct vrrp_router *routers)
{
    for (const struct vrrp_router *router = routers; router; router = router->next) {
        if (router->machine.state == VRRP_ACTIVE && !router->passive)
            return true;
    }
    return false;
}

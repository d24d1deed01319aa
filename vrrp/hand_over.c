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
        router->offers_again = false;
        vrrp_router_step(router, host, &event, now_us);
    }
}

static bool has_drained_peer(const struct vrrp_config *config)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].drained)
            return true;
    }
    return false;
}

/* Another one at each attempt: the first may be dead. NULL: all are drained. */
static const struct message_vrrp_peer *fit_peer(const struct vrrp_config *config,
                                                size_t attempt)
{
    size_t fit = 0;
    for (size_t i = 0; i < config->peer_count; i++)
        fit += !config->peers[i].drained;
    for (size_t i = 0, nth = 0; i < config->peer_count; i++) {
        if (!config->peers[i].drained && nth++ == attempt % fit)
            return &config->peers[i];
    }
    return NULL;
}

static struct ip_address
address_of(const struct vrrp_host *host, const struct uuid *node_id, uint8_t family)
{
    struct ip_address found = peer_address(&host->config, node_id, family);
    return found.family || family == 4 ? found
                                       : vouch_table_link_local(&host->vouched, node_id);
}

/* Asked at large, another drained node would take it as well as any, and offer it in its turn:
 * to and fro, as long as those that are not drained are away. */
void hand_over_offer(struct vrrp_router *routers,
                     struct vrrp_host *host,
                     size_t attempt,
                     uint64_t now_us)
{
    bool at_large = !has_drained_peer(&host->config);
    const struct message_vrrp_peer *peer = fit_peer(&host->config, attempt);
    for (struct vrrp_router *router = routers; router; router = router->next) {
        struct vrrp_event event = {.kind = VRRP_EVENT_HAND_OVER};
        if (router->machine.state != VRRP_ACTIVE || router->passive)
            continue;
        if (!at_large && !router->group.compat && peer)
            event.source = address_of(host, &peer->node_id, router->family);
        router->offers_again = attempt > 0;
        if (at_large || router->group.compat || event.source.family)
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

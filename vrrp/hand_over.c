#include "vrrp/hand_over.h"

enum {
    ROUND_PAUSE_US = 5000000, /* a drained node that serves offers it so often to all */
    NEXT_INTERVALS = VRRP_HAND_OVER_INTERVALS + 2, /* of adverts, until the next is asked */
    NEXT_MINIMUM_US = 100000,
};

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

/* Adverts of IPv6 come from link-local addresses, which the roster does not know. */
static struct ip_address
address_of(const struct vrrp_host *host, const struct uuid *node_id, uint8_t family)
{
    struct ip_address found = peer_address(&host->config, node_id, family);
    return found.family || family == 4 ? found
                                       : vouch_table_link_local(&host->vouched, node_id);
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
        event.source = address_of(host, &message->node_id, router->family);
        router->offers_again = message->again;
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

/* A node may be two peers, of one address each. */
static bool is_first_of_node(const struct vrrp_config *config, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (uuid_equal(&config->peers[i].node_id, &config->peers[index].node_id))
            return false;
    }
    return true;
}

static bool is_fit(const struct vrrp_config *config, size_t index)
{
    return !config->peers[index].drained && is_first_of_node(config, index);
}

static size_t count_fit(const struct vrrp_config *config)
{
    size_t fit = 0;
    for (size_t i = 0; i < config->peer_count; i++)
        fit += is_fit(config, i);
    return fit;
}

/* Another one at each attempt: the first may be dead. NULL: all are drained. */
static const struct message_vrrp_peer *fit_peer(const struct vrrp_config *config,
                                                size_t attempt)
{
    size_t fit = count_fit(config);
    for (size_t i = 0, nth = 0; i < config->peer_count; i++) {
        if (is_fit(config, i) && nth++ == attempt % fit)
            return &config->peers[i];
    }
    return NULL;
}

/* Asked at large all are asked at once. */
static size_t offers_in_round(const struct vrrp_host *host)
{
    return has_drained_peer(&host->config) ? count_fit(&host->config) : 1;
}

uint64_t hand_over_pause_us(const struct vrrp_router *routers,
                            const struct vrrp_host *host,
                            size_t attempt)
{
    size_t offers = offers_in_round(host);
    uint64_t pause_us = NEXT_MINIMUM_US;
    if (offers == 0 || (attempt + 1) % offers == 0)
        return ROUND_PAUSE_US;
    for (const struct vrrp_router *router = routers; router; router = router->next) {
        uint64_t interval_us = router->machine.settings.advert_interval_us;
        if (router->machine.state == VRRP_ACTIVE && pause_us < NEXT_INTERVALS * interval_us)
            pause_us = NEXT_INTERVALS * interval_us;
    }
    return pause_us < ROUND_PAUSE_US ? pause_us : ROUND_PAUSE_US;
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
        router->offers_again = attempt >= offers_in_round(host);
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

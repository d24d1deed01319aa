#include "vrrp/families.h"

static struct vrrp_router *find_sibling(struct vrrp_router *routers,
                                        const struct vrrp_router *of)
{
    for (struct vrrp_router *router = routers; router; router = router->next) {
        if (router != of && uuid_equal(&router->group.group_id, &of->group.group_id))
            return router;
    }
    return NULL;
}

void families_link(struct vrrp_router *routers)
{
    for (struct vrrp_router *router = routers; router; router = router->next)
        router->sibling = find_sibling(routers, router);
}

void families_follow(struct vrrp_router *lost, struct vrrp_host *host, uint64_t now_us)
{
    struct vrrp_event yield = {.kind = VRRP_EVENT_YIELD};
    if (lost->family == 4 && lost->sibling)
        vrrp_router_step(lost->sibling, host, &yield, now_us);
}

/* An owner of IPv4 that sends no IPv6 adverts can take nothing over; asked at large, a third
 * node would, and offer it in its turn a second later, without end. */
static void unite(struct vrrp_router *ipv6, struct vrrp_host *host, uint64_t now_us)
{
    struct vrrp_event hand_over = {.kind = VRRP_EVENT_HAND_OVER};
    const struct vrrp_machine *ipv4 = &ipv6->sibling->machine;
    struct uuid owner;
    if (ipv6->machine.state != VRRP_ACTIVE || ipv4->state != VRRP_BACKUP ||
        vouch_table_judge(&host->vouched, &host->config, &ipv4->active_address, &owner) !=
            VOUCH_GOOD)
        return;
    hand_over.source = vouch_table_link_local(&host->vouched, &owner);
    if (hand_over.source.family == 0 ||
        !family_bond_hands_over(&ipv6->bond, ipv4, &ipv6->machine, now_us))
        return;
    ipv6->offers_again = false;
    vrrp_router_step(ipv6, host, &hand_over, now_us);
}

/* Routers that are no nodes elect each family for itself: a mixed group is left alone. */
void families_unite(struct vrrp_router *routers, struct vrrp_host *host, uint64_t now_us)
{
    for (struct vrrp_router *router = routers; router; router = router->next) {
        if (router->family == 6 && router->sibling && !router->group.compat &&
            !router->passive && !router->sibling->passive)
            unite(router, host, now_us);
    }
}

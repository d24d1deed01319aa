#include "vrrp/router_hindrance.h"

#include <stdio.h>

static void set(struct vrrp_router *router, enum hindrance kind, const char *text)
{
    router->hindrance = kind;
    snprintf(router->reason, sizeof(router->reason), "%s",
             text[0] ? text : hindrance_words(kind));
}

void router_hindrance_find(struct vrrp_router *router,
                           const struct vrrp_host *host,
                           const struct vrrp_place *place)
{
    const struct message_hindrance *word =
        hindrance_list_find(&host->hindrances, &router->group.group_id, true);
    if (place->reason[0])
        set(router, place->hindrance, place->reason);
    else if (host->eligibility_known && !host->eligible)
        set(router, HINDRANCE_IS_PROXY, host->ineligible_reason);
    else if (host->config.drained)
        set(router, HINDRANCE_IS_DRAINED, "this node is drained");
    else if (word)
        set(router, (enum hindrance)word->kind, word->text);
    else
        set(router, HINDRANCE_IS_NONE, "");
}

static uint8_t highest_priority(const struct vrrp_router *router)
{
    bool active = router->machine.state == VRRP_ACTIVE;
    if (router->hindrance == HINDRANCE_IS_NONE)
        return UINT8_MAX;
    if (router->hindrance == HINDRANCE_IS_DRAINED)
        return PRIORITY_DRAINED;
    if (hindrance_effect(router->hindrance) == HINDRANCE_WAITS)
        return active ? UINT8_MAX : PRIORITY_WAITS;
    return PRIORITY_YIELDS;
}

void router_hindrance_rank(struct vrrp_router *router, const struct vrrp_host *host)
{
    struct vrrp_machine_settings *settings = &router->machine.settings;
    uint8_t highest = highest_priority(router), own = router->group.priority;
    settings->priority = own < highest ? own : highest;
    settings->preempt = router->group.preempt && highest == UINT8_MAX;
}

bool router_hindrance_is_out(const struct vrrp_router *router)
{
    return router->hindrance != HINDRANCE_IS_NONE &&
           hindrance_effect(router->hindrance) == HINDRANCE_OUT;
}

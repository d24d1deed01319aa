#include "vrrp/router_evidence.h"

#include <stdio.h>
#include <string.h>

enum {
    ANNOUNCE_GAP_US = 1000000
};

static bool is_sound(const struct message_vrrp_evidence *message)
{
    return message->kind < VRRP_EVIDENCE_KIND_COUNT &&
           message->valid_ms <= VRRP_EVIDENCE_MAXIMUM_MS &&
           memchr(message->rival, 0, sizeof(message->rival));
}

static struct vrrp_router *find(struct vrrp_router *routers,
                                const struct message_vrrp_evidence *message)
{
    for (struct vrrp_router *router = routers; router; router = router->next) {
        if (router->family == message->family &&
            uuid_equal(&router->group.group_id, &message->group_id))
            return router->passive ? NULL : router;
    }
    return NULL;
}

static void set_unheard(struct vrrp_router *router,
                        struct vrrp_host *host,
                        uint64_t until_us,
                        uint64_t now_us)
{
    bool changed = (router->unheard_until_us != 0) != (until_us != 0);
    router->unheard_until_us = until_us;
    if (changed)
        vrrp_router_evaluate(router, host, now_us);
}

static void yield(struct vrrp_router *router,
                  struct vrrp_host *host,
                  const struct message_vrrp_evidence *message,
                  uint64_t now_us)
{
    struct vrrp_event demote = {.kind = VRRP_EVENT_DEMOTE, .hold_us = message->valid_ms * 1000};
    bool was_active = router->machine.state == VRRP_ACTIVE;
    snprintf(router->rival, sizeof(router->rival), "%s", message->rival);
    router->yield_until_us = now_us + demote.hold_us;
    router->demoted_count += was_active;
    if (was_active)
        vrrp_report_event(&host->report, EVENT_VRRP_DEMOTED,
                          "group %s (IPv%u): %s is active too and comes first; this node gives "
                          "the addresses up",
                          router->group.name, router->family, router->rival);
    vrrp_router_step(router, host, &demote, now_us);
}

static void end_yield(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    struct vrrp_event release = {.kind = VRRP_EVENT_RELEASE};
    if (!router->yield_until_us)
        return;
    router->yield_until_us = 0;
    vrrp_router_step(router, host, &release, now_us);
}

bool router_evidence_take(struct vrrp_router *routers,
                          struct vrrp_host *host,
                          const struct message_vrrp_evidence *message,
                          uint64_t now_us)
{
    struct vrrp_router *router = find(routers, message);
    uint64_t until_us = now_us + message->valid_ms * UINT64_C(1000);
    if (!is_sound(message))
        return false;
    if (!router)
        return true;
    if (message->kind != VRRP_EVIDENCE_YIELD)
        end_yield(router, host, now_us);
    set_unheard(router, host, message->kind == VRRP_EVIDENCE_UNHEARD ? until_us : 0, now_us);
    if (message->kind == VRRP_EVIDENCE_YIELD)
        yield(router, host, message, now_us);
    if (message->announce && now_us - router->reannounced_us >= ANNOUNCE_GAP_US) {
        router->reannounced_us = now_us;
        vrrp_router_announce_again(router, host, now_us);
    }
    return true;
}

void router_evidence_expire(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    if (router->unheard_until_us && now_us >= router->unheard_until_us)
        set_unheard(router, host, 0, now_us);
    if (router->yield_until_us && now_us >= router->yield_until_us)
        end_yield(router, host, now_us);
}

uint64_t router_evidence_due_us(const struct vrrp_router *router)
{
    uint64_t due_us = router->unheard_until_us ? router->unheard_until_us : UINT64_MAX;
    bool sooner = router->yield_until_us && router->yield_until_us < due_us;
    return sooner ? router->yield_until_us : due_us;
}

#include "vrrp/advert_policy.h"

#include "lbnode/base/monotime.h"

enum {
    /* Nodes have 1 to 254. */
    PRIORITY_OF_STRANGERS = 255,
};

/* Once, then hourly, for each sender (stranger_table.h). A node that has just joined is heard
 * before its session is proven: that alone is no news. */
static void name_stranger(struct vrrp_router *router,
                          struct vrrp_host *host,
                          enum vouch vouch,
                          const struct ip_address *source,
                          uint8_t priority)
{
    static const char *const doubts[] = {
        [VOUCH_STRANGER] = "an address that no node vouches for",
        [VOUCH_UNPROVEN] = "the address of a node that never answered by gossip",
        [VOUCH_GOOD] = "the address of a node, none of which has that priority",
    };
    char text[IP_ADDRESS_TEXT_SIZE];
    uint64_t now_us = monotime_now_us();
    if (vouch == VOUCH_UNPROVEN &&
        now_us - router->machine.since_us < 2 * (uint64_t)VRRP_LISTEN_MINIMUM_US)
        return;
    if (!stranger_table_note(&host->foreign, source, router->group.vrid, VRRP_VERDICT_OK,
                             now_us))
        return;
    ip_address_format(source, text);
    vrrp_report_event(
        &host->report, EVENT_VRRP_FOREIGN,
        "%s advertises group %s (IPv%u, VRID %u) on %s with priority %u; ignored, "
        "it is %s",
        text, router->group.name, router->family, router->group.vrid, router->interface,
        priority, doubts[vouch]);
}

bool advert_policy_accepts(struct vrrp_router *router,
                           struct vrrp_host *host,
                           const struct ip_address *source,
                           uint8_t priority)
{
    if (router->group.compat)
        return true;
    enum vouch vouch = vouch_table_judge(&host->vouched, &host->config, source, NULL);
    if (vouch == VOUCH_GOOD && priority != PRIORITY_OF_STRANGERS)
        return true;
    router->adverts_dropped++;
    router->adverts_foreign++;
    name_stranger(router, host, vouch, source, priority);
    return false;
}

#include "vrrp/advert_policy.h"

#include "lbnode/base/monotime.h"

enum {
    /* Nodes have 1 to 254. */
    PRIORITY_OF_STRANGERS = 255,
};

/* What a node that has just joined hears before its first session is proven is no news. */
static bool is_new_here(const struct vrrp_machine *machine, enum vouch vouch, uint64_t now_us)
{
    return vouch != VOUCH_GOOD && machine->state == VRRP_BACKUP &&
           now_us - machine->since_us < 2 * (uint64_t)VRRP_LISTEN_MINIMUM_US;
}

/* Once, then hourly, for each sender (stranger_table.h). */
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
    if (is_new_here(&router->machine, vouch, now_us))
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

void advert_policy_compare_sum(struct vrrp_router *router,
                               struct vrrp_host *host,
                               const struct ip_address *source,
                               const struct vrrp_packet *packet)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    bool pseudo = packet->checksum == VRRP_CHECKSUM_PSEUDO;
    if (!router->group.compat || packet->family != 4 || pseudo == (bool)router->group.pseudo ||
        !stranger_table_note(&host->foreign, source, router->group.vrid, VRRP_VERDICT_CHECKSUM,
                             monotime_now_us()))
        return;
    ip_address_format(source, text);
    vrrp_report_event(&host->report, EVENT_VRRP_FOREIGN,
                      "%s sums its adverts of group %s (VRID %u) %s and may refuse ours, so "
                      "that both would be active: lbnode vrrpgroup set --checksum %s %s",
                      text, router->group.name, router->group.vrid,
                      pseudo ? "with a pseudo-header" : "as RFC 9568 says",
                      pseudo ? "PSEUDO" : "RFC9568", router->group.name);
}

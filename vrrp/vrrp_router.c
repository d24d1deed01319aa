#include "vrrp/vrrp_router.h"

#include "lbnode/base/monotime.h"
#include "vrrp/router_hindrance.h"
#include "vrrp/vrrp_router_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* An address that is removed again so soon comes back only with the next look at the
     * interfaces: no duel at full speed. */
    REPLACE_GAP_US = 50000,
    CLAIM_GAP_US = 1000000,
    USABLE_CHECK_US = 500,
    USABLE_MAXIMUM_US = 50000,
    GUARD_END_GAP_US = 50000,
    GUARD_US = VRRP_GRACE_US + 200000, /* the old owner's grace and the way */
    /* A link that came back may carry nothing yet for a while: its switch has not noticed. */
    GREET_GAP_US = 100000,
};

struct vrrp_router *vrrp_router_new(const struct message_vrrp_group *group, uint8_t family)
{
    struct vrrp_router *router = calloc(1, sizeof(*router));
    if (!router)
        return NULL;
    struct vrrp_machine_settings settings = {
        .priority = group->priority,
        .advert_interval_us = group->advert_interval_ms * 1000,
    };
    router->group = *group;
    router->family = family;
    router->since_wall_ms = walltime_now_ms();
    vrrp_machine_init(&router->machine, &settings, monotime_now_us());
    return router;
}

void vrrp_router_free(struct vrrp_router *router)
{
    if (!router)
        return;
    vrrp_router_end_guard(router);
    advert_image_forget(&router->advert);
    free(router->vips);
    free(router);
}

bool vrrp_router_has_address(const struct vrrp_router *router, const struct ip_address *address)
{
    for (size_t i = 0; i < router->vip_count; i++) {
        if (ip_address_equal(&router->vips[i].address, address))
            return true;
    }
    return false;
}

static struct vrrp_vip *find_vip(struct vrrp_router *router, const struct ip_address *address)
{
    for (size_t i = 0; i < router->vip_count; i++) {
        if (ip_address_equal(&router->vips[i].address, address))
            return &router->vips[i];
    }
    return NULL;
}

/* What is known about ADDRESS moves from the old list to the new one. */
static void take_vip(struct vrrp_router *router,
                     struct vrrp_vip *vips,
                     size_t *count,
                     const struct ip_address *address)
{
    struct vrrp_vip *known = find_vip(router, address);
    for (size_t i = 0; i < *count; i++) {
        if (ip_address_equal(&vips[i].address, address))
            return;
    }
    if (known) {
        vips[(*count)++] = *known;
        known->owned_index = 0;
    } else {
        vips[(*count)++] = (struct vrrp_vip){.address = *address};
    }
}

static bool take_addresses(struct vrrp_router *router, struct vrrp_host *host)
{
    const struct vrrp_config *config = &host->config;
    struct vrrp_vip *vips = calloc(config->address_count + 1, sizeof(*vips));
    size_t count = 0;
    if (!vips)
        return false;
    if (router->family == 6) {
        struct ip_address link_local = vrrp_link_local(router->group.vrid);
        take_vip(router, vips, &count, &link_local);
    }
    for (size_t i = 0; i < config->address_count; i++) {
        const struct message_vrrp_address *address = &config->addresses[i];
        if (address->address.family == router->family &&
            uuid_equal(&address->group_id, &router->group.group_id))
            take_vip(router, vips, &count, &address->address);
    }
    vrrp_router_remove_addresses(router, host, false); /* those that nobody took */
    free(router->vips);
    router->vips = vips;
    router->vip_count = count;
    advert_image_forget(&router->advert);
    return true;
}

bool vrrp_router_configure(struct vrrp_router *router,
                           struct vrrp_host *host,
                           const struct message_vrrp_group *group,
                           uint64_t now_us)
{
    router->group = *group;
    if (!take_addresses(router, host))
        return false;
    vrrp_router_evaluate(router, host, now_us);
    return true;
}

/* The address that decides where the router lives: the first one to be served that is not the
 * derived link-local. NULL: there is none. */
static struct vrrp_vip *leading_vip(struct vrrp_router *router)
{
    size_t derived = router->family == 6 ? 1 : 0;
    for (size_t i = derived; i < router->vip_count; i++) {
        if (!router->vips[i].left_alone)
            return &router->vips[i];
    }
    return NULL;
}

static void place_vips(struct vrrp_router *router, struct vrrp_host *host)
{
    for (size_t i = 0; i < router->vip_count; i++) {
        struct vrrp_vip *vip = &router->vips[i];
        bool left_alone_before = vip->left_alone;
        vip->left_alone =
            ip_address_is_loopback(&vip->address) ||
            vrrp_config_has_peer(&host->config, &vip->address) || /* never take a node's own */
            (!vip->owned_index && interface_table_has_permanent(&host->table, &vip->address));
        const struct interface *interface =
            vrrp_place_address(&host->config, &router->group, &host->table, &vip->address);
        vip->interface_index = interface ? interface->index : 0;
        if (vip->left_alone != left_alone_before)
            advert_image_forget(&router->advert);
    }
    struct vrrp_vip *leading = leading_vip(router);
    if (router->family == 6 && leading)
        router->vips[0].interface_index = leading->interface_index;
}

/* May this node serve as far as its own interfaces go? Fills in the reason if not. */
static struct vrrp_place find_place(struct vrrp_router *router, struct vrrp_host *host)
{
    struct vrrp_vip *leading = leading_vip(router);
    struct vrrp_place place =
        vrrp_place_router(&host->config, &router->group, &host->table, &leading->address);
    int error = 0;
    router->socket = NULL;
    const struct interface *carrier =
        interface_table_by_index(&host->table, leading->interface_index);
    if (carrier)
        snprintf(router->interface, sizeof(router->interface), "%s", carrier->name);
    if (!host->privileged) {
        place.fault = EVENT_VRRP_FAULT;
        place.hindrance = HINDRANCE_IS_RIGHTS;
        snprintf(place.reason, sizeof(place.reason),
                 "the vrrp process lacks the capabilities NET_ADMIN and NET_RAW");
    }
    if (!place.reason[0] && router->unheard_until_us) {
        place.fault = EVENT_VRRP_FAULT;
        place.hindrance = HINDRANCE_IS_UNHEARD;
        snprintf(place.reason, sizeof(place.reason),
                 "no other node hears what this one sends, and one of them can serve");
    }
    if (place.reason[0])
        return place;
    router->socket = vrrp_host_socket(host, place.interface, router->family, &error);
    if (!router->socket) {
        place.fault = EVENT_VRRP_FAULT;
        place.hindrance = HINDRANCE_IS_RIGHTS;
        snprintf(place.reason, sizeof(place.reason), "no raw socket on %s: %s",
                 place.interface->name, strerror(-error));
    }
    return place;
}

/* True when the router speaks from another address than before. */
static bool set_settings(struct vrrp_router *router,
                         struct vrrp_host *host,
                         const struct ip_address *own_address)
{
    struct vrrp_machine_settings *settings = &router->machine.settings;
    settings->preempt_delay_us = router->group.preempt_delay_ms * UINT64_C(1000);
    settings->advert_interval_us = router->group.advert_interval_ms * 1000;
    settings->tie_delay_us =
        vrrp_place_tie_delay_us(&host->config, &host->table, settings->advert_interval_us);
    settings->strict = !router->group.compat;
    bool moved = !ip_address_equal(&settings->own_address, own_address);
    settings->own_address = *own_address;
    return moved;
}

static void become_passive(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    struct vrrp_event stop = {.kind = VRRP_EVENT_STOP};
    vrrp_router_step(router, host, &stop, now_us);
    router->passive = true;
    router->hindrance = HINDRANCE_IS_NONE;
    router->interface[0] = 0;
    snprintf(router->reason, sizeof(router->reason), "this host has the address already");
}

/* Those that take it out of the election, and those that pass, are told elsewhere or not. */
static void report_hindrance(const struct vrrp_router *router,
                             struct vrrp_host *host,
                             enum hindrance before)
{
    bool hindered = router->hindrance > HINDRANCE_IS_DRAINED &&
                    hindrance_effect(router->hindrance) == HINDRANCE_YIELDS;
    bool was_hindered =
        before > HINDRANCE_IS_DRAINED && hindrance_effect(before) == HINDRANCE_YIELDS;
    if (hindered && before != router->hindrance)
        vrrp_report_event(&host->report, EVENT_VIP_HINDERED,
                          "group %s (IPv%u): %s; a node without such trouble takes over",
                          router->group.name, router->family, router->reason);
    else if (was_hindered && !hindered)
        vrrp_report_event(&host->report, EVENT_VIP_UNHINDERED,
                          "group %s (IPv%u): nothing speaks against this node any more",
                          router->group.name, router->family);
}

void vrrp_router_evaluate(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    struct vrrp_event event = {.kind = VRRP_EVENT_ELIGIBLE};
    enum hindrance hindered_before = router->hindrance;
    char before[VRRP_REASON_SIZE];
    place_vips(router, host);
    if (!leading_vip(router)) {
        become_passive(router, host, now_us);
        return;
    }
    router->passive = false;
    struct vrrp_place place = find_place(router, host);
    memcpy(before, router->reason, sizeof(before));
    router_hindrance_find(router, host, &place);
    router_hindrance_rank(router, host);
    report_hindrance(router, host, hindered_before);
    /* That a link has come back and has to stay is no news of its own. */
    bool same_fault = hindered_before == place.hindrance && place.fault == EVENT_VRRP_FAULT;
    if (place.reason[0] && strcmp(before, place.reason) != 0 && !same_fault)
        vrrp_report_event(&host->report, place.fault, "group %s (IPv%u): %s",
                          router->group.name, router->family, place.reason);
    bool moved = place.own_address.family && set_settings(router, host, &place.own_address);
    if (router_hindrance_is_out(router))
        event.kind = VRRP_EVENT_INELIGIBLE;
    event.sibling_active = router->sibling && router->sibling->machine.state == VRRP_ACTIVE;
    if (event.kind == VRRP_EVENT_INELIGIBLE || host->eligibility_known)
        vrrp_router_step(router, host, &event, now_us);
    if (place.interface && !place.interface->up && strcmp(before, place.reason) != 0)
        vrrp_router_discard_queued(router, host, place.interface->index);
    if (router->machine.state == VRRP_ACTIVE) {
        vrrp_router_remove_addresses(router, host, true);
        vrrp_router_renew(router, host);
    }
    if (moved) /* gossip compares addresses by what this says */
        vrrp_router_send_status(router, host);
}

/* The addresses become usable in order: the last one is enough. */
static bool awaits_kernel(struct vrrp_router *router, uint64_t now_us)
{
    const struct vrrp_vip *last = &router->vips[router->vip_count - 1];
    if (!router->usable_by_us)
        return false;
    if (now_us < router->usable_check_us)
        return true;
    router->usable_check_us = now_us + USABLE_CHECK_US;
    if (now_us < router->usable_by_us && !last->left_alone && last->owned_index &&
        !vip_address_is_local(&last->address))
        return true;
    router->usable_by_us = 0;
    return false;
}

static void announce_due(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    if (now_us >= announce_schedule_due_us(&router->announcements) &&
        awaits_kernel(router, now_us))
        return;
    if (announce_schedule_take(&router->announcements, now_us))
        vrrp_router_announce(router, host);
}

static void report_state(struct vrrp_router *router, struct vrrp_host *host)
{
    const char *name = router->group.name;
    char text[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(&router->machine.active_address, text);
    router->since_wall_ms = walltime_now_ms();
    router_hindrance_rank(router, host);
    if (router->machine.state == VRRP_ACTIVE) {
        vrrp_report_event(&host->report, EVENT_VIP_ACTIVE,
                          "this node is active for group %s (IPv%u) on %s%s%s%s", name,
                          router->family, router->interface, router->reason[0] ? " (" : "",
                          router->reason, router->reason[0] ? ")" : "");
    } else {
        announce_schedule_stop(&router->announcements);
        switch_guard_pause(router->guard);
        router->guard_until_us = 0;
    }
    if (router->machine.state == VRRP_BACKUP)
        vrrp_report_event(&host->report, EVENT_VIP_BACKUP,
                          "this node is backup for group %s (IPv%u)%s%s", name, router->family,
                          text[0] ? " under " : "", text);
    if (router->machine.state == VRRP_FAULT && !host->eligible && host->eligibility_known)
        vrrp_report_event(&host->report, EVENT_VRRP_FAULT, "group %s (IPv%u): %s", name,
                          router->family, router->reason);
    vrrp_router_send_status(router, host);
}

/* Who was asked alone, or NULL: everybody was, or a router that is no node. */
static const struct message_vrrp_peer *asked_peer(const struct vrrp_router *router,
                                                  const struct vrrp_host *host)
{
    const struct ip_address *asked = &router->machine.hand_over_to;
    const struct message_vrrp_vouched *node = vouch_table_node(&host->vouched, asked);
    for (size_t i = 0; i < host->config.peer_count; i++) {
        const struct message_vrrp_peer *peer = &host->config.peers[i];
        if (ip_address_equal(&peer->address, asked) ||
            (node && uuid_equal(&node->node_id, &peer->node_id)))
            return peer;
    }
    return NULL;
}

static void report_no_taker(struct vrrp_router *router, struct vrrp_host *host)
{
    const struct message_vrrp_peer *peer = asked_peer(router, host);
    vrrp_report_event(&host->report, EVENT_VRRP_NO_TAKER,
                      "%s%.64s%s group %s (IPv%u) over; this node goes on",
                      peer ? "node " : "no node took", peer ? peer->name : "",
                      peer ? " was asked and did not take" : "", router->group.name,
                      router->family);
}

static void report_surprises(struct vrrp_router *router, struct vrrp_host *host, unsigned set)
{
    const char *name = router->group.name;
    if (set & VRRP_ACTION_FALSE_TAKEOVER)
        vrrp_report_event(&host->report, EVENT_VRRP_FALSE_TAKEOVER,
                          "group %s (IPv%u) was taken over from a node that was alive; for 10 "
                          "minutes this node waits %.0f ms",
                          name, router->family,
                          vrrp_machine_dead_time_us(&router->machine) / 1000.0);
    if ((set & VRRP_ACTION_NO_TAKER) && !router->offers_again)
        report_no_taker(router, host);
}

static void greet(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    router->greet_due_us = now_us + GREET_GAP_US;
    vrrp_router_greet(router, host);
}

/* A backup that has heard nobody yet: its peers may not know where to send their adverts. */
static bool listens(const struct vrrp_router *router)
{
    return router->machine.state == VRRP_BACKUP && router->machine.active_address.family == 0;
}

void vrrp_router_step(struct vrrp_router *router,
                      struct vrrp_host *host,
                      const struct vrrp_event *event,
                      uint64_t now_us)
{
    struct vrrp_actions actions = vrrp_machine_step(&router->machine, event, now_us);
    if (actions.set & VRRP_ACTION_GREET)
        greet(router, host, now_us);
    if (actions.set & VRRP_ACTION_REASSURE)
        vrrp_router_reassure(router, host, &actions.advert_to);
    if (actions.set & VRRP_ACTION_SEND_ADVERT)
        vrrp_router_send_advert(router, host, actions.advert_priority, &actions.advert_to);
    if ((actions.set & VRRP_ACTION_ADD_ADDRESSES) && router->machine.resigned.family)
        vrrp_router_guard(router, host, now_us + GUARD_US);
    if (actions.set & VRRP_ACTION_ADD_ADDRESSES)
        vrrp_router_add_addresses(router, host);
    if ((actions.set & VRRP_ACTION_ADD_ADDRESSES) && router->family == 6) {
        router->usable_by_us = now_us + USABLE_MAXIMUM_US;
        router->usable_check_us = now_us + USABLE_CHECK_US;
    }
    if (actions.set & VRRP_ACTION_REMOVE_ADDRESSES)
        vrrp_router_remove_addresses(router, host, false);
    if (actions.set & VRRP_ACTION_ANNOUNCE) {
        announce_schedule_start(&router->announcements, now_us);
        announce_due(router, host, now_us);
    }
    if (actions.set & VRRP_ACTION_STATE_CHANGED)
        report_state(router, host);
    report_surprises(router, host, actions.set);
}

/* Closing one takes the kernel up to 16 ms, during which other work of its network waits too:
 * those of many groups end one after the other. */
static void end_guard_in_turn(struct vrrp_router *router, struct vrrp_host *host)
{
    if (monotime_now_us() < host->guard_end_us) {
        router->guard_until_us = host->guard_end_us;
        return;
    }
    vrrp_router_end_guard(router);
    host->guard_end_us = monotime_now_us() + GUARD_END_GAP_US;
}

void vrrp_router_run_due(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us)
{
    struct vrrp_event timer = {.kind = VRRP_EVENT_TIMER};
    if (now_us >= vrrp_machine_due_us(&router->machine))
        vrrp_router_step(router, host, &timer, now_us);
    announce_due(router, host, now_us);
    if (listens(router) && now_us >= router->greet_due_us)
        greet(router, host, now_us);
    if (router->guard && now_us >= router->guard_until_us)
        end_guard_in_turn(router, host);
}

uint64_t vrrp_router_due_us(const struct vrrp_router *router)
{
    uint64_t announce_us = announce_schedule_due_us(&router->announcements);
    uint64_t machine_us = vrrp_machine_due_us(&router->machine);
    if (router->usable_by_us && announce_us < router->usable_check_us)
        announce_us = router->usable_check_us;
    uint64_t due_us = announce_us < machine_us ? announce_us : machine_us;
    if (listens(router) && router->greet_due_us < due_us)
        due_us = router->greet_due_us;
    return router->guard && router->guard_until_us < due_us ? router->guard_until_us : due_us;
}

void vrrp_router_renew(struct vrrp_router *router, struct vrrp_host *host)
{
    size_t missing = 0;
    if (router->machine.state != VRRP_ACTIVE)
        return;
    for (size_t i = 0; i < router->vip_count; i++)
        missing += !router->vips[i].owned_index && !router->vips[i].left_alone;
    vrrp_router_add_addresses(router, host);
    for (size_t i = 0; i < router->vip_count; i++)
        missing -= !router->vips[i].owned_index && !router->vips[i].left_alone;
    if (missing) {
        announce_schedule_start(&router->announcements, monotime_now_us());
        announce_due(router, host, monotime_now_us());
    }
}

bool vrrp_router_address_gone(struct vrrp_router *router,
                              struct vrrp_host *host,
                              unsigned interface_index,
                              const struct ip_address *address,
                              uint64_t now_us)
{
    struct vrrp_vip *vip = find_vip(router, address);
    char text[IP_ADDRESS_TEXT_SIZE];
    if (!vip || vip->owned_index != interface_index || router->machine.state != VRRP_ACTIVE)
        return vip != NULL;
    ip_address_format(address, text);
    vrrp_report_owned(&host->report, address, interface_index, false);
    vip->owned_index = 0;
    if (now_us - vip->replaced_us >= REPLACE_GAP_US)
        vrrp_router_renew(router, host);
    vip->replaced_us = now_us;
    vrrp_report_event_limited(&host->report, EVENT_VIP_REPLACED,
                              "somebody removed address %s of group %s from %s; put back", text,
                              router->group.name, router->interface);
    return true;
}

void vrrp_router_announce_again(struct vrrp_router *router,
                                struct vrrp_host *host,
                                uint64_t now_us)
{
    vrrp_router_run_due(router, host, now_us); /* after a sleep we are no owner any more */
    if (router->machine.state != VRRP_ACTIVE)
        return;
    announce_schedule_start(&router->announcements, now_us);
    announce_due(router, host, now_us);
}

void vrrp_router_claimed(struct vrrp_router *router,
                         struct vrrp_host *host,
                         unsigned interface_index,
                         const struct ip_address *address,
                         const uint8_t mac[MAC_SIZE])
{
    const struct vrrp_vip *vip = find_vip(router, address);
    uint64_t now_us = monotime_now_us();
    char text[IP_ADDRESS_TEXT_SIZE];
    /* After a sleep the claim is that of the new owner, and we are none any more. */
    if (vip)
        vrrp_router_run_due(router, host, now_us);
    if (!vip || vip->owned_index != interface_index || router->machine.state != VRRP_ACTIVE ||
        (router->claim_answered_us && now_us - router->claim_answered_us < CLAIM_GAP_US))
        return;
    router->claim_answered_us = now_us;
    ip_address_format(address, text);
    vrrp_report_event_limited(
        &host->report, EVENT_VIP_CLAIMED,
        "%02x:%02x:%02x:%02x:%02x:%02x says that %s of group %s is its own; "
        "this node announces it again",
        mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], text, router->group.name);
    vrrp_router_announce_again(router, host, now_us);
}

static void set_stopping(struct message_vrrp_status *status)
{
    status->hindrance = HINDRANCE_IS_STOPPING;
    snprintf(status->reason, sizeof(status->reason), "%s",
             hindrance_words(HINDRANCE_IS_STOPPING));
}

void vrrp_router_send_status(struct vrrp_router *router, struct vrrp_host *host)
{
    const struct vrrp_machine *machine = &router->machine;
    struct message_vrrp_status status = MESSAGE_OF(VRRP_STATUS, struct message_vrrp_status);
    status.group_id = router->group.group_id;
    status.family = router->family;
    status.vrid = router->group.vrid;
    status.state = (uint8_t)(router->passive ? VRRP_ACTIVE : machine->state);
    status.priority = machine->settings.priority;
    if (!router->passive)
        status.own_address = machine->settings.own_address;
    status.active_address =
        machine->state == VRRP_ACTIVE ? machine->settings.own_address : machine->active_address;
    status.since_wall_ms = router->since_wall_ms;
    status.told_us = monotime_now_us();
    status.dead_time_us = vrrp_machine_dead_time_us(machine);
    dead_time_explain(&machine->dead_time, vrrp_machine_standard_us(machine),
                      status.dead_time_reason, sizeof(status.dead_time_reason));
    for (size_t i = 0; i < router->vip_count; i++)
        status.address_count += router->passive || !router->vips[i].left_alone;
    status.adverts_sent = router->adverts_sent;
    status.adverts_received = router->adverts_received;
    status.adverts_dropped = router->adverts_dropped;
    status.adverts_foreign = router->adverts_foreign;
    status.became_active_count = machine->became_active_count;
    memcpy(status.interface, router->interface, sizeof(status.interface));
    status.hindrance = (uint8_t)router->hindrance;
    memcpy(status.reason, router->reason, sizeof(status.reason));
    if (host->stopping)
        set_stopping(&status);
    status.demoted_count = router->demoted_count;
    status.demoted = router->yield_until_us && machine->state == VRRP_BACKUP;
    if (status.demoted && !router->reason[0])
        snprintf(status.reason, sizeof(status.reason), "%.40s is active too and comes first",
                 router->rival);
    if (host->report.channel)
        channel_send(host->report.channel, &status.header, NULL, 0);
}

#include "vrrp/gateway_check.h"

#include "vrrp/ndisc.h"
#include "vrrp/vrrp_router.h"

#include <stdio.h>
#include <string.h>

enum {
    INTERVAL_US = 1000000,
    FAILURES = 3,
    SUCCESSES = 3,
};

static struct gateway *find(struct gateway_check *check, const struct uuid *group_id)
{
    for (size_t i = 0; i < check->count; i++) {
        if (uuid_equal(&check->items[i].group_id, group_id))
            return &check->items[i];
    }
    return NULL;
}

static bool say(struct vrrp_host *host, const struct gateway *gateway, bool holds)
{
    struct message_hindrance word = {
        .group_id = gateway->group_id, .kind = HINDRANCE_IS_GATEWAY, .holds = holds};
    char text[IP_ADDRESS_TEXT_SIZE];
    ip_address_format(&gateway->address, text);
    snprintf(word.text, sizeof(word.text), "gateway %s does not answer", text);
    return hindrance_list_set(&host->hindrances, &word);
}

void gateway_check_configure(struct gateway_check *check, struct vrrp_host *host)
{
    const struct vrrp_config *config = &host->config;
    struct gateway_check fresh = {.due_us = check->due_us};
    for (size_t i = 0; i < config->group_count; i++) {
        const struct message_vrrp_group *group = &config->groups[i];
        const struct gateway *before = find(check, &group->group_id);
        bool same = before && ip_address_equal(&before->address, &group->gateway);
        if (group->gateway.family == 0)
            continue;
        fresh.items[fresh.count++] =
            same ? *before
                 : (struct gateway){.group_id = group->group_id, .address = group->gateway};
    }
    for (size_t i = 0; i < check->count; i++) {
        const struct gateway *after = find(&fresh, &check->items[i].group_id);
        if (!after || !ip_address_equal(&after->address, &check->items[i].address))
            say(host, &check->items[i], false);
    }
    *check = fresh;
}

const struct interface *gateway_check_link(const struct vrrp_host *host,
                                           const struct gateway *gateway)
{
    const struct vrrp_config *config = &host->config;
    const struct message_vrrp_group *group = vrrp_config_group(config, &gateway->group_id);
    if (gateway->address.family == 4 || !ip_address_is_link_local(&gateway->address))
        return interface_table_toward(&host->table, &gateway->address);
    for (size_t i = 0; group && i < config->address_count; i++) {
        const struct message_vrrp_address *address = &config->addresses[i];
        if (uuid_equal(&address->group_id, &group->group_id))
            return vrrp_place_address(config, group, &host->table, &address->address);
    }
    return NULL;
}

/* False when there is no way to ask now: that is the matter of the interface, not of the
 * gateway. */
static bool ask(const struct vrrp_host *host, const struct gateway *checked)
{
    const struct ip_address *gateway = &checked->address;
    uint8_t arp[ARP_FRAME_SIZE], solicitation[NDISC_FRAME_SIZE];
    const struct interface *interface = gateway_check_link(host, checked);
    if (!interface || !interface->up || !interface->has_mac || host->frame_fd < 0)
        return false;
    struct ip_address own =
        interface_table_source(&host->table, interface->index, gateway->family, gateway);
    if (own.family == 0)
        return false;
    if (gateway->family == 4) {
        arp_build_request(interface->mac, &own, gateway, arp);
        return frame_send(host->frame_fd, interface->index, arp, sizeof(arp)) == 0;
    }
    ndisc_build_solicitation(interface->mac, &own, gateway, solicitation);
    return frame_send(host->frame_fd, interface->index, solicitation, sizeof(solicitation)) ==
           0;
}

bool gateway_check_run(struct gateway_check *check, struct vrrp_host *host, uint64_t now_us)
{
    bool changed = false;
    if (check->count == 0 || now_us < check->due_us)
        return false;
    bool late = check->due_us && now_us - check->due_us > INTERVAL_US; /* nobody listened */
    check->due_us = now_us + INTERVAL_US;
    for (size_t i = 0; i < check->count; i++) {
        struct gateway *gateway = &check->items[i];
        if (gateway->asked && !late &&
            rise_fall_note(&gateway->counter, gateway->heard, FAILURES, SUCCESSES))
            changed = say(host, gateway, gateway->counter.down) || changed;
        gateway->heard = false;
        gateway->asked = ask(host, gateway);
    }
    return changed;
}

uint64_t gateway_check_due_us(const struct gateway_check *check)
{
    return check->count > 0 ? check->due_us : UINT64_MAX;
}

void gateway_check_heard(struct gateway_check *check, const struct ip_address *address)
{
    for (size_t i = 0; i < check->count; i++) {
        if (ip_address_equal(&check->items[i].address, address))
            check->items[i].heard = true;
    }
}

#include "vrrp/claim_answer.h"

#include "vrrp/guard_program.h"

#include <string.h>

static bool is_own_mac(const struct interface_table *table, const uint8_t mac[MAC_SIZE])
{
    for (size_t i = 0; i < table->interface_count; i++) {
        if (memcmp(table->interfaces[i].mac, mac, MAC_SIZE) == 0)
            return true;
    }
    return false;
}

static void on_claim(void *context,
                     unsigned interface_index,
                     const struct ip_address *address,
                     const uint8_t mac[MAC_SIZE])
{
    struct claim_answer *answer = context;
    if (is_own_mac(&answer->host->table, mac))
        return;
    gateway_check_heard(&answer->host->gateways, address);
    for (struct vrrp_router *router = *answer->routers; router; router = router->next)
        vrrp_router_claimed(router, answer->host, interface_index, address, mac);
}

void claim_answer_open(struct claim_answer *answer,
                       struct vrrp_host *host,
                       struct vrrp_router **routers)
{
    struct claim_watch_handler handler = {on_claim, answer};
    answer->host = host;
    answer->routers = routers;
    claim_watch_open(host->loop, 4, &handler, &answer->watches[0]);
    claim_watch_open(host->loop, 6, &handler, &answer->watches[1]);
}

void claim_answer_watch(struct claim_answer *answer)
{
    struct ip_address addresses[2][GUARD_PROGRAM_MAXIMUM_ADDRESSES];
    size_t counts[2] = {0};
    const struct vrrp_config *config = answer->host ? &answer->host->config : NULL;
    for (size_t i = 0; config && i < answer->host->gateways.count; i++) {
        const struct ip_address *address = &answer->host->gateways.items[i].address;
        size_t family = address->family == 6;
        if (counts[family] < GUARD_PROGRAM_MAXIMUM_ADDRESSES)
            addresses[family][counts[family]++] = *address;
    }
    for (size_t i = 0; config && i < config->address_count; i++) {
        const struct ip_address *address = &config->addresses[i].address;
        size_t family = address->family == 6;
        if (counts[family] < GUARD_PROGRAM_MAXIMUM_ADDRESSES)
            addresses[family][counts[family]++] = *address;
    }
    for (size_t family = 0; family < 2; family++) {
        if (answer->watches[family])
            claim_watch_set(answer->watches[family], addresses[family], counts[family]);
    }
}

void claim_answer_close(struct claim_answer *answer)
{
    claim_watch_close(answer->watches[0]);
    claim_watch_close(answer->watches[1]);
    *answer = (struct claim_answer){0};
}

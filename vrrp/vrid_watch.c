#include "vrrp/vrid_watch.h"

bool vrid_watch_note(struct vrid_watch *watch,
                     uint8_t vrid,
                     const struct ip_address *source,
                     uint64_t now_us)
{
    uint64_t since_us = now_us - watch->told_us[vrid];
    bool first = watch->told[vrid].family == 0;
    if (!first && since_us < VRID_WATCH_GAP_US)
        return false;
    if (!first && since_us < VRID_WATCH_AGAIN_US &&
        ip_address_equal(&watch->told[vrid], source))
        return false;
    watch->told_us[vrid] = now_us;
    watch->told[vrid] = *source;
    return true;
}

static bool could_have_routers(const struct interface_table *table,
                               const struct interface *interface)
{
    if (!interface->up || interface->loopback || !interface->has_mac)
        return false;
    for (size_t i = 0; i < table->address_count; i++)
        if (table->addresses[i].index == interface->index && !table->addresses[i].is_virtual)
            return true;
    return false;
}

bool vrid_watch_wants(const struct interface_table *table, const struct interface *interface)
{
    size_t before = 0;
    for (size_t i = 0; i < table->interface_count; i++) {
        const struct interface *at = &table->interfaces[i];
        if (!could_have_routers(table, at))
            continue;
        if (at == interface)
            return before < VRID_WATCH_INTERFACES;
        before++;
    }
    return false;
}

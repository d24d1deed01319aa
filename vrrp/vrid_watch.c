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

size_t vrid_watch_choose(const struct interface_table *table,
                         const struct interface *out[VRID_WATCH_INTERFACES])
{
    size_t count = 0;
    for (size_t i = 0; i < table->interface_count && count < VRID_WATCH_INTERFACES; i++) {
        if (could_have_routers(table, &table->interfaces[i]))
            out[count++] = &table->interfaces[i];
    }
    return count;
}

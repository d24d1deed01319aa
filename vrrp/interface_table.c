#include "vrrp/interface_table.h"

#include <stdlib.h>
#include <string.h>

void interface_table_free(struct interface_table *table)
{
    free(table->interfaces);
    free(table->addresses);
    *table = (struct interface_table){0};
}

/* Room for one more: arrays grow by doubling, whenever the count is a power of two. */
static void *grow(void *items, size_t count, size_t item_size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    return realloc(items, (count ? 2 * count : 1) * item_size);
}

bool interface_table_add_interface(struct interface_table *table,
                                   const struct interface *interface)
{
    if (table->interface_count >= INTERFACE_TABLE_MAXIMUM_INTERFACES)
        return false;
    struct interface *grown =
        grow(table->interfaces, table->interface_count, sizeof(*interface));
    if (!grown)
        return false;
    table->interfaces = grown;
    table->interfaces[table->interface_count++] = *interface;
    return true;
}

bool interface_table_add_address(struct interface_table *table,
                                 const struct interface_address *address)
{
    if (table->address_count >= INTERFACE_TABLE_MAXIMUM_ADDRESSES)
        return false;
    struct interface_address *grown =
        grow(table->addresses, table->address_count, sizeof(*address));
    if (!grown)
        return false;
    table->addresses = grown;
    table->addresses[table->address_count++] = *address;
    return true;
}

void interface_table_mark_virtual(struct interface_table *table,
                                  const struct ip_address *address)
{
    for (size_t i = 0; i < table->address_count; i++) {
        if (ip_address_equal(&table->addresses[i].address, address))
            table->addresses[i].is_virtual = true;
    }
}

const struct interface *interface_table_by_name(const struct interface_table *table,
                                                const char *name)
{
    for (size_t i = 0; i < table->interface_count; i++) {
        if (strcmp(table->interfaces[i].name, name) == 0)
            return &table->interfaces[i];
    }
    return NULL;
}

const struct interface *interface_table_by_index(const struct interface_table *table,
                                                 unsigned index)
{
    for (size_t i = 0; i < table->interface_count; i++) {
        if (table->interfaces[i].index == index)
            return &table->interfaces[i];
    }
    return NULL;
}

bool interface_table_has_permanent(const struct interface_table *table,
                                   const struct ip_address *address)
{
    for (size_t i = 0; i < table->address_count; i++) {
        const struct interface_address *candidate = &table->addresses[i];
        if (candidate->permanent && ip_address_equal(&candidate->address, address))
            return true;
    }
    return false;
}

static bool subnet_contains(const struct interface_address *own,
                            const struct ip_address *address)
{
    struct ip_prefix subnet = {own->address, own->prefix_length};
    size_t size = ip_address_size(&own->address);
    for (size_t i = 0; i < size; i++) {
        unsigned kept = own->prefix_length > 8 * i ? own->prefix_length - 8 * (unsigned)i : 0;
        if (kept < 8)
            subnet.address.bytes[i] &= (uint8_t)(0xff00 >> kept);
    }
    return own->address.family == address->family && ip_prefix_contains(&subnet, address);
}

const struct interface *interface_table_toward(const struct interface_table *table,
                                               const struct ip_address *address)
{
    const struct interface_address *best = NULL;
    if (address->family == 6 && ip_address_is_link_local(address))
        return NULL; /* every interface has that subnet */
    for (size_t i = 0; i < table->address_count; i++) {
        const struct interface_address *own = &table->addresses[i];
        if (!own->is_virtual && subnet_contains(own, address) &&
            (!best || own->prefix_length > best->prefix_length))
            best = own;
    }
    return best ? interface_table_by_index(table, best->index) : NULL;
}

const struct interface *interface_table_with(const struct interface_table *table,
                                             const struct ip_address *address)
{
    for (size_t i = 0; i < table->address_count; i++) {
        const struct interface_address *own = &table->addresses[i];
        if (own->usable && !own->is_virtual && ip_address_equal(&own->address, address))
            return interface_table_by_index(table, own->index);
    }
    return NULL;
}

struct ip_address interface_table_source(const struct interface_table *table,
                                         unsigned index,
                                         uint8_t family,
                                         const struct ip_address *toward)
{
    struct ip_address first = {0};
    for (size_t i = 0; i < table->address_count; i++) {
        const struct interface_address *own = &table->addresses[i];
        if (own->index != index || own->is_virtual || !own->usable ||
            own->address.family != family)
            continue;
        if (family == 6 && !ip_address_is_link_local(&own->address))
            continue;
        if (toward && subnet_contains(own, toward))
            return own->address;
        if (first.family == 0)
            first = own->address;
    }
    return first;
}

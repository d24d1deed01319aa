#include "replication/source_table.h"

/* Where ADDRESS is, or would be. */
static struct source_slot *slot_of(struct source_table *table, const struct ip_address *address)
{
    size_t at = siphash(table->key, address->bytes, sizeof(address->bytes)) % SOURCE_SLOTS;
    while (table->slots[at].address.family != 0 &&
           !ip_address_equal(&table->slots[at].address, address))
        at = (at + 1) % SOURCE_SLOTS;
    return &table->slots[at];
}

bool source_table_allow(struct source_table *table, const struct ip_address *address, int place)
{
    struct source_slot *slot = slot_of(table, address);
    if (slot->address.family == 0) {
        if (table->count == SOURCES || address->family == 0)
            return false;
        table->count++;
        *slot = (struct source_slot){*address, session_source_new()};
    }
    slot->source.places |= 1ull << place;
    return true;
}

struct session_source *source_table_find(struct source_table *table,
                                         const struct ip_address *address)
{
    struct source_slot *slot = slot_of(table, address);
    return slot->address.family != 0 ? &slot->source : NULL;
}

void source_table_inherit(struct source_table *table, struct source_table *before)
{
    for (size_t i = 0; i < SOURCE_SLOTS; i++) {
        struct source_slot *slot = &table->slots[i];
        struct session_source *old =
            slot->address.family != 0 ? source_table_find(before, &slot->address) : NULL;
        if (old)
            slot->source.budget = old->budget;
    }
}

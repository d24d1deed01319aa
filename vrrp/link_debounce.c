#include "vrrp/link_debounce.h"

#include <stdlib.h>

void link_debounce_free(struct link_debounce *debounce)
{
    free(debounce->links);
    debounce->links = NULL;
    debounce->count = 0;
}

static const struct link_state *find(const struct link_debounce *debounce, unsigned index)
{
    for (size_t i = 0; i < debounce->count; i++) {
        if (debounce->links[i].index == index)
            return &debounce->links[i];
    }
    return NULL;
}

static uint64_t hold_us(const struct link_state *link)
{
    uint64_t hold = LINK_HOLD_US;
    for (unsigned i = 1; i < link->losses && hold < LINK_HOLD_MAXIMUM_US; i++)
        hold *= 2;
    return hold < LINK_HOLD_MAXIMUM_US ? hold : LINK_HOLD_MAXIMUM_US;
}

static struct link_state
follow(const struct link_state *before, const struct interface *interface, uint64_t now_us)
{
    struct link_state link = {.index = interface->index, .up = interface->up};
    if (!before)
        return link;
    link.losses = before->losses;
    link.lost_us = before->lost_us;
    link.back_us = before->back_us;
    if (before->up && !interface->up) {
        link.losses = now_us - before->lost_us < LINK_MEMORY_US ? before->losses + 1 : 1;
        link.lost_us = now_us;
    }
    if (!interface->up)
        link.back_us = 0;
    else if (!before->up)
        link.back_us = now_us;
    return link;
}

uint64_t link_debounce_apply(struct link_debounce *debounce,
                             struct interface_table *table,
                             uint64_t now_us)
{
    uint64_t due_us = UINT64_MAX;
    struct link_state *links = calloc(table->interface_count + 1, sizeof(*links));
    if (!links)
        return due_us; /* as they are */
    for (size_t i = 0; i < table->interface_count; i++) {
        struct interface *interface = &table->interfaces[i];
        links[i] = follow(find(debounce, interface->index), interface, now_us);
        if (!links[i].back_us)
            continue;
        uint64_t end_us = links[i].back_us + hold_us(&links[i]);
        interface->settling = now_us < end_us && !debounce->is_off;
        if (interface->settling)
            interface->up = false;
        else
            links[i].back_us = 0;
        if (interface->settling && end_us < due_us)
            due_us = end_us;
    }
    free(debounce->links);
    debounce->links = links;
    debounce->count = table->interface_count;
    return due_us;
}

/* Which virtual router ids are in use on the links of this host, so that a new group can have
 * one that is free, and a stranger that uses ours is known by its address. */
#ifndef VRRP_VRID_WATCH_H
#define VRRP_VRID_WATCH_H

#include "vrrp/interface_table.h"

enum {
    VRID_WATCH_AGAIN_US = 5000000, /* the same is told so often */
    VRID_WATCH_GAP_US = 1000000,   /* another one with the same id, so soon at the earliest */
    VRID_WATCH_INTERFACES = 16,    /* are listened to without having a group */
};

struct vrid_watch {
    uint64_t told_us[256];
    struct ip_address told[256]; /* sender; family 0: nobody yet */
};

/* A packet for VRID came from SOURCE. True: it should be told. */
bool vrid_watch_note(struct vrid_watch *watch,
                     uint8_t vrid,
                     const struct ip_address *source,
                     uint64_t now_us);
/* Those to listen to: up, Ethernet, with an address of their own; the first few. How many. In
 * one pass: a host may have a thousand links, and the election waits for it. */
size_t vrid_watch_choose(const struct interface_table *table,
                         const struct interface *out[VRID_WATCH_INTERFACES]);

#endif

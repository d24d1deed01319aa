/* Tells when the kernel's interfaces or addresses change (rtnetlink notifications). */
#ifndef VRRP_ADDRESS_WATCH_H
#define VRRP_ADDRESS_WATCH_H

#include "lbnode/base/ip_address.h"
#include "lbnode/loop/loop.h"

struct address_watch_handler {
    /* Called before the callbacks of one burst. */
    void (*on_wake)(void *context);
    void (*on_address_gone)(void *context,
                            unsigned interface_index,
                            const struct ip_address *address);
    /* ADDRESS appeared, or its lifetime changed; not called for those of lbnode (VIP_PROTOCOL).
     */
    void (*on_address)(void *context,
                       unsigned interface_index,
                       const struct ip_address *address);
    void (*on_link)(void *context);
    /* Notifications were lost: everything may have changed. */
    void (*on_lost)(void *context);
    void *context;
};

struct address_watch;

/* 0 or -errno. */
int address_watch_open(struct loop *loop,
                       const struct address_watch_handler *handler,
                       struct address_watch **out);
void address_watch_close(struct address_watch *watch); /* NULL-safe */

#endif

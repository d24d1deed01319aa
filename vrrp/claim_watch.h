/* Who else says that a virtual address is his: ARP with it as sender, neighbour advertisements
 * with it as target, from any interface. A filter in the kernel lets nothing else through. */
#ifndef VRRP_CLAIM_WATCH_H
#define VRRP_CLAIM_WATCH_H

#include "lbnode/base/bytes.h"
#include "lbnode/loop/loop.h"
#include "vrrp/arp.h"

struct claim_watch;

struct claim_watch_handler {
    /* MAC claims ADDRESS on the interface. */
    void (*on_claim)(void *context,
                     unsigned interface_index,
                     const struct ip_address *address,
                     const uint8_t mac[MAC_SIZE]);
    void *context;
};

/* What FRAME, an Ethernet frame of an ARP or neighbour message, claims. False: nothing, or it
 * is malformed. */
bool claim_read(struct bytes frame, struct ip_address *out_address, uint8_t out_mac[MAC_SIZE]);

/* For one family. 0 or -errno. */
int claim_watch_open(struct loop *loop,
                     uint8_t family,
                     const struct claim_watch_handler *handler,
                     struct claim_watch **out);
void claim_watch_close(struct claim_watch *watch); /* NULL-safe */
/* The addresses to watch, all of the watch's family. 0 or -errno. */
int claim_watch_set(struct claim_watch *watch,
                    const struct ip_address *addresses,
                    size_t count);

#endif

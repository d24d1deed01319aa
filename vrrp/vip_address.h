/* Virtual addresses in the kernel, by rtnetlink. An address is added with a lifetime that the
 * living process renews, so that the kernel drops it by itself when nobody renews it any more
 * (lifetimes are whole seconds). */
#ifndef VRRP_VIP_ADDRESS_H
#define VRRP_VIP_ADDRESS_H

#include "lbnode/base/ip_address.h"

#include <stddef.h>

enum {
    VIP_LIFETIME_S = 2,
    VIP_RENEWAL_US = 500000,
    /* The address protocol (IFA_PROTO, kernel 5.18) by which lbnode's addresses are known. */
    VIP_PROTOCOL = 0x4c,
};

/* One wish and what came of it. */
struct vip_change {
    struct ip_address address;
    unsigned interface_index;
    bool present; /* add or renew; false: remove */
    int result;   /* 0 or -errno; removing what is not there is 0 */
};

struct vip_netlink;

/* 0 or -errno. */
int vip_netlink_open(struct vip_netlink **out);
void vip_netlink_close(struct vip_netlink *netlink); /* NULL-safe */
/* Applies the changes in few batches and waits for the kernel's answers (which it gives during
 * the call). */
void vip_netlink_apply(struct vip_netlink *netlink, struct vip_change *changes, size_t count);
/* Does the kernel deliver packets for ADDRESS here? It answers yes to a new IPv6 address some
 * time before it does, since a worker of its own makes the route. True when in doubt. */
bool vip_address_is_local(const struct ip_address *address);
/* 32 or 128: a virtual address never makes a subnet of its own. */
uint8_t vip_prefix_length(const struct ip_address *address);

#endif

/* For a second after a planned switch this node gets segments of connections that the old owner
 * knows and this one does not. The guard keeps the kernel from resetting them and hands them on
 * to the old owner, which still has the addresses and answers the client directly. */
#ifndef VRRP_SWITCH_GUARD_H
#define VRRP_SWITCH_GUARD_H

#include "lbnode/loop/loop.h"
#include "vrrp/arp.h"

struct switch_guard;

struct switch_guard_settings {
    struct loop *loop;
    unsigned interface_index;
    uint8_t mac[MAC_SIZE]; /* of the interface */
    uint8_t family;
    struct ip_address old_owner;        /* on the same link */
    const struct ip_address *addresses; /* virtual ones on that interface; copied */
    size_t address_count;
};

/* 0 or -errno; without the guard a switch works, but resets some connections. */
int switch_guard_open(const struct switch_guard_settings *settings, struct switch_guard **out);
/* Hands nothing on any more; closing it takes longer and may wait. NULL-safe. */
void switch_guard_pause(struct switch_guard *guard);
void switch_guard_close(struct switch_guard *guard); /* NULL-safe */

#endif

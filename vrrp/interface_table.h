/* The interfaces of this host and their addresses, and which of them can carry what. The table
 * is filled by interface_table_load (netlink); everything else is pure. */
#ifndef VRRP_INTERFACE_TABLE_H
#define VRRP_INTERFACE_TABLE_H

#include "lbnode/base/ip_address.h"
#include "vrrp/arp.h"

#include <net/if.h>
#include <stddef.h>

enum {
    INTERFACE_TABLE_MAXIMUM_INTERFACES = 1024,
    INTERFACE_TABLE_MAXIMUM_ADDRESSES = 16384,
};

struct interface {
    unsigned index;
    char name[IFNAMSIZ];
    uint8_t mac[MAC_SIZE];
    bool has_mac;  /* Ethernet: neighbours can be told */
    bool up;       /* set up and with carrier */
    bool settling; /* not yet up because it has just come back (link_debounce.h) */
    bool loopback;
};

struct interface_address {
    unsigned index;
    struct ip_address address;
    uint8_t prefix_length;
    bool permanent; /* without lifetime: not one of ours */
    bool usable;    /* not tentative or failed */
    bool is_virtual;
};

struct interface_table {
    struct interface *interfaces;
    size_t interface_count;
    struct interface_address *addresses;
    size_t address_count;
};

/* Replaces what TABLE held (zeroed at first). 0 or -errno, TABLE is unchanged then. */
int interface_table_load(struct interface_table *table);
void interface_table_free(struct interface_table *table);

/* False when the bound is reached or memory is out. */
bool interface_table_add_interface(struct interface_table *table,
                                   const struct interface *interface);
bool interface_table_add_address(struct interface_table *table,
                                 const struct interface_address *address);
/* ADDRESS is a virtual one: never a source, and no proof of a subnet. */
void interface_table_mark_virtual(struct interface_table *table,
                                  const struct ip_address *address);

const struct interface *interface_table_by_name(const struct interface_table *table,
                                                const char *name);
const struct interface *interface_table_by_index(const struct interface_table *table,
                                                 unsigned index);
/* Is ADDRESS on this host for good, put there by somebody else? */
bool interface_table_has_permanent(const struct interface_table *table,
                                   const struct ip_address *address);
/* The interface whose subnet contains ADDRESS (the longest prefix wins), or NULL. */
const struct interface *interface_table_toward(const struct interface_table *table,
                                               const struct ip_address *address);
/* The interface that has ADDRESS ready for use as a source, or NULL. */
const struct interface *interface_table_with(const struct interface_table *table,
                                             const struct ip_address *address);
/* Our address for adverts on interface INDEX: IPv4, in the subnet of TOWARD if there is one;
 * IPv6, the link-local one. Family 0: none. */
struct ip_address interface_table_source(const struct interface_table *table,
                                         unsigned index,
                                         uint8_t family,
                                         const struct ip_address *toward);

#endif

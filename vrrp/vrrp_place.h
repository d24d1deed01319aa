/* Where a virtual router lives on this host: which interface carries its adverts and each of
 * its addresses, and why it cannot serve if it cannot. Pure. */
#ifndef VRRP_VRRP_PLACE_H
#define VRRP_VRRP_PLACE_H

#include "lbnode/model/hindrance.h"
#include "vrrp/interface_table.h"
#include "vrrp/vrrp_config.h"

enum {
    VRRP_REASON_SIZE = 96
};

struct vrrp_place {
    const struct interface *interface; /* for adverts; NULL: none, see reason */
    struct ip_address own_address;     /* source of adverts */
    enum event_code fault;             /* which event tells about REASON */
    enum hindrance hindrance;          /* its kind */
    char reason[VRRP_REASON_SIZE];     /* why this node cannot serve, or "" */
};

/* The link-local address that belongs to every IPv6 virtual router, as the first one
 * (RFC 9568 5.2.9): made from the virtual router MAC 00:00:5e:00:02:VRID. */
struct ip_address vrrp_link_local(uint8_t vrid);

/* The interface for ADDRESS of GROUP: the group's; else the one whose subnet contains the
 * address; else the one towards the peers. NULL: none. */
const struct interface *vrrp_place_address(const struct vrrp_config *config,
                                           const struct message_vrrp_group *group,
                                           const struct interface_table *table,
                                           const struct ip_address *address);

/* For GROUP in FAMILY, of which ADDRESS is the first address. */
struct vrrp_place vrrp_place_router(const struct vrrp_config *config,
                                    const struct message_vrrp_group *group,
                                    const struct interface_table *table,
                                    const struct ip_address *address);

/* How much later than the others this node may take over, so that nodes of equal priority do
 * not do it at once: an eighth of the advert interval for each peer whose address wins a tie
 * against ours, at most one interval. */
uint32_t vrrp_place_tie_delay_us(const struct vrrp_config *config,
                                 const struct interface_table *table,
                                 uint32_t advert_interval_us);

#endif

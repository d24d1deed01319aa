/* What a virtual router does to the outside: adverts, announcements, addresses. */
#ifndef VRRP_VRRP_ROUTER_IO_H
#define VRRP_VRRP_ROUTER_IO_H

#include "vrrp/vrrp_router.h"

/* To every peer, with PRIORITY. */
void vrrp_router_send_advert(struct vrrp_router *router,
                             struct vrrp_host *host,
                             uint8_t priority,
                             const struct ip_address *only);
/* A regular advert to all but the node of ASKED, as far as that can be told apart: multicast
 * reaches it too, before what is said to it next. */
void vrrp_router_reassure(struct vrrp_router *router,
                          struct vrrp_host *host,
                          const struct ip_address *asked);
/* A gratuitous ARP or an unsolicited NA for each address. */
void vrrp_router_announce(const struct vrrp_router *router, struct vrrp_host *host);
/* Asks for the link address of each IPv4 peer, which learns ours by that. */
void vrrp_router_greet(const struct vrrp_router *router, struct vrrp_host *host);
/* The interface lost its link. The kernel forgot the peers' link addresses with that and queues
 * what we send until they are resolved again: adverts of now would arrive when the link is
 * back, from a node that is no longer active. */
void vrrp_router_discard_queued(const struct vrrp_router *router,
                                struct vrrp_host *host,
                                unsigned interface_index);
/* We are about to take over from a node that gave up in order: its connections are guarded
 * until UNTIL_US. */
void vrrp_router_guard(struct vrrp_router *router, struct vrrp_host *host, uint64_t until_us);
void vrrp_router_end_guard(struct vrrp_router *router);
/* Adds and renews all addresses; tells the supervisor and reports failures once. */
void vrrp_router_add_addresses(struct vrrp_router *router, struct vrrp_host *host);
/* Removes those that are ours: all, or (only MISPLACED) those not where they belong. */
void vrrp_router_remove_addresses(struct vrrp_router *router,
                                  struct vrrp_host *host,
                                  bool misplaced);
/* The host's socket for the interface and family, opened at need; NULL with OUT_ERROR. */
struct vrrp_socket *vrrp_host_socket(struct vrrp_host *host,
                                     const struct interface *interface,
                                     uint8_t family,
                                     int *out_error);

#endif

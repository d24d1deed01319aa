/* One virtual router at work: its machine, its addresses, and the carrying out of what the
 * machine decides. Owned by the driver; `struct vrrp_host` holds what all routers share. */
#ifndef VRRP_VRRP_ROUTER_H
#define VRRP_VRRP_ROUTER_H

#include "vrrp/advert_image.h"
#include "vrrp/announce_schedule.h"
#include "vrrp/family_bond.h"
#include "vrrp/gateway_check.h"
#include "vrrp/hindrance_list.h"
#include "vrrp/switch_guard.h"
#include "vrrp/vip_address.h"
#include "vrrp/vouch_table.h"
#include "vrrp/vrrp_config.h"
#include "vrrp/vrrp_machine.h"
#include "vrrp/vrrp_place.h"
#include "vrrp/vrrp_report.h"
#include "vrrp/vrrp_socket.h"

struct vrrp_host {
    struct loop *loop;
    struct vrrp_report report;
    struct vrrp_config config;
    struct vouch_table vouched;
    struct stranger_table foreign; /* well-formed, but nobody vouches for them */
    struct interface_table table;
    struct vip_netlink *netlink;
    int frame_fd; /* or -1 */
    struct vrrp_socket *sockets;
    struct vrrp_socket_handler socket_handler;
    bool privileged;
    bool stopping; /* in order: the node takes nothing over any more, and says so */
    bool eligibility_known, eligible; /* as the supervisor says */
    char ineligible_reason[VRRP_REASON_SIZE];
    struct hindrance_list hindrances; /* what else speaks against being active */
    struct gateway_check gateways;
    uint64_t guard_end_us; /* the next guard may end then */
};

struct vrrp_vip {
    struct ip_address address;
    unsigned interface_index; /* where it belongs; 0: nowhere */
    unsigned owned_index;     /* where we put it; 0: not there */
    bool left_alone;          /* this host has it for good by somebody else's hand */
    int error;                /* of the last attempt to add it, reported once */
    uint64_t replaced_us;     /* when we last put it back */
};

struct vrrp_router {
    struct vrrp_router *next;
    struct message_vrrp_group group;
    uint8_t family;
    bool passive; /* every address is left alone: nothing to elect */
    struct vrrp_vip *vips;
    size_t vip_count;
    struct advert_image advert; /* of those that are not left alone */
    struct vrrp_machine machine;
    struct vrrp_router *sibling; /* of the group's other family (families.h), or NULL */
    struct family_bond bond;     /* IPv6 */
    struct announce_schedule announcements;
    /* IPv6: announcements wait until the kernel delivers what they attract; 0: it does. */
    uint64_t usable_by_us, usable_check_us;
    struct ip_address known_active; /* whose link address was asked for, and when */
    uint64_t known_active_us;
    struct switch_guard *guard; /* NULL: none now */
    uint64_t guard_until_us;
    uint64_t claim_answered_us;
    uint64_t greet_due_us;                     /* while it listens */
    uint64_t unheard_until_us, yield_until_us; /* 0: no such evidence (router_evidence.h) */
    uint64_t reannounced_us;
    bool offers_again; /* it was told already that who is asked does not take this over */
    char rival[64];    /* to whom it yields */
    uint32_t demoted_count;
    struct vrrp_socket *socket; /* one of the host's; NULL while there is none */
    char interface[IFNAMSIZ];
    enum hindrance hindrance; /* why it should not be active here */
    char reason[VRRP_REASON_SIZE];
    uint64_t since_wall_ms;
    uint64_t adverts_sent, adverts_received, adverts_dropped, adverts_foreign;
};

/* NULL when out of memory. RESUME may be NULL. Follow with vrrp_router_configure. */
struct vrrp_router *vrrp_router_new(const struct message_vrrp_group *group, uint8_t family);
void vrrp_router_free(struct vrrp_router *router); /* does not resign */

/* Takes the addresses and settings from the host's configuration; what is the same is left
 * undisturbed. False when out of memory. */
bool vrrp_router_configure(struct vrrp_router *router,
                           struct vrrp_host *host,
                           const struct message_vrrp_group *group,
                           uint64_t now_us);
/* Looks again where the router lives and whether it may serve (interfaces, addresses or
 * eligibility changed). */
void vrrp_router_evaluate(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us);
void vrrp_router_step(struct vrrp_router *router,
                      struct vrrp_host *host,
                      const struct vrrp_event *event,
                      uint64_t now_us);
/* Timer and announcements, as far as they are due. */
void vrrp_router_run_due(struct vrrp_router *router, struct vrrp_host *host, uint64_t now_us);
uint64_t vrrp_router_due_us(const struct vrrp_router *router);
/* Renews the lifetime of the addresses, adds what is missing. */
void vrrp_router_renew(struct vrrp_router *router, struct vrrp_host *host);
/* Somebody removed ADDRESS from an interface. True when it was ours. */
bool vrrp_router_address_gone(struct vrrp_router *router,
                              struct vrrp_host *host,
                              unsigned interface_index,
                              const struct ip_address *address,
                              uint64_t now_us);
/* Somebody else may have had the addresses: an active router tells its neighbours again. */
void vrrp_router_announce_again(struct vrrp_router *router,
                                struct vrrp_host *host,
                                uint64_t now_us);
/* MAC, which is not ours, claims ADDRESS on an interface: while active we name it and announce
 * again, at most once a second. */
void vrrp_router_claimed(struct vrrp_router *router,
                         struct vrrp_host *host,
                         unsigned interface_index,
                         const struct ip_address *address,
                         const uint8_t mac[MAC_SIZE]);
bool vrrp_router_has_address(const struct vrrp_router *router,
                             const struct ip_address *address);
/* A backup keeps the link address of the active node at hand, for the guard of a planned
 * switch: IPv6 adverts by multicast teach the kernel none. */
void vrrp_router_know_active(struct vrrp_router *router, uint64_t now_us);
void vrrp_router_send_status(struct vrrp_router *router, struct vrrp_host *host);

#endif

/* The election's configuration as one whole, put together from the supervisor's messages; pure.
 * Bounded: what does not fit is refused as a whole set. */
#ifndef VRRP_VRRP_CONFIG_H
#define VRRP_VRRP_CONFIG_H

#include "lbnode/model/message.h"

enum {
    VRRP_CONFIG_MAXIMUM_GROUPS = 255,
    VRRP_CONFIG_MAXIMUM_NODES = 64, /* as many active ones as a roster has */
    VRRP_CONFIG_MAXIMUM_PEERS = 2 * VRRP_CONFIG_MAXIMUM_NODES, /* an address of each family */
    VRRP_CONFIG_MAXIMUM_ADDRESSES = 4096,
};

struct vrrp_config {
    uint64_t generation;
    bool drained;                  /* this node serves only while nobody else does */
    struct ip_address own_address; /* IPv4, as the roster knows this node; family 0: unknown */
    struct message_vrrp_group *groups;
    size_t group_count;
    struct message_vrrp_peer *peers;
    size_t peer_count;
    struct message_vrrp_address *addresses;
    size_t address_count;
    bool overflowed; /* a part was refused: the set must not be used */
};

void vrrp_config_free(struct vrrp_config *config); /* leaves it empty */
void vrrp_config_begin(struct vrrp_config *config, const struct message_vrrp_begin *begin);
/* A GROUP, PEER or ADDRESS message. Values outside their range set `overflowed` too. */
void vrrp_config_add(struct vrrp_config *config, const struct message *message);
/* May the set be used? */
bool vrrp_config_is_whole(const struct vrrp_config *config,
                          const struct message_vrrp_commit *commit);
const struct message_vrrp_group *vrrp_config_group(const struct vrrp_config *config,
                                                   const struct uuid *group_id);
/* Is ADDRESS a node of the roster? */
bool vrrp_config_has_peer(const struct vrrp_config *config, const struct ip_address *address);
/* Is ADDRESS a router that GROUP exchanges unicast adverts with, though it is no node? */
bool vrrp_group_has_router(const struct message_vrrp_group *group,
                           const struct ip_address *address);
/* Could anybody want what a drained node offers? Two drained ones would pass it to and fro. */
bool vrrp_config_has_taker(const struct vrrp_config *config);
/* Is there any other router at all? */
bool vrrp_config_is_alone(const struct vrrp_config *config);
/* The first peer with an address of FAMILY, or NULL. */
const struct ip_address *vrrp_config_first_peer(const struct vrrp_config *config,
                                                uint8_t family);

#endif

#include "vrrp/vrrp_config.h"

#include <stdlib.h>
#include <string.h>

void vrrp_config_free(struct vrrp_config *config)
{
    free(config->groups);
    free(config->peers);
    free(config->addresses);
    *config = (struct vrrp_config){0};
}

void vrrp_config_begin(struct vrrp_config *config, const struct message_vrrp_begin *begin)
{
    vrrp_config_free(config);
    config->generation = begin->generation;
    config->drained = begin->drained;
    if (begin->own_address.family == 4)
        config->own_address = begin->own_address;
}

/* Appends ITEM to an array that doubles whenever its count is a power of two; the array or NULL
 * when MAXIMUM is reached or memory is out. */
static void *
append(void *items, size_t *count, size_t maximum, const void *item, size_t item_size)
{
    void *grown = items;
    if (*count >= maximum)
        return NULL;
    if ((*count & (*count - 1)) == 0)
        grown = realloc(items, (*count ? 2 * *count : 1) * item_size);
    if (!grown)
        return NULL;
    memcpy((char *)grown + *count * item_size, item, item_size);
    (*count)++;
    return grown;
}

static bool group_is_sound(const struct message_vrrp_group *group)
{
    return group->vrid != 0 && group->priority != 0 && group->priority != 255 &&
           group->advert_interval_ms >= 10 && group->advert_interval_ms <= 40950 &&
           group->router_count <= VRRP_GROUP_ROUTERS_MAXIMUM &&
           memchr(group->name, 0, sizeof(group->name)) &&
           memchr(group->interface, 0, sizeof(group->interface));
}

static bool address_is_sound(const struct ip_address *address)
{
    return address->family == 4 || address->family == 6;
}

void vrrp_config_add(struct vrrp_config *config, const struct message *message)
{
    void *grown = NULL;
    if (message->type == MESSAGE_VRRP_GROUP) {
        const struct message_vrrp_group *group = (const void *)message;
        if (group_is_sound(group) && !vrrp_config_group(config, &group->group_id))
            grown = append(config->groups, &config->group_count, VRRP_CONFIG_MAXIMUM_GROUPS,
                           group, sizeof(*group));
        config->groups = grown ? grown : config->groups;
    } else if (message->type == MESSAGE_VRRP_PEER) {
        const struct message_vrrp_peer *peer = (const void *)message;
        if (address_is_sound(&peer->address))
            grown = append(config->peers, &config->peer_count, VRRP_CONFIG_MAXIMUM_PEERS, peer,
                           sizeof(*peer));
        config->peers = grown ? grown : config->peers;
    } else if (message->type == MESSAGE_VRRP_ADDRESS) {
        const struct message_vrrp_address *address = (const void *)message;
        if (address_is_sound(&address->address))
            grown = append(config->addresses, &config->address_count,
                           VRRP_CONFIG_MAXIMUM_ADDRESSES, address, sizeof(*address));
        config->addresses = grown ? grown : config->addresses;
    }
    if (!grown)
        config->overflowed = true;
}

bool vrrp_config_is_whole(const struct vrrp_config *config,
                          const struct message_vrrp_commit *commit)
{
    return !config->overflowed && config->generation == commit->generation;
}

const struct message_vrrp_group *vrrp_config_group(const struct vrrp_config *config,
                                                   const struct uuid *group_id)
{
    for (size_t i = 0; i < config->group_count; i++) {
        if (uuid_equal(&config->groups[i].group_id, group_id))
            return &config->groups[i];
    }
    return NULL;
}

bool vrrp_config_has_peer(const struct vrrp_config *config, const struct ip_address *address)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (ip_address_equal(&config->peers[i].address, address))
            return true;
    }
    return false;
}

bool vrrp_group_has_router(const struct message_vrrp_group *group,
                           const struct ip_address *address)
{
    for (size_t i = 0; group->compat && i < group->router_count; i++) {
        if (ip_address_equal(&group->routers[i], address))
            return true;
    }
    return false;
}

static bool has_compat_group(const struct vrrp_config *config)
{
    for (size_t i = 0; i < config->group_count; i++) {
        if (config->groups[i].compat)
            return true;
    }
    return false;
}

bool vrrp_config_has_taker(const struct vrrp_config *config)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (!config->peers[i].drained)
            return true;
    }
    return has_compat_group(config);
}

bool vrrp_config_is_alone(const struct vrrp_config *config)
{
    return config->peer_count == 0 && !has_compat_group(config);
}

const struct ip_address *vrrp_config_first_peer(const struct vrrp_config *config,
                                                uint8_t family)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (config->peers[i].address.family == family)
            return &config->peers[i].address;
    }
    return NULL;
}

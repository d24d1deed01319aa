#include "vrrp/vouch_table.h"

static bool is_sound(const struct message_vrrp_vouched *message)
{
    if (uuid_is_zero(&message->node_id) || message->count > VRRP_SOURCES_MAXIMUM)
        return false;
    for (uint32_t i = 0; i < message->count; i++) {
        if (message->addresses[i].family != 4 && message->addresses[i].family != 6)
            return false;
    }
    return true;
}

static bool is_peer(const struct vrrp_config *config, const struct uuid *node_id)
{
    for (size_t i = 0; i < config->peer_count; i++) {
        if (uuid_equal(&config->peers[i].node_id, node_id))
            return true;
    }
    return false;
}

static const struct message_vrrp_vouched *find(const struct vouch_table *table,
                                               const struct uuid *node_id)
{
    for (size_t i = 0; i < table->count; i++) {
        if (uuid_equal(&table->nodes[i].node_id, node_id))
            return &table->nodes[i];
    }
    return NULL;
}

bool vouch_table_take(struct vouch_table *table,
                      const struct vrrp_config *config,
                      const struct message_vrrp_vouched *message)
{
    size_t place = 0, spare = VRRP_CONFIG_MAXIMUM_NODES;
    if (!is_sound(message))
        return false;
    for (; place < table->count; place++) {
        if (uuid_equal(&table->nodes[place].node_id, &message->node_id))
            break;
        if (!is_peer(config, &table->nodes[place].node_id))
            spare = place;
    }
    if (place == VRRP_CONFIG_MAXIMUM_NODES)
        place = spare;
    if (place == VRRP_CONFIG_MAXIMUM_NODES)
        return false;
    table->nodes[place] = *message;
    if (place == table->count)
        table->count++;
    return true;
}

static bool names(const struct message_vrrp_vouched *node, const struct ip_address *source)
{
    for (uint32_t i = 0; i < node->count; i++) {
        if (ip_address_equal(&node->addresses[i], source))
            return true;
    }
    return false;
}

enum vouch vouch_table_judge(const struct vouch_table *table,
                             const struct vrrp_config *config,
                             const struct ip_address *source,
                             struct uuid *out_node)
{
    enum vouch best = VOUCH_STRANGER;
    for (size_t i = 0; i < config->peer_count; i++) {
        const struct message_vrrp_peer *peer = &config->peers[i];
        const struct message_vrrp_vouched *node = find(table, &peer->node_id);
        bool in_roster = ip_address_equal(&peer->address, source);
        if (node && (in_roster || names(node, source))) {
            if (out_node)
                *out_node = peer->node_id;
            return VOUCH_GOOD;
        }
        if (in_roster)
            best = VOUCH_UNPROVEN;
    }
    return best;
}

struct ip_address vouch_table_link_local(const struct vouch_table *table,
                                         const struct uuid *node_id)
{
    const struct message_vrrp_vouched *node = find(table, node_id);
    for (uint32_t i = 0; node && i < node->count; i++) {
        if (node->addresses[i].family == 6 && ip_address_is_link_local(&node->addresses[i]))
            return node->addresses[i];
    }
    return (struct ip_address){0};
}

const struct message_vrrp_vouched *vouch_table_node(const struct vouch_table *table,
                                                    const struct ip_address *source)
{
    for (size_t i = 0; i < table->count; i++) {
        if (names(&table->nodes[i], source))
            return &table->nodes[i];
    }
    return NULL;
}

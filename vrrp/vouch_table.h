/* Which addresses adverts of other nodes come from, as far as gossip vouches for them; pure.
 * Bounded: as many nodes as a configuration has peers. */
#ifndef VRRP_VOUCH_TABLE_H
#define VRRP_VOUCH_TABLE_H

#include "vrrp/vrrp_config.h"

/* All zero: nobody is vouched for. */
struct vouch_table {
    struct message_vrrp_vouched nodes[VRRP_CONFIG_MAXIMUM_NODES];
    size_t count;
};

enum vouch {
    VOUCH_STRANGER, /* no node of the roster has the address */
    VOUCH_UNPROVEN, /* the roster names it, but no session with that node was ever live */
    VOUCH_GOOD,
};

/* Replaces what was known of the message's node. Nodes that CONFIG does not name make room for
 * new ones. False when the message is out of range or there is no room. */
bool vouch_table_take(struct vouch_table *table,
                      const struct vrrp_config *config,
                      const struct message_vrrp_vouched *message);
/* What to think of an advert from SOURCE. Who is not in the roster of CONFIG is not vouched
 * for, whatever was said before. OUT_NODE (may be NULL) is the node when GOOD. */
enum vouch vouch_table_judge(const struct vouch_table *table,
                             const struct vrrp_config *config,
                             const struct ip_address *source,
                             struct uuid *out_node);
/* Who named SOURCE as one of its sources, or NULL. */
const struct message_vrrp_vouched *vouch_table_node(const struct vouch_table *table,
                                                    const struct ip_address *source);
/* The link-local address of NODE_ID that is vouched for, the first one; family 0: none. */
struct ip_address vouch_table_link_local(const struct vouch_table *table,
                                         const struct uuid *node_id);

#endif

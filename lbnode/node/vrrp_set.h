/* The election's configuration as messages, from the effective configuration: pure. */
#ifndef LBNODE_NODE_VRRP_SET_H
#define LBNODE_NODE_VRRP_SET_H

#include "lbnode/model/configuration.h"
#include "lbnode/node/message_list.h"

enum {
    VRRP_DEFAULT_PRIORITY = 100
};

struct vrrp_set_node {
    const struct uuid *id;
    const char *name;
    const char *interface; /* for groups that name none; may be "" */
    bool removed;          /* a peer said so, whatever the configuration says */
};

/* BEGIN; a GROUP and its ADDRESSes for each enabled group with virtual addresses of enabled
 * load balancers (loopback addresses are nobody's to elect); a PEER for each address of another
 * active node; COMMIT. A node that was removed gets no groups. False when out of memory or
 * beyond the bound. */
bool vrrp_set_build(const struct configuration *configuration,
                    const struct vrrp_set_node *own,
                    struct message_list *out);

#endif

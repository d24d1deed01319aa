/* What the kernel throws away of the datagrams to the gossip port before they cost a place in
 * the queue or a wake-up: whatever has neither the form of a session's message nor that of a
 * signed packet of this cluster to this node, and what comes from an address that is not in the
 * roster. It only spares work: what passes is checked as if there were no filter.
 *
 * A classic BPF program (socket(7), SO_ATTACH_FILTER), which needs no privilege. Pure but for
 * gossip_filter_attach. */
#ifndef REPLICATION_GOSSIP_FILTER_H
#define REPLICATION_GOSSIP_FILTER_H

#include "lbnode/base/ip_address.h"
#include "lbnode/base/uuid.h"

#include <linux/filter.h>

enum {
    GOSSIP_FILTER_SOURCES = 384, /* addresses: with more of them all may speak */
    GOSSIP_FILTER_MAXIMUM = BPF_MAXINSNS
};

struct gossip_filter_rules {
    struct uuid cluster_id, node_id;
    bool strangers_sign; /* packets of protocol 1 may come from everywhere */
    const struct ip_address *sources;
    size_t source_count;
};

struct gossip_filter {
    struct sock_filter code[GOSSIP_FILTER_MAXIMUM];
    uint16_t size;
};

void gossip_filter_build(const struct gossip_filter_rules *rules, struct gossip_filter *out);
/* Replaces the filter of the UDP socket. 0 or -errno: then there is none. */
int gossip_filter_attach(int fd, const struct gossip_filter_rules *rules);

#endif

/* The TCP flows that began on this node since a switch, bounded; pure. Flows are told apart by
 * a hash of 64 bits. */
#ifndef VRRP_FLOW_SET_H
#define VRRP_FLOW_SET_H

#include "lbnode/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FLOW_SET_SLOTS = 32768, /* a power of two */
    FLOW_SET_MAXIMUM = FLOW_SET_SLOTS / 4 * 3,
};

/* All zero: empty. */
struct flow_set {
    uint64_t slots[FLOW_SET_SLOTS];
    uint32_t count;
};

enum flow_verdict {
    FLOW_OURS,    /* began here, or nothing that can be told */
    FLOW_FOREIGN, /* began before the switch: the old owner knows it */
};

/* FRAME is an Ethernet frame with TCP in IPv4 or IPv6 (without extension headers). Notes flows
 * that begin. When the set is full, all are ours: they are left to the kernel. */
enum flow_verdict flow_set_judge(struct flow_set *set, struct bytes frame);

#endif

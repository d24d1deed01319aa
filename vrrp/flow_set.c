#include "vrrp/flow_set.h"

#include <stddef.h>
#include <string.h>

enum {
    ETHERNET = 14,
    FLAG_SYN = 0x02,
    FLAG_ACK = 0x10,
};

struct flow {
    uint8_t addresses[32]; /* source, destination */
    uint8_t ports[4];
};

static bool read_flow(struct bytes frame, struct flow *out, uint8_t *out_flags)
{
    const uint8_t *ip = frame.data + ETHERNET;
    memset(out, 0, sizeof(*out));
    if (frame.size < ETHERNET + 20)
        return false;
    bool sixth = load_be16(frame.data + 12) == 0x86dd;
    size_t header = sixth ? 40 : 4 * (size_t)(ip[0] & 15);
    if (frame.size < ETHERNET + header + 20)
        return false;
    memcpy(out->addresses, ip + (sixth ? 8 : 12), sixth ? 32 : 8);
    memcpy(out->ports, ip + header, 4);
    *out_flags = ip[header + 13];
    return true;
}

/* The slot of HASH, or the empty one where it would be. */
static uint64_t *find(struct flow_set *set, uint64_t hash)
{
    size_t at = hash & (FLOW_SET_SLOTS - 1);
    while (set->slots[at] != 0 && set->slots[at] != hash)
        at = (at + 1) & (FLOW_SET_SLOTS - 1);
    return &set->slots[at];
}

enum flow_verdict flow_set_judge(struct flow_set *set, struct bytes frame)
{
    struct flow flow;
    uint8_t flags;
    if (!read_flow(frame, &flow, &flags))
        return FLOW_OURS;
    uint64_t hash = bytes_hash(&flow, sizeof(flow), 0) | 1;
    uint64_t *slot = find(set, hash);
    if ((flags & (FLAG_SYN | FLAG_ACK)) == FLAG_SYN) {
        if (*slot == 0 && set->count < FLOW_SET_MAXIMUM) {
            *slot = hash;
            set->count++;
        }
        return FLOW_OURS;
    }
    return *slot == hash || set->count == FLOW_SET_MAXIMUM ? FLOW_OURS : FLOW_FOREIGN;
}

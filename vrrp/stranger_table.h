/* Which routers of another kind speak on our VRIDs, pure: keepalived at its defaults (version
 * 2), CARP, and whoever sends what is no good advert. Each is told when it appears and once an
 * hour while it goes on, however much it sends. Bounded: the one that has been silent longest
 * makes room, and many new ones are told no faster than a trickle. */
#ifndef VRRP_STRANGER_TABLE_H
#define VRRP_STRANGER_TABLE_H

#include "vrrp/vrrp_packet.h"

enum {
    STRANGER_TABLE_SIZE = 32,
    /* Told at once, if so many were not told lately; further ones one by one. */
    STRANGER_TABLE_BURST = 8,
    STRANGER_TEXT_SIZE = 200,
};

#define STRANGER_TABLE_PACE_US  UINT64_C(10000000)
#define STRANGER_TABLE_AGAIN_US UINT64_C(3600000000)

struct stranger {
    struct ip_address source; /* family 0: a free place */
    uint8_t vrid;
    enum vrrp_verdict verdict;
    uint64_t count; /* of packets */
    uint64_t last_us;
    uint64_t told_us;
    bool told;
};

/* All zero: nobody was heard yet. */
struct stranger_table {
    struct stranger places[STRANGER_TABLE_SIZE];
    uint64_t credit_us; /* of telling: grows with time up to the burst */
    uint64_t last_us;
    bool started;
};

/* A packet of VERDICT came (VRRP_VERDICT_OK: good, but not from whom we follow). The entry of
 * its sender when people should be told now, NULL when they know. */
const struct stranger *stranger_table_note(struct stranger_table *table,
                                           const struct ip_address *source,
                                           uint8_t vrid,
                                           enum vrrp_verdict verdict,
                                           uint64_t now_us);

/* One sentence: who speaks what on which VRID from where, and what of it. MESSAGE: the packet
 * after its IP header. */
void stranger_describe(const struct stranger *stranger,
                       struct bytes message,
                       char out[STRANGER_TEXT_SIZE]);

#endif

/* The last verdict of each peer about each member: what health gets of them and what admin
 * shows. Bounded: the active nodes of a roster times the slots of members. No clock: times are
 * the caller's, monotonic ms. */
#ifndef LBNODE_NODE_PEER_VERDICTS_H
#define LBNODE_NODE_PEER_VERDICTS_H

#include "lbnode/model/verdict_board.h"
#include "replication/replication.h"

enum {
    PEER_VERDICTS_PEERS = 64
};

struct peer_verdict {
    uint32_t incarnation; /* 0: none */
    uint8_t state;        /* enum verdict_state */
    uint8_t reason;       /* enum verdict_reason, or one that this version does not know */
    bool rare;            /* the peer probes it at a lower rate than the monitor's delay */
    bool last_failed;     /* its last probe did */
    uint16_t status, round_trip_ms;
    uint32_t age_ms;       /* of the state, at TAKEN_MS */
    uint32_t probe_age_ms; /* of the last probe, at TAKEN_MS; UINT32_MAX: none */
    uint64_t taken_ms;     /* when it came */
};

struct peer_verdicts;

struct peer_verdicts *peer_verdicts_new(void);
void peer_verdicts_free(struct peer_verdicts *table); /* NULL-safe */

/* False: no place, or out of memory. */
bool peer_verdicts_put(struct peer_verdicts *table,
                       const struct uuid *peer,
                       uint32_t slot,
                       uint32_t incarnation,
                       const struct shared_verdict *verdict,
                       uint64_t now_ms);
/* All that came from PEER was still what it has at AT_MS. */
void peer_verdicts_confirm(struct peer_verdicts *table,
                           const struct uuid *peer,
                           uint64_t at_ms);
/* PEER is no node of the cluster any more. */
void peer_verdicts_forget(struct peer_verdicts *table, const struct uuid *peer);

/* The peer with number INDEX, or NULL. */
const struct uuid *peer_verdicts_peer(const struct peer_verdicts *table, size_t index);
/* What it said of the member; NULL: nothing. */
const struct peer_verdict *peer_verdicts_find(const struct peer_verdicts *table,
                                              size_t index,
                                              uint32_t slot,
                                              uint32_t incarnation);
/* The same for the node PEER, with its ages as of NOW_MS. False: it said nothing of this
 * incarnation. */
bool peer_verdicts_view(const struct peer_verdicts *table,
                        const struct uuid *peer,
                        uint32_t slot,
                        uint32_t incarnation,
                        uint64_t now_ms,
                        struct shared_verdict *out);
/* When that was last known to hold. */
uint64_t peer_verdicts_held_ms(const struct peer_verdicts *table,
                               size_t index,
                               const struct peer_verdict *verdict);

/* Of the verdicts that held less than LIMIT_MS ago the one that is worth most: that of ACTIVE
 * (NULL: nobody), then of who probes at the full rate, then the one with the latest probe.
 * NULL: none. */
const struct peer_verdict *peer_verdicts_best(const struct peer_verdicts *table,
                                              uint32_t slot,
                                              uint32_t incarnation,
                                              const struct uuid *active,
                                              uint64_t limit_ms,
                                              uint64_t now_ms,
                                              uint64_t *out_held_ms);

#endif

/* A verdict as peers tell it each other: part of replication.h. */
#ifndef REPLICATION_SHARED_VERDICT_H
#define REPLICATION_SHARED_VERDICT_H

#include "lbnode/base/uuid.h"

/* What a node measured about one member, for peers (replication.md 11.3). */
struct shared_verdict {
    struct uuid
        member_id; /* on the wire: its first 8 bytes; filled back by the receiver's control */
    uint8_t state; /* enum verdict_state */
    bool rare;     /* the node probes it at a lower rate than the monitor's delay */
    bool last_failed; /* its last probe did, whatever the state is */
    uint8_t reason;   /* enum verdict_reason of the last failure */
    uint16_t round_trip_ms;
    uint32_t age_ms;       /* of the state */
    uint16_t status;       /* of the last HTTP answer, or of a TLS alert; 0: none */
    uint32_t probe_age_ms; /* since the end of the last probe; UINT32_MAX: there was none */
};

enum {
    VERDICTS_MAXIMUM = 16384, /* of one node */
};

#endif

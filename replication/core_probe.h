/* Wishes of peers that a pool be probed now: part of the core (core_internal.h). */
#ifndef REPLICATION_CORE_PROBE_H
#define REPLICATION_CORE_PROBE_H

#include "replication/core.h"

struct peer;

enum {
    PROBE_WISHES = 8 /* of a peer, that are remembered */
};

struct probe_wish {
    struct uuid pool;
    uint64_t asked_us; /* 0: none */
};

void core_ask_probe(const struct core *core,
                    const struct core_event *event,
                    struct core_actions *actions);
void core_handle_probe(struct core *core,
                       struct peer *peer,
                       struct bytes body,
                       struct core_actions *actions);

#endif
